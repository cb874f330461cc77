"""Processes and files that attempts left on this machine, and their end (the janitor)."""

import logging
import shutil
import signal
import time
from contextlib import suppress
from pathlib import Path

from django.db import connection

from runs import storage
from runs.execution import finish, host, kernel, outcome, patience
from runs.models import Attempt
from runs.outage import NO_DATABASE
from runs.status import CLAIMED

logger = logging.getLogger(__name__)

_KILL_SECONDS = 5.0
# https://www.sqlite.org/walformat.html, "WAL Locks"
_SQLITE_WRITE_LOCK_BYTE = 120


def is_supervised(attempt: Attempt) -> bool:
    """Return whether the supervisor of an attempt of this machine lives, be it stopped."""
    supervisor = _supervisor(attempt)
    return supervisor is not None and supervisor.is_alive()


def kill_attempt(attempt: Attempt) -> int:
    """Kill the supervisor of an attempt of this machine and every process of it; return how many are left."""
    supervisor = _supervisor(attempt)
    if supervisor is not None:
        supervisor.send(signal.SIGKILL)
        supervisor.send(signal.SIGCONT)
    return _kill_by_cookies(lambda cookie: cookie == host.cookie(attempt))


def _supervisor(attempt: Attempt) -> kernel.ProcessId | None:
    if attempt.pid is None or attempt.pid_started_at is None or attempt.boot_id != host.boot_id():
        return None
    return kernel.ProcessId(attempt.pid, int(attempt.pid_started_at))


def clean_up() -> int:
    """Kill leftover processes, settle spooled outcomes, remove leftover folders; return how many of all.

    Leftover is what carries a cookie of this installation whose attempt is not live, or
    whose supervisor is dead.
    """
    count = _settle_spooled()
    carried = {cookie for _, cookie in kernel.cookies() if host.is_our_cookie(cookie)}
    if carried:
        # Read after the processes: an attempt that starts now is not among those seen.
        supervised = {host.cookie(attempt) for attempt in _live() if attempt.pid is None or is_supervised(attempt)}
        leftover = carried - supervised
        if leftover:
            logger.warning("Killing what is left of attempts %s.", ", ".join(sorted(leftover)))
            _kill_by_cookies(lambda cookie: cookie in leftover)
            count += len(leftover)
    return count + _remove_folders()


def wake_writer() -> bool:
    """Let a process go on that was stopped while it held the write lock of the SQLite file; return whether one was.

    Nobody could write meanwhile, not even that its run does not respond. PostgreSQL has a timeout for this.
    """
    holder = writer() if connection.vendor == "sqlite" else None
    if holder is None or kernel.stat(holder.pid)[:1] != ["T"]:
        return False
    logger.warning("Waking process %s, which was stopped while it held the database's write lock.", holder.pid)
    return holder.send(signal.SIGCONT)


def writer() -> kernel.ProcessId | None:
    """Return the process that holds the write lock of the SQLite file, or None."""
    return kernel.lock_holder(Path(f"{connection.settings_dict['NAME']}-shm"), _SQLITE_WRITE_LOCK_BYTE)


def _live() -> list[Attempt]:
    return list(Attempt.objects.live().filter(boot_id=host.boot_id()))


def _kill_by_cookies(chosen) -> int:
    deadline = time.monotonic() + _KILL_SECONDS
    while True:
        found = [process for process, cookie in kernel.cookies() if chosen(cookie) and process.is_alive()]
        for process in found:
            process.send(signal.SIGKILL)
        if not found or time.monotonic() > deadline:
            return len(found)
        time.sleep(0.02)


def _settle_spooled() -> int:
    """Tell the rows what supervisors could not: those that died, or gave up, with the database away."""
    count = 0
    for attempt_id in outcome.spooled():
        ended = outcome.load(attempt_id)
        attempt = Attempt.objects.select_related("run", "compute_target").filter(pk=attempt_id).first()
        if attempt is not None and attempt.ended_at is None and attempt.run.status in CLAIMED:
            if ended is None or is_supervised(attempt):
                continue
            kill_attempt(attempt)
            with suppress(*NO_DATABASE, storage.Unreachable):  # the next round tries again
                finish.finish(attempt, ended, persist=patience.once)
                count += 1
        else:
            outcome.forget(attempt_id)
    return count


def _remove_folders() -> int:
    """Remove the working folders of attempts that are over, once what lies in them has been delivered."""
    root = host.work_root()
    present = {path.name: path for path in root.iterdir()} if root.is_dir() else {}
    if not present:
        return 0
    live = {host.work_folder(attempt).name for attempt in _live()}
    removed, is_reachable = 0, True
    for name, path in present.items():
        attempt = None if name in live else _attempt_of(name)
        if name in live or (attempt is not None and attempt.ended_at is None):
            continue
        if attempt is not None and attempt.bytes_due_until is not None and attempt.bytes_due_until > host.now():
            is_reachable = is_reachable and _bring_late(attempt)
            continue
        if attempt is not None:
            storage.sign_out(attempt.run_id)
        shutil.rmtree(path, ignore_errors=True)
        removed += 1
    return removed


def _attempt_of(folder_name: str) -> Attempt | None:
    run, _, number = folder_name.partition(".")
    if not (run.isdigit() and number.isdigit()):
        return None
    return Attempt.objects.select_related("run").filter(run_id=run, number=number).first()


def _bring_late(attempt: Attempt) -> bool:
    """Deliver what an attempt was settled without; return whether there was anybody to deliver it to."""
    try:
        finish.finish_late(attempt)
    except storage.Unreachable as error:
        logger.info("The last bytes of attempt %s cannot be delivered yet: %s", attempt, error)
        return False
    logger.info("The last bytes of attempt %s have arrived.", attempt)
    return True
