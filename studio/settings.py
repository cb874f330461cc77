"""Django's settings and ours. Every value that an operator may change is read from the environment.

`.env.example` lists the variables; a test compares the two. Ours begin with STUDIO_ and
carry their unit in the name.
"""

import hashlib
import os
import tempfile
from pathlib import Path
from urllib.parse import quote

import dj_database_url
import django

from studio import env

BASE_DIR = Path(__file__).resolve().parent.parent

# --- Where things lie -------------------------------------------------------------------

# One folder for all that must survive: database, broker's file, logs, outputs, snapshots.
STUDIO_HOME = Path(env.text("STUDIO_HOME", str(BASE_DIR / "var"))).expanduser().resolve()
# The address at which scripts and other machines reach the web server.
STUDIO_URL = env.text("STUDIO_URL", "http://127.0.0.1:8000").rstrip("/")
# Where this machine finds the bytes of runs: in STUDIO_HOME (`files`), or, on a worker that shares no
# disk with the web server, at STUDIO_URL (`http`).
STUDIO_STORAGE = env.choice("STUDIO_STORAGE", ("files", "http"), default="files")

# --- Security ---------------------------------------------------------------------------

DEBUG = env.flag("STUDIO_DEBUG", default=False)
SECRET_KEY = env.secret("STUDIO_SECRET_KEY", file=STUDIO_HOME / "secret_key")
# Names under which the pages may be asked for; anything else is a rebinding attack or a mistake.
ALLOWED_HOSTS = env.words("STUDIO_ALLOWED_HOSTS", default="127.0.0.1,localhost,[::1]")
CSRF_TRUSTED_ORIGINS = env.words("STUDIO_TRUSTED_ORIGINS")
# True behind a proxy that speaks TLS: cookies are then sent over TLS only.
STUDIO_SECURE = env.flag("STUDIO_SECURE", default=STUDIO_URL.startswith("https://"))
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = STUDIO_SECURE
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
# A sign-in holds for two weeks of work without asking again.
SESSION_COOKIE_AGE = 14 * 24 * 3600
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if STUDIO_SECURE else None
SECURE_SSL_REDIRECT = STUDIO_SECURE
SECURE_HSTS_SECONDS = 3600 * 24 * 30 if STUDIO_SECURE else 0
X_FRAME_OPTIONS = "DENY"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
AUTHENTICATION_BACKENDS = ["runs.accounts.Accounts"]
LOGIN_URL = "sign_in"
LOGIN_REDIRECT_URL = "home"

# --- The parts of the site --------------------------------------------------------------

INSTALLED_APPS = [
    "django.contrib.admin.apps.SimpleAdminConfig",  # its pages are loaded with the addresses, by the web server alone
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "django_htmx",
    "ninja",
    "runs",
]
MIDDLEWARE = [
    "runs.middleware.LogContextMiddleware",
    "runs.middleware.security_headers",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "runs.middleware.CompressPages",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.auth.middleware.LoginRequiredMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "runs.middleware.language_and_zone",
    "runs.middleware.RefusalMiddleware",
]
# Tags that every template may use without {% load %}, so that one source serves Django 5.2 and 6.
_TEMPLATE_BUILTINS = ["django.templatetags.i18n", "django.templatetags.static", "django.templatetags.tz"]
_TEMPLATE_BUILTINS += ["runs.templatetags.studio", "runs.templatetags.run_cells"]
if django.VERSION < (6, 0):
    INSTALLED_APPS.append("template_partials")
    _TEMPLATE_BUILTINS.append("template_partials.templatetags.partials")
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "builtins": _TEMPLATE_BUILTINS,
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]
ROOT_URLCONF = "studio.urls"
WSGI_APPLICATION = "studio.wsgi.application"
STATIC_URL = "/static/"
STATICFILES_DIRS = [BASE_DIR / "static"]
STATIC_ROOT = STUDIO_HOME / "staticfiles"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}

# --- Database ---------------------------------------------------------------------------

DATABASES = {
    "default": dj_database_url.parse(
        env.text("DATABASE_URL", f"sqlite:///{STUDIO_HOME / 'studio.sqlite3'}"),
        conn_max_age=60,
        conn_health_checks=True,
    )
}
if DATABASES["default"]["ENGINE"].endswith("sqlite3"):
    # WAL lets readers and one writer work side by side. IMMEDIATE takes the write lock at the
    # start of a transaction: one that reads first and writes later would otherwise fail at once
    # with "database is locked", whatever the timeout (849 such errors in 4 s when measured).
    DATABASES["default"]["OPTIONS"] = {
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA cache_size=-65536;"
        " PRAGMA mmap_size=268435456; PRAGMA temp_store=MEMORY;",
    }
else:
    DATABASES["default"]["ENGINE"] = "studio.postgresql"
    # Planners of the last century's disks rather read a table whole than follow an index; no query of a page
    # is worth compiling. In front of PgBouncer let it ignore the parameter `options`.
    DATABASES["default"].setdefault("OPTIONS", {}).setdefault("options", "-c random_page_cost=1.1 -c jit=off")
    # What `runs.statements` sends for the fifth time is planned for the last time in its connection.
    DATABASES["default"]["OPTIONS"].setdefault("prepare_threshold", 5)
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# --- Queue ------------------------------------------------------------------------------


def _embedded_broker_socket() -> Path:
    """Return where the embedded Valkey server listens: a socket in a folder of its owner alone."""
    socket = STUDIO_HOME / "run" / "valkey.sock"
    if len(os.fsencode(socket)) <= 100:  # the kernel takes 107 bytes
        return socket
    digest = hashlib.sha256(os.fsencode(STUDIO_HOME)).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"studio-{os.getuid()}-{digest}" / "valkey.sock"


STUDIO_BROKER_SOCKET = _embedded_broker_socket()
# The broker carries hints only: losing all of it loses no run, see docs/data-flow.md.
REDIS_URL = env.text("REDIS_URL", f"redis+socket://{quote(str(STUDIO_BROKER_SOCKET))}?virtual_host=0")
STUDIO_BROKER_IS_EMBEDDED = not env.text("REDIS_URL")

CELERY_BROKER_URL = REDIS_URL
CELERY_RESULT_BACKEND = None  # a run's row says how it went
CELERY_TASK_IGNORE_RESULT = True
# Early acknowledgement: with a late one, a worker that lost its broker ran one task three times.
CELERY_TASK_ACKS_LATE = False
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_DISABLE_PREFETCH = True
CELERY_WORKER_POOL = "threads"
CELERY_WORKER_CONSUMER = "studio.worker:Consumer"
# While all of these are busy Celery asks the broker for nothing, and looks again only a second later: with two
# threads a hint waited 0.6 s when measured, with these none does. They are made when they are needed.
CELERY_WORKER_CONCURRENCY = 16
CELERY_WORKER_CANCEL_LONG_RUNNING_TASKS_ON_CONNECTION_LOSS = False
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TASK_SERIALIZER = "json"
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "socket_timeout": 5,
    "socket_connect_timeout": 3,
    "socket_keepalive": True,
    "health_check_interval": 10,
}
CELERY_TIMEZONE = "UTC"
CELERY_BEAT_SCHEDULE = {
    "sweep": {"task": "runs.sweep", "schedule": 5.0, "options": {"expires": 30}},
    "advance-pipelines": {"task": "runs.advance_pipelines", "schedule": 5.0, "options": {"expires": 30}},
    "reap": {"task": "runs.reap", "schedule": 5.0, "options": {"expires": 30}},
    "run-schedules": {"task": "runs.run_schedules", "schedule": 5.0, "options": {"expires": 30}},
}
CELERY_BEAT_SCHEDULE_FILENAME = str(STUDIO_HOME / "run" / "beat-schedule")

# --- Execution --------------------------------------------------------------------------

# The compute targets that a worker here serves, by name; none named is every enabled one.
STUDIO_TARGETS = env.words("STUDIO_TARGETS")
# How long a canceled script may clean up between SIGTERM and SIGKILL. Zero kills at once.
STUDIO_GRACE_SECONDS = env.number("STUDIO_GRACE_SECONDS", default=5)
# A supervisor renews its lease every third of this; one that is silent for longer is NotResponding.
STUDIO_LEASE_SECONDS = env.number("STUDIO_LEASE_SECONDS", default=15, minimum=0.3)
if not DATABASES["default"]["ENGINE"].endswith("sqlite3"):
    # Whoever is frozen or cut off inside a transaction would keep its locks for as long, and with them everybody
    # who is to notice that it is silent. A busy machine alone makes nobody silent for five seconds.
    _seconds = max(STUDIO_LEASE_SECONDS, 5)
    DATABASES["default"]["OPTIONS"]["options"] += f" -c idle_in_transaction_session_timeout={1000 * _seconds:.0f}"
# How long a silent attempt may come back before it is settled: it counts from the lease's end.
STUDIO_LOST_SECONDS = env.number("STUDIO_LOST_SECONDS", default=30)
# How long an interactive run whose client once sent heartbeats may be silent, and until when it may come back.
STUDIO_CLIENT_SILENT_SECONDS = env.number("STUDIO_CLIENT_SILENT_SECONDS", default=120)
STUDIO_CLIENT_LOST_SECONDS = env.number("STUDIO_CLIENT_LOST_SECONDS", default=24 * 3600)
# How long a run waits for its second attempt; each further one waits twice as long.
STUDIO_RETRY_SECONDS = env.number("STUDIO_RETRY_SECONDS", default=10)
# A time of a schedule at which nobody looked for so long was missed: skipped, or made up for if the schedule wants it.
STUDIO_SCHEDULE_LATE_SECONDS = env.number("STUDIO_SCHEDULE_LATE_SECONDS", default=300, minimum=1)
# By how many steps of niceness scripts stand behind the servers at the processor, and supervisors by half of that. On a
# busy machine the page of an experiment took 0.23 to 0.35 s while its line was worked off, and 0.09 to 0.15 s with 10.
STUDIO_NICE = env.integer("STUDIO_NICE", default=10)
# How often a supervisor looks whether its run is to stop.
STUDIO_CANCEL_POLL_SECONDS = env.number("STUDIO_CANCEL_POLL_SECONDS", default=0.25, minimum=0.05)
# Seconds between two looks at what a script's processes are busy with; 0 is never.
STUDIO_MONITOR_SECONDS = env.number("STUDIO_MONITOR_SECONDS", default=2)
# How often a worker looks for waiting runs by itself, should no hint reach it.
STUDIO_POLL_SECONDS = env.number("STUDIO_POLL_SECONDS", default=1, minimum=0.05)
# How long a run may be Preparing (its packages are installed then) or Starting.
STUDIO_PREPARE_SECONDS = env.number("STUDIO_PREPARE_SECONDS", default=1800, minimum=1)
# How long a run waits for a web server that does not answer its worker, before it ends and its last bytes come later.
STUDIO_FINALIZE_SECONDS = env.number("STUDIO_FINALIZE_SECONDS", default=300)
# Python environments made for runs with requirements: how long and how much of them to keep.
STUDIO_ENVIRONMENTS_DAYS = env.number("STUDIO_ENVIRONMENTS_DAYS", default=30)
STUDIO_ENVIRONMENTS_BYTES = env.integer("STUDIO_ENVIRONMENTS_BYTES", default=20 * 2**30)
# How long what was deleted can be restored; `purge` then removes it for good.
STUDIO_TRASH_DAYS = env.number("STUDIO_TRASH_DAYS", default=30)
# Where attempts work, if not in STUDIO_HOME: a folder that the users of compute targets with `run_as` can reach.
STUDIO_WORK_FOLDER = env.text("STUDIO_WORK_FOLDER")
# A worker with less room than this on its disk starts nothing: runs stay queued, and their pages say why.
STUDIO_DISK_FLOOR_BYTES = env.integer("STUDIO_DISK_FLOOR_BYTES", default=512 * 2**20)
# What a run gets from the worker's own environment, beside PATH, HOME, LANG and the like.
STUDIO_PASS_ENVIRONMENT = env.words("STUDIO_PASS_ENVIRONMENT")

# --- Limits -----------------------------------------------------------------------------

STUDIO_SNAPSHOT_BYTES = env.integer("STUDIO_SNAPSHOT_BYTES", default=300 * 2**20, minimum=1)
STUDIO_SNAPSHOT_FILES = env.integer("STUDIO_SNAPSHOT_FILES", default=10_000, minimum=1)
# What is kept of one log: the first and the last half of it; the gap between is announced.
STUDIO_LOG_BYTES = env.integer("STUDIO_LOG_BYTES", default=2 * 2**30, minimum=2**16)
STUDIO_ARTIFACT_BYTES = env.integer("STUDIO_ARTIFACT_BYTES", default=20 * 2**30, minimum=1)
DATA_UPLOAD_MAX_MEMORY_SIZE = 16 * 2**20
DATA_UPLOAD_MAX_NUMBER_FILES = STUDIO_SNAPSHOT_FILES
FILE_UPLOAD_PERMISSIONS = 0o600

# --- Words and times --------------------------------------------------------------------

LANGUAGE_CODE = "en"
# Each by its own name: who looks for a language can read that one.
LANGUAGES = [("en", "English"), ("it", "Italiano")]
LOCALE_PATHS = [BASE_DIR / "runs" / "locale"]
USE_I18N = True
# The choice of who is not signed in; a user's own is in the database.
LANGUAGE_COOKIE_AGE = 365 * 24 * 3600
LANGUAGE_COOKIE_SAMESITE, LANGUAGE_COOKIE_SECURE = "Lax", STUDIO_SECURE
# The zone of who neither chose one nor has a browser that tells its own.
TIME_ZONE = env.text("STUDIO_TIME_ZONE", "UTC")
USE_TZ = True

# --- Logs of the server itself ----------------------------------------------------------

# `text` for people, `json` for programs: a line is one object.
STUDIO_LOG_FORMAT = env.choice("STUDIO_LOG_FORMAT", ("text", "json"), default="text")
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {"context": {"()": "runs.log_context.ContextFilter"}},
    "formatters": {
        "text": {"format": "{asctime} {levelname} {name}{context} {message}", "style": "{"},
        "json": {"()": "runs.log_context.JsonFormatter"},
    },
    "handlers": {"console": {"class": "logging.StreamHandler", "filters": ["context"], "formatter": STUDIO_LOG_FORMAT}},
    "root": {"handlers": ["console"], "level": env.text("STUDIO_LOG_LEVEL", "INFO")},
}
