"""Processes and files that attempts left on this machine, and their end (the janitor)."""

import logging
import shutil
import signal
import time
from contextlib import suppress

from django.db import InterfaceError, OperationalError

from runs import storage
from runs.execution import finish, host, kernel, outcome
from runs.models import Attempt
from runs.status import CLAIMED

logger = logging.getLogger(__name__)

_KILL_SECONDS = 5.0


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
            with suppress(OperationalError, InterfaceError, storage.Unreachable):  # the next round tries again
                finish.finish(attempt, ended, persist=lambda tell: tell())
                count += 1
        else:
            outcome.forget(attempt_id)
    return count


def _remove_folders() -> int:
    """Remove the working folders of attempts that are over."""
    root = host.work_root()
    present = {path.name: path for path in root.iterdir()} if root.is_dir() else {}
    if not present:
        return 0
    live = {host.work_folder(attempt).name for attempt in _live()}
    removed = 0
    for name, path in present.items():
        if name not in live and not _is_known_to_live(name):
            shutil.rmtree(path, ignore_errors=True)
            removed += 1
    return removed


def _is_known_to_live(name: str) -> bool:
    """Return whether the folder belongs to an attempt that went on living after this round's first look."""
    run, _, number = name.partition(".")
    if not (run.isdigit() and number.isdigit()):
        return False
    return Attempt.objects.live().filter(run_id=run, number=number).exists()
