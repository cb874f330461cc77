"""What a run may use on this machine: its limits, in words when one ended it, and the user as whom it runs."""

import os
import pwd
import signal
from collections.abc import Mapping
from pathlib import Path

from runs.errors import RunsError
from runs.execution import usage
from runs.execution.process import Exit, User
from runs.models import ComputeTarget, Run

_NAMES = ("memory_bytes", "process_count", "cpu_seconds", "file_bytes")
# What programs say when the system refused them: the kernel's own words, and Python's.
_WORDS = {
    "memory_bytes": ("MemoryError", "Cannot allocate memory", "bad_alloc", "out of memory", "failed to map segment"),
    "process_count": ("Resource temporarily unavailable", "can't start new thread", "Cannot fork"),
    "file_bytes": ("File too large",),
}
_SIGNALS = {signal.SIGXCPU: "cpu_seconds", signal.SIGXFSZ: "file_bytes"}
_SENTENCES = {
    "memory_bytes": "perhaps it reached its limit of {:,} bytes of memory for a process",
    "process_count": "perhaps it reached its limit of {:,} processes",
    "cpu_seconds": "it used its limit of {:,} s of processor time",
    "file_bytes": "it reached its limit of {:,} bytes for a file",
}


_TOGETHER = {
    "memory_bytes": "Its processes together held {:,} bytes of memory, more than its limit of {:,}.",
    "cpu_seconds": "Its processes together used {:,} s of processor time, more than its limit of {:,} s.",
}


class NoSuchUser(RunsError):
    """The script cannot run as the user that its compute target names."""

    code = "no_such_user"


def limits_of(run: Run, target: ComputeTarget) -> dict[str, int | None]:
    """Return the limits of a run: of its own and those of its compute target the lower ones."""
    pairs = {name: (getattr(run, name), getattr(target, name)) for name in _NAMES}
    return {name: min((limit for limit in pair if limit is not None), default=None) for name, pair in pairs.items()}


class Together:
    """The limits of all processes of a run together, from now on: the kernel holds only each of them to its own."""

    def __init__(self, limits: Mapping[str, int | None]) -> None:
        self._memory_bytes, self._cpu_seconds = limits.get("memory_bytes"), limits.get("cpu_seconds")
        # What prepared the run is not the script's.
        self._before = usage.cpu_seconds(os.getpid()) if self._cpu_seconds else 0.0

    def exceeded(self) -> str:
        """Return which limit they are over, as a sentence, or nothing."""
        found = []
        if limit := self._cpu_seconds:
            found.append(("cpu_seconds", int(usage.cpu_seconds(os.getpid()) - self._before), limit))
        if limit := self._memory_bytes:
            found.append(("memory_bytes", usage.memory_bytes(os.getpid(), enough=limit), limit))
        return next((_TOGETHER[name].format(used, limit) for name, used, limit in found if used > limit), "")


def explain(ended: Exit, words: str, limits: Mapping[str, int | None]) -> str:
    """Return which limit a failure comes from, as part of a sentence, or nothing. `words` are the script's last."""
    reached = _SIGNALS.get(signal.Signals(ended.signal)) if ended.signal in list(signal.Signals) else None
    if reached is None:
        reached = next(
            (name for name, signs in _WORDS.items() if limits.get(name) and any(sign in words for sign in signs)), None
        )
    limit = limits.get(reached) if reached else None
    return _SENTENCES[reached].format(limit) if reached and limit else ""


def user_of(target: ComputeTarget) -> User | None:
    """Return the user as whom the target's scripts run here, or None for the worker's own. Raises NoSuchUser."""
    if not target.run_as:
        return None
    if os.geteuid() != 0:
        raise NoSuchUser(f"Only a worker of root's runs scripts as {target.run_as}.")
    try:
        entry = pwd.getpwnam(target.run_as)
    except KeyError:
        raise NoSuchUser(f"There is no user {target.run_as} on this machine.") from None
    if entry.pw_uid == 0:
        raise NoSuchUser("A compute target whose scripts run as root names no user at all.")
    groups = tuple(os.getgrouplist(entry.pw_name, entry.pw_gid))
    return User(entry.pw_name, entry.pw_uid, entry.pw_gid, groups, entry.pw_dir)


def hand_over(folder: Path, user: User) -> None:
    """Give `code` in an attempt's working `folder` to `user`, and let them through to it, to no more."""
    for passed in (folder.parent, folder):
        passed.chmod(passed.stat().st_mode | 0o011)
    code = folder / "code"
    for parent, folders, files in os.walk(code):
        for name in (*folders, *files):
            os.chown(Path(parent) / name, user.uid, user.gid, follow_symlinks=False)
    code.chmod(0o700)
    os.chown(code, user.uid, user.gid)
