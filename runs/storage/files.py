"""The folders of the local store, and writing a file so that it is there whole or not at all."""

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from django.conf import settings

from runs.errors import TooLarge
from runs.wording import say


@dataclass(frozen=True)
class Stored:
    """A stored file: its path within its run, its size, its SHA-256 (empty for a growing log), its last change."""

    path: str
    size_bytes: int
    digest: str
    modified_at: datetime


def run_folder(run_pk: int) -> Path:
    """Return the folder of the run whose row is `run_pk`; a thousand runs share a parent."""
    return Path(settings.STUDIO_HOME) / "data" / "runs" / f"{run_pk // 1000:06d}" / str(run_pk)


def snapshot_folder() -> Path:
    """Return the folder of all snapshots."""
    return Path(settings.STUDIO_HOME) / "data" / "snapshots"


def write_whole(target: Path, chunks: Iterable[bytes], *, limit_bytes: int) -> tuple[int, str]:
    """Write `chunks` to `target` in one step; return size and SHA-256. Two writers: the later whole one wins.

    Raises TooLarge past `limit_bytes`; nothing is left behind then, nor if `chunks` raises.
    """
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    size, digest = 0, hashlib.sha256()
    descriptor, draft = tempfile.mkstemp(dir=target.parent, prefix=".draft-")
    try:
        with os.fdopen(descriptor, "wb") as handle:
            for chunk in chunks:
                size += len(chunk)
                if size > limit_bytes:
                    raise TooLarge(
                        say("The file is larger than {limit_bytes} bytes.", limit_bytes=limit_bytes), field="file"
                    )
                digest.update(chunk)
                handle.write(chunk)
        os.replace(draft, target)
    except BaseException:
        os.unlink(draft)
        raise
    return size, digest.hexdigest()


def modified_at(path: Path) -> datetime:
    """Return when `path` was last written."""
    return datetime.fromtimestamp(path.stat().st_mtime, tz=UTC)


def delete_run(run_pk: int) -> None:
    """Delete all bytes of a run. Deleting them again does nothing."""
    shutil.rmtree(run_folder(run_pk), ignore_errors=True)
