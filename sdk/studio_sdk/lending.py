"""Lends the slot of the run that this script is while it only waits for a run below it, so that one can start."""

from __future__ import annotations

import threading
import time

from studio_sdk import connection, env
from studio_sdk.exceptions import AzureMLException, ServerUnreachable
from studio_sdk.transport import quote

_LENT_SECONDS = 60.0
_RENEW_SECONDS = 20.0

_lock = threading.Lock()
# How many threads of this script wait: the last one takes the slot back.
_waiting = 0


class LentSlot:
    """A wait for `run_id`. Call `renew` while it lasts; where there is no slot to lend, nothing happens."""

    def __init__(self, run_id: str) -> None:
        self._own_id = env.text(env.RUN_ID)
        self._run_id = run_id
        self._is_lent = False
        self._is_over = not (self._own_id and env.text(env.URL)) or run_id == self._own_id
        self._renew_at = 0.0

    def __enter__(self) -> LentSlot:
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over = True
        if self._is_lent and _count(-1) == 0:
            self._tell("DELETE")

    def renew(self) -> None:
        """Say that the script still waits, now and then."""
        if self._is_over or time.monotonic() < self._renew_at:
            return
        self._renew_at = time.monotonic() + _RENEW_SECONDS
        if self._tell("POST", {"waits_for": self._run_id, "seconds": _LENT_SECONDS}) and not self._is_lent:
            self._is_lent = True
            _count(1)

    def _tell(self, method: str, body: object = None) -> bool:
        path = f"/runs/{quote(self._own_id)}/waiting"
        try:
            connection.for_this_run().request(method, path, body=body, retry_seconds=0)
        except ServerUnreachable:
            return False
        except AzureMLException:  # it is not below this run, or the server does not know of slots to lend
            self._is_over = True
            return False
        return True


def _count(change: int) -> int:
    global _waiting
    with _lock:
        _waiting += change
        return _waiting
