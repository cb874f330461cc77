"""What a script left under `outputs/`, taken over as artifacts once all its processes are dead."""

import os
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from stat import S_ISREG

from django.db import DataError

from runs import limits, storage
from runs.actions import recording
from runs.errors import RunsError
from runs.models import Run

_BLOCK_BYTES = 2**20


def collect(*, run: Run, folder: Path, at: datetime, say: Callable[[str], None]) -> int:
    """Store each regular file below `folder` as `outputs/...`; return how many. Collecting again changes nothing.

    What cannot be taken is said and left out: links that lead out of the folder, devices,
    pipes, names that no path may have, files over the limits. Raises storage.Unreachable.
    """
    count = 0
    root = folder.resolve()
    if not root.is_relative_to(folder.parent.resolve()):
        say("Left out outputs: it is a link that leads out of the run's folder.")
        return 0
    for path in _files(folder):
        name = f"outputs/{path.relative_to(folder)}"
        if count >= limits.ARTIFACTS_PER_RUN:
            say(f"Left out {name} and what follows: a run keeps {limits.ARTIFACTS_PER_RUN} files at most.")
            break
        refusal = _store(run, path, root, name, at)
        if refusal:
            say(f"Left out {name!r}: {refusal}")
        else:
            count += 1
    return count


def is_empty(folder: Path) -> bool:
    """Return whether there is nothing to collect in `folder`."""
    return next(_files(folder), None) is None


def _files(folder: Path) -> Iterator[Path]:
    for parent, folders, names in os.walk(folder):
        folders.sort()
        linked = [name for name in folders if (Path(parent) / name).is_symlink()]
        yield from (Path(parent) / name for name in sorted([*names, *linked]))


def _store(run: Run, path: Path, root: Path, name: str, at: datetime) -> str:
    """Store one file; return why not, or nothing."""
    try:
        target = path.resolve(strict=True)
        if not target.is_relative_to(root):
            return "it is a link that leads out of the folder."
        descriptor = os.open(target, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        try:
            if not S_ISREG(os.fstat(descriptor).st_mode):
                return "it is not a file."
            recording.save_artifact(run=run, path=name, chunks=_blocks(descriptor), at=at)
        finally:
            os.close(descriptor)
    except storage.Unreachable:
        raise  # no fault of the file
    except (OSError, RunsError, UnicodeEncodeError, DataError) as error:
        return str(error)
    return ""


def _blocks(descriptor: int) -> Iterator[bytes]:
    while block := os.read(descriptor, _BLOCK_BYTES):
        yield block
