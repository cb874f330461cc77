"""The source folder as it is submitted: its zip."""

from __future__ import annotations

import itertools
import os
import tempfile
import zipfile
from pathlib import Path
from typing import BinaryIO

from studio_sdk import ignore_files
from studio_sdk.exceptions import SnapshotException, UserErrorException

SNAPSHOT_BYTES = 300 << 20
SNAPSHOT_FILES = 10_000
# One date for all makes equal folders equal zips.
_DATE = (1980, 1, 1, 0, 0, 0)


def pack(folder: Path, *, must_have: str = "") -> BinaryIO:
    """Return a zip of the folder without what its ignore files name.

    Raises UserErrorException if the folder or the script `must_have` is not there,
    SnapshotException if it is too much.
    """
    if not folder.is_dir():
        raise UserErrorException(f"There is no source directory {folder}.")
    # A home folder has millions of files: no more are looked for than may be.
    names = list(itertools.islice(ignore_files.kept_files(folder), SNAPSHOT_FILES + 1))
    if len(names) > SNAPSHOT_FILES:
        raise SnapshotException(
            f"{folder.absolute()} has more than {SNAPSHOT_FILES} files, and a snapshot may not. "
            "Name in .amlignore what is no source code."
        )
    if must_have and must_have not in names:
        why = "is ignored by .amlignore or .gitignore" if (folder / must_have).is_file() else "is not there"
        raise UserErrorException(f"The script {must_have} {why} in {folder.absolute()}.")
    size = sum((folder / name).stat().st_size for name in names)
    if size > SNAPSHOT_BYTES:
        largest = max(names, key=lambda name: (folder / name).stat().st_size)
        raise SnapshotException(
            f"{folder.absolute()} has {size >> 20} MiB, and a snapshot at most {SNAPSHOT_BYTES >> 20} MiB; its largest "
            f"file is {largest}. Name in .amlignore what is no source code."
        )
    stream = tempfile.SpooledTemporaryFile(max_size=32 << 20)  # noqa: SIM115 - it is what is returned
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED, compresslevel=4) as archive:
        for name in names:
            _add(archive, folder / name, name)
    stream.seek(0)
    return stream  # type: ignore[return-value]


def _add(archive: zipfile.ZipFile, file: Path, name: str) -> None:
    info = zipfile.ZipInfo(name, _DATE)
    info.compress_type = zipfile.ZIP_DEFLATED
    info.external_attr = (0o100755 if os.access(file, os.X_OK) else 0o100644) << 16
    with file.open("rb") as source, archive.open(info, "w") as target:
        while True:
            chunk = source.read(1 << 20)
            if not chunk:
                return
            target.write(chunk)
