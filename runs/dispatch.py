"""The only sender of Celery messages, by name.

A message is a hint that there is work for a compute target. Losing one, sending one
twice or late is harmless: workers look at the rows by themselves as well. So nobody
waits for the broker: a thread of its own sends, and a broker that is down or frozen
costs a request nothing.
"""

import logging
import os
import threading

from celery import Signature, current_app

logger = logging.getLogger(__name__)

EXECUTE_NEXT = "runs.execute_next"
# Every name that is sent from here; a test holds them against the registered tasks.
TASK_NAMES = (EXECUTE_NEXT,)

# Where the worker that this process was forked for can be told without a broker.
_cord: int | None = None

_QUEUE_PREFIX = "compute-target."


def queue_name(compute_target_name: str) -> str:
    """Return the name of the Celery queue of a compute target."""
    return _QUEUE_PREFIX + compute_target_name


def hint(*, compute_target_id: int, compute_target_name: str) -> None:
    """Tell the workers of a compute target that there may be work. Returns at once, promises nothing."""
    if not _ring(f"{compute_target_id} {compute_target_name}\n"):
        _sender.send(compute_target_id, compute_target_name)


def hold_cord(descriptor: int) -> None:
    """Let the hints of this process and its forks go through a pipe, for as long as somebody reads it."""
    global _cord
    _cord = descriptor


def _ring(line: str) -> bool:
    """Return whether somebody was there to hear it."""
    if _cord is None:
        return False
    try:
        return os.write(_cord, line.encode()) > 0  # so short a line is written whole or not at all
    except OSError:  # the worker has gone, or is behind with all that the pipe holds
        return False


def load() -> None:
    """Load what the first hint would have to wait for. Opens no connection, so that one may fork afterwards."""
    current_app.finalize(auto=True)
    with current_app.connection_for_write() as connection:
        _ = connection.transport
    _ = current_app.amqp.router
    _hint(0, "").freeze()


def flush(*, timeout_seconds: float) -> bool:
    """Wait until the hints of this process are sent, or the time is over; return whether they are."""
    return _sender.flush(timeout_seconds)


def _hint(compute_target_id: int, compute_target_name: str) -> Signature:
    # Not send_task, which ignores the eager mode of tests.
    return current_app.signature(
        EXECUTE_NEXT, kwargs={"compute_target_id": compute_target_id}, queue=queue_name(compute_target_name)
    )


class _Sender:
    """A thread, started with the first hint, that publishes hints one by one."""

    def __init__(self) -> None:
        # Per compute target one hint waits at most: a second would say the same.
        self._waiting: dict[int, str] = {}
        self._is_sending = False
        self._changed = threading.Condition(threading.RLock())
        self._thread: threading.Thread | None = None

    def send(self, compute_target_id: int, compute_target_name: str) -> None:
        with self._changed:
            self._waiting[compute_target_id] = compute_target_name
            self._changed.notify_all()
            # A forked child inherits the object but not its thread.
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, name="dispatch", daemon=True)
                self._thread.start()

    def flush(self, timeout_seconds: float) -> bool:
        with self._changed:
            return self._changed.wait_for(lambda: not self._waiting and not self._is_sending, timeout_seconds)

    def _run(self) -> None:
        while True:
            with self._changed:
                self._is_sending = False
                self._changed.notify_all()
                self._changed.wait_for(lambda: self._waiting)
                compute_target_id, compute_target_name = self._waiting.popitem()
                self._is_sending = True
            try:
                _hint(compute_target_id, compute_target_name).apply_async(retry=False, expires=60, ignore_result=True)
            except Exception as error:  # whatever the transport raises: a hint may be lost
                logger.warning("Hint for %s not sent: %s", compute_target_name, error)


_sender = _Sender()
