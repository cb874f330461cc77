"""Snapshots: zips of source files, each stored once under the digest of its content."""

import os
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

from django.conf import settings

from runs.storage import files


def _path(digest: str) -> Path:
    if len(digest) != 64 or not set(digest) <= set("0123456789abcdef"):
        raise ValueError(f"not a SHA-256: {digest!r}")
    return files.snapshot_folder() / digest[:2] / f"{digest}.zip"


def has_snapshot(digest: str) -> bool:
    """Return whether the snapshot `digest` is stored."""
    return _path(digest).is_file()


def save_snapshot(digest: str, chunks: Iterable[bytes]) -> int:
    """Store a zip under `digest`, which the caller computed over its members; return its size in bytes."""
    size, _ = files.write_whole(_path(digest), chunks, limit_bytes=2 * settings.STUDIO_SNAPSHOT_BYTES)
    return size


def touch_snapshot(digest: str) -> bool:
    """Note that the snapshot `digest` is wanted now; return whether it is stored."""
    try:
        os.utime(_path(digest))
    except FileNotFoundError:
        return False
    return True


def snapshot_wanted_at(digest: str) -> datetime | None:
    """Return when the snapshot `digest` was last stored or touched; None if it is not stored."""
    return files.modified_at(_path(digest)) if has_snapshot(digest) else None


def delete_snapshot(digest: str) -> None:
    """Delete the snapshot `digest`. Deleting it again does nothing."""
    _path(digest).unlink(missing_ok=True)


def open_snapshot(digest: str) -> BinaryIO:
    """Open the zip `digest` for reading. Raises FileNotFoundError."""
    return _path(digest).open("rb")
