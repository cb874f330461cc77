"""Artifacts: files that are stored whole."""

import hashlib
import os
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO

from django.conf import settings

from runs.errors import TooLarge
from runs.storage import files, logs, paths
from runs.wording import say


def _root(run_pk: int) -> Path:
    return files.run_folder(run_pk) / "artifacts"


def save_artifact(run_pk: int, path: str, chunks: Iterable[bytes]) -> files.Stored:
    """Store `chunks` as the run's file `path`, replacing what was there. Raises BadPath or TooLarge."""
    target = paths.join(_root(run_pk), path)
    try:
        size, digest = files.write_whole(target, chunks, limit_bytes=settings.STUDIO_ARTIFACT_BYTES)
    except (NotADirectoryError, FileExistsError, IsADirectoryError) as error:
        raise paths.BadPath(
            say("{path!r} is in the way of another file of this run.", path=path), field="path"
        ) from error
    return files.Stored(path, size, digest, files.modified_at(target))


def open_artifact(run_pk: int, path: str) -> BinaryIO:
    """Open the run's file `path` for reading. Raises BadPath or FileNotFoundError."""
    target = paths.join(_root(run_pk), path)
    if not target.is_file():
        raise FileNotFoundError(path)
    return target.open("rb")


def delete_artifact(run_pk: int, path: str) -> None:
    """Delete the run's file `path`. Deleting it again does nothing."""
    paths.join(_root(run_pk), path).unlink(missing_ok=True)


def append_part(run_pk: int, path: str, data: bytes, *, writer: str, offset: int, is_last: bool = False) -> int:
    """Write a part of the file `path` at byte `offset` of a draft; return the draft's size.

    `writer` names who sends it: each has drafts of its own. A part at 0 begins anew; else
    it is as `append_log` says. The file appears, whole, with the part that `is_last`;
    that one may be sent again too. Raises BadPath, OffsetGap or TooLarge.
    """
    target = paths.join(_root(run_pk), path)
    size = offset + len(data)
    if size > settings.STUDIO_ARTIFACT_BYTES:
        raise TooLarge(
            say("The file is larger than {most:,} bytes.", most=settings.STUDIO_ARTIFACT_BYTES), field="file"
        )
    root, name = files.run_folder(run_pk) / "drafts", hashlib.sha256(f"{writer}:{path}".encode()).hexdigest()
    draft = root / name
    if offset == 0:
        draft.unlink(missing_ok=True)
    elif is_last and not draft.exists() and _ends_with(target, data, size):
        return size
    appended = logs.append(root, name, data, offset=offset)
    if is_last:
        try:
            target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            os.replace(draft, target)
        except (NotADirectoryError, FileExistsError, IsADirectoryError) as error:
            draft.unlink()
            raise paths.BadPath(
                say("{path!r} is in the way of another file of this run.", path=path), field="path"
            ) from error
    return appended


def _ends_with(target: Path, data: bytes, size: int) -> bool:
    """Return whether the file has this size and this end."""
    if not target.is_file() or target.stat().st_size != size:
        return False
    with target.open("rb") as handle:
        handle.seek(size - len(data))
        return handle.read() == data
