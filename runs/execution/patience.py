"""Insisting: what must be told is told again for as long as the database or the store does not answer."""

import logging
import time
from collections.abc import Callable
from typing import TypeVar

from django.db import InterfaceError, OperationalError, connections

from runs import storage

logger = logging.getLogger(__name__)

# Who cannot be told for so long is told later, from the spool.
TELL_SECONDS = 3600.0
_RETRY_SECONDS = 0.2
_LONGEST_RETRY_SECONDS = 10.0

T = TypeVar("T")


def persist(tell: Callable[[], T], *, seconds: float = TELL_SECONDS) -> T:
    """Call `tell`, and again while the database or the store does not answer. Raises its error after `seconds`."""
    deadline, pause = time.monotonic() + seconds, _RETRY_SECONDS
    while True:
        try:
            return tell()
        except (OperationalError, InterfaceError, storage.Unreachable) as error:
            connections.close_all()
            if time.monotonic() > deadline:
                raise
            logger.warning("No answer, trying again in %.1f s: %s", pause, error)
        time.sleep(pause)
        pause = min(2 * pause, _LONGEST_RETRY_SECONDS)
