"""Logs: files that grow by appending at a byte offset, and are read by byte offset."""

import os
from pathlib import Path

from runs.errors import RunsError
from runs.storage import files, paths


class OffsetGap(RunsError):
    """The log is shorter than this offset: bytes before it are missing."""

    code = "offset_gap"

    def __init__(self, message: str = "", *, size_bytes: int) -> None:
        super().__init__(message or f"The log has {size_bytes} bytes; append from there.", field="offset")
        self.size_bytes = size_bytes


def _root(run_pk: int) -> Path:
    return files.run_folder(run_pk) / "logs"


def append_log(run_pk: int, name: str, data: bytes, *, offset: int) -> int:
    """Write `data` at byte `offset` of the log `name`; return the log's size afterwards.

    Sent again, the same bytes at the same offset change nothing: what is already there is
    skipped, so a retry neither loses nor doubles. Raises OffsetGap if bytes are missing
    before `offset`. A log has one writer at a time, its attempt's supervisor.
    """
    return append(_root(run_pk), name, data, offset=offset)


def append(root: Path, name: str, data: bytes, *, offset: int) -> int:
    """Do what `append_log` says with the log `name` below `root`."""
    target = paths.join(root, name)
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    try:
        size = os.fstat(descriptor).st_size
        if offset > size:
            raise OffsetGap(size_bytes=size)
        rest = memoryview(data)[size - offset :]
        position = size
        while rest:
            written = os.pwrite(descriptor, rest, position)
            rest, position = rest[written:], position + written
        return position
    finally:
        os.close(descriptor)


def log_size(run_pk: int, name: str) -> int:
    """Return the size of the log `name` in bytes; 0 where there is none yet."""
    return size(_root(run_pk), name)


def size(root: Path, name: str) -> int:
    """Return the size of the log `name` below `root`; 0 where there is none yet."""
    try:
        return paths.join(root, name).stat().st_size
    except (FileNotFoundError, NotADirectoryError):
        return 0


def read_log(run_pk: int, name: str, *, offset: int, limit: int) -> bytes:
    """Return up to `limit` bytes of the log `name` from byte `offset`; b"" past its end. Raises FileNotFoundError."""
    descriptor = os.open(paths.join(_root(run_pk), name), os.O_RDONLY | os.O_NOFOLLOW)
    try:
        return os.pread(descriptor, limit, offset)
    finally:
        os.close(descriptor)


def list_logs(run_pk: int) -> list[files.Stored]:
    """Return the run's logs, sorted by name."""
    root = _root(run_pk)
    return [
        files.Stored(str(path.relative_to(root)), path.stat().st_size, "", files.modified_at(path))
        for path in sorted(root.rglob("*"))
        if path.is_file()
    ]


def attempt_path(attempt_number: int, path: str) -> str:
    """Return the name under which an attempt's log `path` is stored: those of a retry stand in a folder of its own."""
    return path if attempt_number <= 1 else f"retry_{attempt_number - 1:03d}/{path}"
