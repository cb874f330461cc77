"""A pipe from the supervisors of this worker's launchers back to it: a slot is free, there may be work.

It is a hint like any other, and only faster: no broker, no connection to one in each
supervisor. Where the worker has gone, nobody holds the other end, and the hint goes to
the broker, as it does from everybody else.
"""

import logging
import os
import threading
from collections.abc import Callable
from contextlib import suppress

from django.db import connections

from runs.outage import NO_DATABASE

logger = logging.getLogger(__name__)

_lock = threading.Lock()
_ends: tuple[int, int] | None = None


def cord() -> int:
    """Return the descriptor to ring with, for a launcher to inherit."""
    return _pipe()[1]


def answer(heard: Callable[[int, str], None]) -> threading.Thread:
    """Call `heard` with the id and name of each compute target that is rung for, in a thread, until `hang_up`."""
    thread = threading.Thread(target=_answer, args=(heard,), name="bell", daemon=True)
    thread.start()
    return thread


def hang_up() -> None:
    """Let whoever rings from now on find nobody. Where nobody answers any more, nothing happens."""
    with _lock, suppress(BlockingIOError):  # full: it is rung for so long that the process ends sooner
        if _ends is not None:
            os.write(_ends[1], b"\n")


def _pipe() -> tuple[int, int]:
    global _ends
    with _lock:
        if _ends is None:
            _ends = os.pipe()
            os.set_blocking(_ends[1], False)
        return _ends


def _answer(heard: Callable[[int, str], None]) -> None:
    global _ends
    reader, writer = _pipe()
    received, is_over = b"", False
    while not is_over:
        *lines, received = (received + os.read(reader, 4096)).split(b"\n")
        is_over = b"" in lines
        for line in set(lines) - {b""}:  # many who ring at once say the same
            _pass_on(heard, line)
    with _lock:
        _ends = None
    os.close(reader)
    os.close(writer)
    connections.close_all()


def _pass_on(heard: Callable[[int, str], None], line: bytes) -> None:
    number, _, name = line.decode().partition(" ")
    try:
        heard(int(number), name)
    except NO_DATABASE as error:
        logger.warning("The database does not answer: %s", error)
        connections.close_all()
    except Exception:
        logger.exception("A hint for %s was lost.", name)
        connections.close_all()
