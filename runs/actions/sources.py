"""Source files as they come in: out of a zip or one by one, and checked before a byte is unpacked."""

import stat
import struct
import unicodedata
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import IO, BinaryIO

from django.conf import settings

from runs import storage
from runs.errors import InvalidInput
from runs.wording import say

_CHUNK_BYTES = 1 << 20
_ENCRYPTED = 0x1
_COMPRESSIONS = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}
# A zip that unpacks to more than this times its size is a bomb, once it unpacks to much at all.
_HIGHEST_RATIO = 100
_MUCH_BYTES = 10 * 2**20
# Members that are left out, such as those of `.git`, come on top of those that are kept.
_MEMBERS_PER_FILE = 10
_DIRECTORY_BYTES_PER_MEMBER = 512
_END_OF_DIRECTORY = b"PK\x05\x06"


class BadSnapshot(InvalidInput):
    """This cannot be a snapshot: expected a zip of source files."""

    code = "bad_snapshot"

    def __init__(self, message: str = "", *, field: str = "snapshot") -> None:
        super().__init__(message, field=field)


@dataclass(frozen=True)
class Source:
    """One source file: its path, its size as announced, whether it can be executed, and how to open it."""

    path: str
    size_bytes: int
    is_executable: bool
    open: Callable[[], AbstractContextManager[IO[bytes]]]

    def chunks(self, *, limit_bytes: int) -> Iterator[bytes]:
        """Yield its bytes. Raises BadSnapshot past `limit_bytes`, whatever size was announced."""
        with self.open() as handle:
            while chunk := handle.read(_CHUNK_BYTES):
                limit_bytes -= len(chunk)
                if limit_bytes < 0:
                    raise _too_large()
                yield chunk


@contextmanager
def of_zip(archive: BinaryIO) -> Iterator[list[Source]]:
    """Give the files of a zip, checked. Raises BadSnapshot, also for what shows only while they are read."""
    try:
        _check_directory(archive)
        with zipfile.ZipFile(archive) as opened:
            yield checked(_of_member(opened, info) for info in opened.infolist() if _is_file(info))
    except (zipfile.BadZipFile, zipfile.LargeZipFile, zlib.error, EOFError, NotImplementedError, ValueError) as error:
        raise BadSnapshot(say("The snapshot is no zip that can be read: {error}.", error=error)) from error


def of_files(files: Iterable[tuple[str, BinaryIO]]) -> list[Source]:
    """Return single files as sources, checked. Raises BadSnapshot."""
    return checked(_of_file(path, handle) for path, handle in files)


def checked(sources: Iterable[Source]) -> list[Source]:
    """Return `sources` if their paths can live side by side, else raise BadSnapshot."""
    seen: dict[str, str] = {}
    folders: dict[str, str] = {}
    kept = []
    for source in sources:
        try:
            storage.check_path(source.path, field="snapshot")
        except storage.BadPath as error:
            raise BadSnapshot(error.message) from error
        # On some file systems these are the same file.
        folded = _fold(source.path)
        if folded in seen:
            raise BadSnapshot(
                say(
                    "The snapshot has {first!r} and {path!r}, which some disks cannot tell apart.",
                    first=seen[folded],
                    path=source.path,
                )
            )
        seen[folded] = source.path
        parts = folded.split("/")
        for depth in range(1, len(parts)):
            folders.setdefault("/".join(parts[:depth]), source.path)
        kept.append(source)
    for clash in folders.keys() & seen.keys():
        raise BadSnapshot(say("The snapshot has {first!r} both as a file and as a folder.", first=seen[clash]))
    return kept


def check_amount(sources: list[Source], *, packed_bytes: int | None = None) -> None:
    """Raise BadSnapshot if these are no files, too many, too large, or a bomb by what they announce."""
    if not sources:
        raise BadSnapshot(say("The snapshot holds no files."))
    if len(sources) > settings.STUDIO_SNAPSHOT_FILES:
        raise _too_many()
    total = sum(source.size_bytes for source in sources)
    if total > settings.STUDIO_SNAPSHOT_BYTES:
        raise _too_large()
    if packed_bytes is not None and total > max(_MUCH_BYTES, _HIGHEST_RATIO * packed_bytes):
        raise BadSnapshot(say("The snapshot would unpack to more than {ratio} times its size.", ratio=_HIGHEST_RATIO))


def _check_directory(archive: BinaryIO) -> None:
    """Refuse a table of contents that is too long to be read into memory. Leaves bad zips to zipfile."""
    size = archive.seek(0, 2)
    archive.seek(max(0, size - 2**16 - 22))
    tail = archive.read()
    position = tail.rfind(_END_OF_DIRECTORY)
    archive.seek(0)
    if position < 0 or len(tail) < position + 22:
        return
    count, directory_bytes = struct.unpack_from("<HI", tail, position + 10)
    most = settings.STUDIO_SNAPSHOT_FILES * _MEMBERS_PER_FILE
    if directory_bytes > most * _DIRECTORY_BYTES_PER_MEMBER or (count == 0xFFFF and most < 0xFFFF):
        raise _too_many()


def _is_file(info: zipfile.ZipInfo) -> bool:
    """Return whether the member is a file, not a folder. Raises BadSnapshot if it is neither."""
    if info.flag_bits & _ENCRYPTED:
        raise BadSnapshot(say("{filename!r} is encrypted.", filename=info.filename[:100]))
    if "\x00" in info.orig_filename:
        raise BadSnapshot(say("{orig_filename!r} has a NUL in its name.", orig_filename=info.orig_filename[:100]))
    kind = stat.S_IFMT(info.external_attr >> 16)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise BadSnapshot(
            say("{filename!r} is a link or a device; only files and folders are taken.", filename=info.filename[:100])
        )
    if info.is_dir() or kind == stat.S_IFDIR:
        try:
            storage.check_path(info.filename.removesuffix("/"), field="snapshot")
        except storage.BadPath as error:
            raise BadSnapshot(error.message) from error
        return False
    if info.compress_type not in _COMPRESSIONS:
        raise BadSnapshot(say("{filename!r} is neither stored nor deflated.", filename=info.filename[:100]))
    return True


def _of_member(opened: zipfile.ZipFile, info: zipfile.ZipInfo) -> Source:
    return Source(info.filename, info.file_size, bool(info.external_attr >> 16 & 0o100), lambda: opened.open(info))


def _of_file(path: str, handle: BinaryIO) -> Source:
    def rewound() -> AbstractContextManager[IO[bytes]]:
        handle.seek(0)
        return nullcontext(handle)  # it belongs to the caller, who closes it

    return Source(path, handle.seek(0, 2), False, rewound)


def _fold(path: str) -> str:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", path).casefold())


def _too_many() -> BadSnapshot:
    return BadSnapshot(
        say(
            "The snapshot has more than {most:,} files: list what is not source code in .amlignore.",
            most=settings.STUDIO_SNAPSHOT_FILES,
        )
    )


def _too_large() -> BadSnapshot:
    megabytes = settings.STUDIO_SNAPSHOT_BYTES / 2**20
    return BadSnapshot(
        say(
            "The snapshot is larger than {megabytes:,.0f} MiB unpacked: list what is not source code in .amlignore.",
            megabytes=megabytes,
        )
    )
