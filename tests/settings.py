"""Django's settings for the tests: the product's own, in a folder of their own, without its slow parts."""

import os
import tempfile

# Before the product's settings are read: a test run never touches a developer's own data.
os.environ["STUDIO_HOME"] = tempfile.mkdtemp(prefix="studio-tests-")
os.environ.setdefault("STUDIO_LOG_LEVEL", "WARNING")

from studio.settings import *  # noqa: F403
from studio.settings import DATABASES, LOGGING, STUDIO_HOME
from studio.settings import MIDDLEWARE as _MIDDLEWARE
from studio.settings import STORAGES as _STORAGES

# pytest shows what was logged; a thread that logs between two tests would find the console closed.
LOGGING = {**LOGGING, "handlers": {"console": {"class": "logging.NullHandler"}}}
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
ALLOWED_HOSTS = ["*"]
# The manifest of hashed names is made by `up`; tests read the sources.
STORAGES = {**_STORAGES, "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}}
MIDDLEWARE = [name for name in _MIDDLEWARE if "whitenoise" not in name]
if DATABASES["default"]["ENGINE"].endswith("sqlite3"):
    # A file, not memory: workers and servers that tests start share it, and WAL is what the product uses.
    DATABASES["default"]["TEST"] = {"NAME": str(STUDIO_HOME / "tests.sqlite3")}
# In this process nobody answers as the broker; products and workers that tests start have REDIS_URL, or their own.
STUDIO_BROKER_IS_EMBEDDED, STUDIO_BROKER_SOCKET = True, STUDIO_HOME / "no-broker.sock"
REDIS_URL = CELERY_BROKER_URL = f"redis+socket://{STUDIO_BROKER_SOCKET}?virtual_host=0"
