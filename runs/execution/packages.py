"""Python environments for runs that bring requirements: made once by `uv`, kept for the next, pruned."""

import fcntl
import hashlib
import json
import os
import re
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

import uv

from runs.errors import RunsError
from runs.execution import environment, host
from runs.execution.process import Command, Exit
from runs.models import Run

_READY = "ready"
# Lines that lead to other files make the code a part of what was asked for.
_LEADS_TO_FILES = re.compile(r"^\s*(-|\.|/|file:|.*@\s*file:)", re.MULTILINE)
_WAIT_SECONDS = 0.1


class CannotPrepare(RunsError):
    """The run's Python environment could not be made."""

    code = "cannot_prepare"


@contextmanager
def interpreter_for(
    run: Run,
    *,
    folder: Path,
    execute: Callable[[Command], tuple[Exit, str]],
    pause: Callable[[float], None],
    say: Callable[[str], None],
) -> Iterator[Path]:
    """Hold the interpreter that the run is to be started with: a path below which nothing is pruned meanwhile.

    `folder` is the run's unpacked code; `execute` runs a program and returns its end and
    last words; `pause` waits, and raises if the run is to stop. Raises CannotPrepare with
    the solver's words.
    """
    base = Path(run.interpreter_path) if run.interpreter_path else environment.own_interpreter()
    if not os.access(base, os.X_OK) or base.is_dir():
        raise CannotPrepare(f"There is no interpreter {base} on {host.name()}.")
    lines = _requirements(run, folder)
    if lines is None:
        yield base
        return
    target = host.environments_folder() / _key(run, lines, base)
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with _lock(target).open("w") as lock:
        if not (target / _READY).exists():
            _wait_for(lock, fcntl.LOCK_EX, pause)
            if not (target / _READY).exists():  # somebody else may have made it meanwhile
                _make(target, lines, base, folder, execute, say)
        _wait_for(lock, fcntl.LOCK_SH, pause)
        if not (target / _READY).exists():
            raise CannotPrepare("The Python environment was pruned while the run waited for it; submit it again.")
        os.utime(target / _READY)
        say(f"Python environment {target.name[:12]} is ready.")
        yield target / "bin" / "python"


def _requirements(run: Run, folder: Path) -> str | None:
    """Return the lines of the run's requirements, or None if it has none."""
    if not run.requirements:
        return None
    if not isinstance(run.requirements, str):
        return "\n".join(run.requirements) + "\n"
    path = (folder / run.requirements).resolve()
    if not path.is_relative_to(folder.resolve()) or not path.is_file():
        raise CannotPrepare(f"There is no {run.requirements} in the run's code.")
    return path.read_text(errors="replace")


def _key(run: Run, lines: str, base: Path) -> str:
    status = base.resolve().stat()
    code = run.snapshot.digest if run.snapshot and _LEADS_TO_FILES.search(lines) else ""
    named = [lines, str(base.absolute()), status.st_mtime_ns, status.st_size, code]
    return hashlib.sha256(json.dumps(named).encode()).hexdigest()[:32]


def _make(
    target: Path,
    lines: str,
    base: Path,
    folder: Path,
    execute: Callable[[Command], tuple[Exit, str]],
    say: Callable[[str], None],
) -> None:
    """Build the environment in place; only its last file says that it is whole."""
    say("Making a Python environment; see environment.txt.")
    shutil.rmtree(target, ignore_errors=True)
    variables = {
        **environment.passed(("UV_*", "PIP_*", "NETRC")),
        "UV_CACHE_DIR": str(target.parent / ".cache"),
        "UV_PYTHON_DOWNLOADS": "never",
        "UV_NO_PROGRESS": "1",
        "VIRTUAL_ENV": str(target),
    }
    # Closed networks name their index once, for pip.
    for ours, theirs in (("UV_DEFAULT_INDEX", "PIP_INDEX_URL"), ("UV_INDEX", "PIP_EXTRA_INDEX_URL")):
        if value := os.environ.get(theirs):
            variables.setdefault(ours, value)
    requirements = folder / run_file(target)
    requirements.write_text(lines)
    program = uv.find_uv_bin()
    started = time.monotonic()
    try:
        for argv in (
            [program, "venv", "--quiet", "--python", str(base), str(target)],
            [program, "pip", "install", "--requirement", str(requirements)],
        ):
            ended, words = execute(Command(argv, variables, str(folder)))
            if ended != Exit(0, None):
                shutil.rmtree(target, ignore_errors=True)
                raise CannotPrepare(words or f"uv ended with {ended.code if ended.signal is None else ended.signal}.")
    finally:
        requirements.unlink(missing_ok=True)
    (target / _READY).touch()
    say(f"Installed in {time.monotonic() - started:.1f} s.")


def run_file(target: Path) -> str:
    """Return the name of the draft of the requirements, which lies in the code so that relative lines hold."""
    return f".requirements-{target.name[:12]}.txt"


def _lock(target: Path) -> Path:
    return target.with_name(f"{target.name}.lock")


def _wait_for(lock: IO[str], kind: int, pause: Callable[[float], None]) -> None:
    while True:
        try:
            fcntl.flock(lock, kind | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            pause(_WAIT_SECONDS)


def prune(*, max_age_seconds: float, max_bytes: int, now: float) -> int:
    """Remove environments that were not used for so long, and the longest unused ones over so many bytes.

    Those that a run uses are left alone. Returns how many were removed.
    """
    root = host.environments_folder()
    found = []
    for target in root.glob("*/") if root.is_dir() else ():
        if not target.name.startswith("."):
            ready = target / _READY
            found.append((ready.stat().st_mtime if ready.exists() else 0.0, _size(target), target))
    found.sort(reverse=True)  # the latest used first
    total, removed = 0, 0
    for used_at, size, target in found:
        total += size
        if (now - used_at > max_age_seconds or total > max_bytes) and _remove(target):
            total -= size
            removed += 1
    return removed


def _size(folder: Path) -> int:
    total = 0
    for path in folder.rglob("*"):
        with suppress(OSError):
            total += path.lstat().st_size
    return total


def _remove(target: Path) -> bool:
    with _lock(target).open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        (target / _READY).unlink(missing_ok=True)  # first: half an environment must not look whole
        shutil.rmtree(target, ignore_errors=True)
    return True
