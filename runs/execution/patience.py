"""Insisting: what must be told is told again for as long as the database or the store does not answer."""

import logging
import time
from collections.abc import Callable
from typing import TypeVar

from django.db import connections

from runs import storage
from runs.outage import NO_DATABASE

logger = logging.getLogger(__name__)

# Who cannot be told for so long is told later, from the spool.
_TELL_SECONDS = 3600.0
_RETRY_SECONDS = 0.2
_LONGEST_RETRY_SECONDS = 10.0

T = TypeVar("T")


def once(tell: Callable[[], T], *, store_seconds: float = 0) -> T:
    """Call `tell`: for those who come again by themselves."""
    return tell()


def persist(tell: Callable[[], T], *, store_seconds: float = _TELL_SECONDS) -> T:
    """Call `tell`, and again while nobody answers. Raises an error of the database after an hour, or Unreachable."""
    began, pause = time.monotonic(), _RETRY_SECONDS
    while True:
        try:
            return tell()
        except (*NO_DATABASE, storage.Unreachable) as error:
            connections.close_all()
            longest = store_seconds if isinstance(error, storage.Unreachable) else _TELL_SECONDS
            if time.monotonic() - began > longest:
                raise
            logger.warning("No answer, trying again in %.1f s: %s", pause, error)
        time.sleep(pause)
        pause = min(2 * pause, _LONGEST_RETRY_SECONDS)
