"""What a worker's machine needs now and then: unused environments removed, the database's statistics fresh."""

import logging
import threading
import time

from django.conf import settings
from django.db import connection, connections

from runs.execution import packages

logger = logging.getLogger(__name__)

EVERY_SECONDS = 3600.0


def begin() -> threading.Thread:
    """Keep house in a thread of its own: removing gigabytes takes longer than a worker may be silent."""
    thread = threading.Thread(target=_keep_house, name="housekeeping", daemon=True)
    thread.start()
    return thread


def _keep_house() -> None:
    try:
        packages.prune(
            max_age_seconds=settings.STUDIO_ENVIRONMENTS_DAYS * 24 * 3600,
            max_bytes=settings.STUDIO_ENVIRONMENTS_BYTES,
            now=time.time(),
        )
        if connection.vendor == "sqlite":  # PostgreSQL sees to this by itself
            with connection.cursor() as cursor:
                # Milliseconds, however large the database: a thousand rows of each index are looked at. Not
                # PRAGMA optimize, which before SQLite 3.46 sees only what its own connection has asked.
                cursor.execute("PRAGMA analysis_limit = 1000")
                cursor.execute("ANALYZE")
    except Exception:  # the next round tries again
        logger.exception("Housekeeping failed.")
    finally:
        connections.close_all()
