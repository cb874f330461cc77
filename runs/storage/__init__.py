"""Where bytes live: logs, artifacts, snapshots. The only door to the disk for what runs leave.

Bytes go in and come out; no path leaves this room. On one machine the bytes are files
under STUDIO_HOME. A run's folder is named by its row's number, never by text that a
person chose. What a worker needs is also there over HTTP, for one that shares no disk
with the web server (STUDIO_STORAGE=http); everything else is the web server's own.
"""

import shutil
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import BinaryIO

from django.conf import settings

from runs.storage import artifacts, logs, remote, snapshots
from runs.storage.artifacts import append_part, delete_artifact, open_artifact
from runs.storage.files import Stored, delete_run
from runs.storage.link import AttemptOver, Unreachable
from runs.storage.logs import OffsetGap, attempt_path, list_logs, read_log
from runs.storage.paths import BadPath, check_path
from runs.storage.snapshots import delete_snapshot, has_snapshot, save_snapshot, snapshot_wanted_at, touch_snapshot
from runs.storage.uploads import (
    PartMissing,
    begin_upload,
    delete_upload,
    finish_upload,
    give_up_upload,
    is_finished,
    old_uploads,
    read_parts,
    save_part,
)

__all__ = [
    "AttemptOver",
    "BadPath",
    "OffsetGap",
    "PartMissing",
    "Stored",
    "Unreachable",
    "append_log",
    "append_part",
    "attempt_path",
    "begin_upload",
    "check_path",
    "delete_artifact",
    "delete_run",
    "delete_snapshot",
    "delete_upload",
    "finish_upload",
    "flush",
    "give_up_upload",
    "has_snapshot",
    "is_finished",
    "is_remote",
    "list_logs",
    "log_size",
    "old_uploads",
    "open_artifact",
    "open_snapshot",
    "read_input",
    "read_log",
    "read_parts",
    "save_artifact",
    "save_part",
    "save_snapshot",
    "sign_in",
    "sign_out",
    "snapshot_wanted_at",
    "touch_snapshot",
]


def is_remote() -> bool:
    """Return whether the bytes live with a web server elsewhere."""
    return settings.STUDIO_STORAGE == "http"


def append_log(run_pk: int, name: str, data: bytes, *, offset: int) -> int:
    """Write `data` at byte `offset` of the log `name`; return the log's size afterwards.

    Sent again, the same bytes at the same offset change nothing: what is already there is
    skipped, so a retry neither loses nor doubles. Raises OffsetGap if bytes are missing
    before `offset`. A log has one writer at a time, its attempt's supervisor.
    """
    return (remote if is_remote() else logs).append_log(run_pk, name, data, offset=offset)


def log_size(run_pk: int, name: str) -> int:
    """Return the size of the log `name` in bytes; 0 where there is none yet."""
    return (remote if is_remote() else logs).log_size(run_pk, name)


def save_artifact(run_pk: int, path: str, chunks: Iterable[bytes]) -> Stored:
    """Store `chunks` as the run's file `path`, replacing what was there.

    Raises BadPath or TooLarge; over HTTP also Unreachable and AttemptOver.
    """
    return (remote if is_remote() else artifacts).save_artifact(run_pk, path, chunks)


def open_snapshot(digest: str) -> BinaryIO:
    """Open the zip `digest` for reading. Raises FileNotFoundError; over HTTP also Unreachable."""
    return (remote if is_remote() else snapshots).open_snapshot(digest)


def read_input(run_pk: int, source_pk: int, path: str, *, into: BinaryIO) -> None:
    """Write the file `path` of the run `source_pk`, which is an input of the run `run_pk`, into `into`.

    Raises FileNotFoundError; over HTTP also Unreachable.
    """
    if is_remote():
        remote.read_input(run_pk, source_pk, path, into)
    else:
        with artifacts.open_artifact(source_pk, path) as handle:
            shutil.copyfileobj(handle, into)


def sign_in(run_pk: int, *, outbox: Path, make_secret: Callable[[], str]) -> None:
    """Let this process store bytes of the run's attempt; where they are files, there is nothing to do.

    Over HTTP `make_secret` is called once, and logs go through the folder `outbox`.
    """
    if is_remote():
        remote.sign_in(run_pk, outbox=outbox, make_secret=make_secret)


def sign_out(run_pk: int) -> None:
    """Forget what `sign_in` was told."""
    if is_remote():
        remote.sign_out(run_pk)


def flush(run_pk: int) -> None:
    """Return once every byte of the run's logs is where pages read it. Raises Unreachable."""
    if is_remote():
        remote.flush(run_pk)
