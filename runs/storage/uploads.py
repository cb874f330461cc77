"""Files that come in parts, in any order: each part lies by itself until the file is put together."""

import contextlib
import hashlib
import re
import shutil
import uuid
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path

from django.conf import settings

from runs.errors import InvalidInput, NotFound
from runs.storage import files, paths
from runs.wording import say

_CHUNK_BYTES = 1 << 20
_ID = re.compile(r"[0-9a-f]{32}")
_DONE = "done"


class NoSuchUpload(NotFound):
    """No upload of this file has this id; one that is given up, or lies for days, is forgotten."""

    code = "no_such_upload"


class PartMissing(InvalidInput):
    """A part of the file is not stored, or not as it was sent."""

    code = "part_missing"

    def __init__(self, number: int) -> None:
        super().__init__(say("Part {number} is not stored, or not as it was sent.", number=number), field="parts")


def begin_upload(run_pk: int, path: str) -> str:
    """Return the id under which parts of the run's file `path` may be stored from now on."""
    upload = uuid.uuid4().hex
    _folder(run_pk, path, upload).mkdir(parents=True, mode=0o700)
    return upload


def save_part(run_pk: int, path: str, upload: str, number: int, chunks: Iterable[bytes]) -> str:
    """Store a part, replacing an earlier one of this number; return its SHA-256. Raises NoSuchUpload or TooLarge."""
    folder = _begun(run_pk, path, upload)
    _, digest = files.write_whole(folder / str(number), chunks, limit_bytes=settings.STUDIO_ARTIFACT_BYTES)
    return digest


def read_parts(run_pk: int, path: str, upload: str, parts: Iterable[tuple[int, str]]) -> Iterator[bytes]:
    """Yield the bytes of `parts`, each a number and a SHA-256, one after the other.

    Raises NoSuchUpload, and PartMissing once a part is not what was said.
    """
    folder = _begun(run_pk, path, upload)
    for number, expected in parts:
        digest = hashlib.sha256()
        try:
            with (folder / str(number)).open("rb") as handle:
                while chunk := handle.read(_CHUNK_BYTES):
                    digest.update(chunk)
                    yield chunk
        except FileNotFoundError:
            raise PartMissing(number) from None
        if digest.hexdigest() != expected:
            raise PartMissing(number)


def finish_upload(run_pk: int, path: str, upload: str) -> None:
    """Note that the file is there whole, and let go of its parts."""
    folder = _begun(run_pk, path, upload)
    (folder / _DONE).touch()
    for part in folder.iterdir():
        if part.name != _DONE:
            part.unlink(missing_ok=True)


def is_finished(run_pk: int, path: str, upload: str) -> bool:
    """Return whether the file was put together. Raises NoSuchUpload."""
    return (_begun(run_pk, path, upload) / _DONE).exists()


def give_up_upload(run_pk: int, path: str, upload: str) -> None:
    """Let go of all parts. Giving it up again does nothing."""
    with contextlib.suppress(NoSuchUpload):
        shutil.rmtree(_begun(run_pk, path, upload), ignore_errors=True)


def old_uploads(*, before: datetime) -> list[str]:
    """Return the names of the uploads to which nothing came since `before`, for `delete_upload`."""
    return [folder.name for folder in _root().glob("*") if files.modified_at(folder) < before]


def delete_upload(name: str) -> bool:
    """Let go of all that lies under this name; return whether it is gone."""
    folder = paths.join(_root(), name)
    shutil.rmtree(folder, ignore_errors=True)
    return not folder.exists()


def _root() -> Path:
    return Path(settings.STUDIO_HOME) / "data" / "uploads"


def _folder(run_pk: int, path: str, upload: str) -> Path:
    # Named after all three, so that an id opens the parts of no other file.
    return _root() / hashlib.sha256(f"{run_pk}:{upload}:{path}".encode()).hexdigest()


def _begun(run_pk: int, path: str, upload: str) -> Path:
    folder = _folder(run_pk, path, upload)
    if not _ID.fullmatch(upload) or not folder.is_dir():
        raise NoSuchUpload(field="upload_id")
    return folder
