"""Tells the server, twice a minute, that the process which drives a run is alive."""

from __future__ import annotations

import os
import threading
from typing import Optional

from studio_sdk.exceptions import AzureMLException, ServerUnreachable
from studio_sdk.transport import Client, quote

_INTERVAL_SECONDS = 30.0

_driven: dict[str, Client] = {}
_lock = threading.Lock()
_thread: Optional[threading.Thread] = None


def begin(client: Client, run_id: str) -> None:
    """Speak for a run from now on."""
    global _thread
    with _lock:
        _driven[run_id] = client
        if _thread is None or not _thread.is_alive():
            _thread = threading.Thread(target=_beat, name="studio-heartbeats", daemon=True)
            _thread.start()


def end(run_id: str) -> None:
    """Speak no longer for a run."""
    _driven.pop(run_id, None)


def _beat() -> None:
    pause = threading.Event()
    while not pause.wait(_INTERVAL_SECONDS):
        for run_id, client in list(_driven.items()):
            try:
                client.request("POST", f"/runs/{quote(run_id)}/heartbeat", body={}, retry_seconds=0)
            except ServerUnreachable:
                continue
            except AzureMLException:  # it ended elsewhere, or is no longer ours
                end(run_id)


def _forget_in_a_forked_child() -> None:
    global _thread, _lock
    _driven.clear()
    _thread, _lock = None, threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_in_a_forked_child)
