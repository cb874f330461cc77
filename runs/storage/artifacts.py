"""Artifacts: files that are stored whole."""

from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO

from django.conf import settings

from runs.storage import files, paths


def _root(run_pk: int) -> Path:
    return files.run_folder(run_pk) / "artifacts"


def save_artifact(run_pk: int, path: str, chunks: Iterable[bytes]) -> files.Stored:
    """Store `chunks` as the run's file `path`, replacing what was there. Raises BadPath or TooLarge."""
    target = paths.join(_root(run_pk), path)
    try:
        size, digest = files.write_whole(target, chunks, limit_bytes=settings.STUDIO_ARTIFACT_BYTES)
    except (NotADirectoryError, FileExistsError, IsADirectoryError) as error:
        raise paths.BadPath(f"{path!r} is in the way of another file of this run.", field="path") from error
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
