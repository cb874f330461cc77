"""Who uses the data folder now: one `manage.py up` at a time, found by a lock that dies with it."""

import contextlib
import fcntl
import json
import os
import time
from pathlib import Path

from django.conf import settings

# The children of an `up` that was killed need a moment to notice; they hold its lock until then.
_PATIENCE_SECONDS = 10


class HomeIsTaken(Exception):
    """Another `manage.py up` uses this data."""


def lock(name: str, *, address: str) -> None:
    """Hold the lock `name` until this process and the children it forks have ended, or raise HomeIsTaken."""
    descriptor = os.open(_path(name), os.O_RDWR | os.O_CREAT, 0o600)
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            break
        except BlockingIOError:
            holder = _holder(name)
            if _is_alive(holder.get("pid")) or time.monotonic() > deadline:
                raise HomeIsTaken(
                    f"Studio runs on this data already: {settings.STUDIO_HOME}"
                    f" (process {holder.get('pid', '?')}, {holder.get('address', '?')}).\n"
                    "Stop that one, or set STUDIO_HOME to another folder."
                ) from None
            time.sleep(0.1)
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, json.dumps({"pid": os.getpid(), "address": address}).encode(), 0)


def address() -> str:
    """Return the address at which pages are served: as the running `up` says, else as the settings say."""
    holder = _holder("up")
    if "STUDIO_URL" not in os.environ and _is_alive(holder.get("pid")):
        return holder["address"]
    return settings.STUDIO_URL


def _path(name: str) -> Path:
    return settings.STUDIO_HOME / "run" / f"{name}.lock"


def _holder(name: str) -> dict:
    with contextlib.suppress(OSError, ValueError):
        return json.loads(_path(name).read_text())
    return {}


def _is_alive(pid: int | None) -> bool:
    if pid is None:
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
