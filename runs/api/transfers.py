"""Bytes over HTTP: ranges and tails out, streams in. What users stored never runs in a browser."""

import contextlib
import os
import re
from collections.abc import Callable, Iterator
from typing import BinaryIO
from urllib.parse import quote

from django.http import HttpRequest, HttpResponseBase, StreamingHttpResponse

from runs.errors import InvalidInput, RunsError, TooLarge

_CHUNK_BYTES = 1 << 18
_TAIL_BLOCK_BYTES = 1 << 16
# A tail stops here, whatever number of lines was asked for.
_TAIL_BYTES = 1 << 23
_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")
# Shown by browsers at most as what they are; everything else is only bytes.
_TYPES = {
    "png": "image/png",
    "jpg": "image/jpeg",
    "jpeg": "image/jpeg",
    "gif": "image/gif",
    "webp": "image/webp",
    "json": "application/json",
    "csv": "text/csv; charset=utf-8",
    "txt": "text/plain; charset=utf-8",
    "log": "text/plain; charset=utf-8",
    "zip": "application/zip",
}

# Return up to `limit` bytes from `offset`.
Reader = Callable[[int, int], bytes]


class LengthRequired(RunsError):
    """The request does not say how long its body is: send a Content-Length."""

    code = "length_required"


class RangeNotSatisfiable(RunsError):
    """The file has no such range."""

    code = "range_not_satisfiable"

    def __init__(self, *, size_bytes: int) -> None:
        super().__init__(f"The file has {size_bytes} bytes.", field="Range")
        self.size_bytes = size_bytes


class _Window:
    """The bytes from `start` to `stop`, in chunks; closing it lets the file go, read or not."""

    def __init__(self, read: Reader, start: int, stop: int, close: Callable[[], None]) -> None:
        self._read, self._start, self._stop, self.close = read, start, stop, close

    def __iter__(self) -> Iterator[bytes]:
        position = self._start
        try:
            while position < self._stop:
                chunk = self._read(position, min(_CHUNK_BYTES, self._stop - position))
                if not chunk:
                    raise OSError("the file became shorter while it was sent")
                position += len(chunk)
                yield chunk
        finally:
            self.close()


def send(
    request: HttpRequest,
    read: Reader,
    *,
    size: int,
    name: str,
    etag: str = "",
    start: int | None = None,
    close: Callable[[], None] = lambda: None,
) -> HttpResponseBase:
    """Answer with the file `name` of `size` bytes: whole, from `start` on, or the range that was asked for."""
    try:
        part = _range(request, size, etag) if start is None else None
    except RangeNotSatisfiable:
        close()
        raise
    first, stop = part or (start or 0, size)
    response = StreamingHttpResponse(_Window(read, first, stop, close), status=206 if part else 200)
    last = name.rpartition("/")[2]
    response.headers["Content-Type"] = _TYPES.get(last.rpartition(".")[2].lower(), "application/octet-stream")
    response.headers["Content-Length"] = str(stop - first)
    response.headers["Accept-Ranges"] = "bytes"
    # Quoted as RFC 6266 says; the plain form is for clients that know no other.
    plain = re.sub(r"[^\w.-]", "_", last, flags=re.ASCII)
    response.headers["Content-Disposition"] = (
        f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(last, safe='')}"
    )
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Content-Security-Policy"] = "default-src 'none'; sandbox"
    response.headers["Cache-Control"] = "private, no-cache"
    if part:
        response.headers["Content-Range"] = f"bytes {first}-{stop - 1}/{size}"
    if etag:
        response.headers["ETag"] = etag
    return response


def send_file(request: HttpRequest, handle: BinaryIO, *, name: str, etag: str) -> HttpResponseBase:
    """Answer with an open file, and close it in any case."""
    with contextlib.ExitStack() as stack:
        stack.callback(handle.close)
        descriptor = handle.fileno()
        response = send(
            request,
            lambda offset, limit: os.pread(descriptor, limit, offset),
            size=os.fstat(descriptor).st_size,
            name=name,
            etag=etag,
            close=handle.close,
        )
        stack.pop_all()
    return response


def tail_start(read: Reader, *, size: int, lines: int) -> int:
    """Return where the last `lines` lines of a file begin, reading backward and no more than a few megabytes."""
    position, wanted = size, lines
    is_end = True
    while position > 0 and size - position < _TAIL_BYTES:
        begin = max(0, position - _TAIL_BLOCK_BYTES)
        block = read(begin, position - begin)
        if is_end and block.endswith(b"\n"):
            wanted += 1  # the end of the last line begins no other
        is_end = False
        at = len(block)
        while (at := block.rfind(b"\n", 0, at)) >= 0:
            wanted -= 1
            if wanted == 0:
                return begin + at + 1
        position = begin
    return position


def receive(request: HttpRequest, *, limit: int, field: str = "file") -> Iterator[bytes]:
    """Yield the body of a request in chunks, never whole.

    Raises LengthRequired, TooLarge, or InvalidInput if it breaks off.
    """
    announced = request.META.get("CONTENT_LENGTH")
    if not announced:
        raise LengthRequired
    if int(announced) > limit:
        raise TooLarge(f"The file is larger than {limit:,} bytes.", field=field)
    left = int(announced)
    while left > 0:
        chunk = request.read(min(_CHUNK_BYTES, left))
        if not chunk:
            raise InvalidInput("The body broke off before its end.", field=field)
        left -= len(chunk)
        yield chunk


def _range(request: HttpRequest, size: int, etag: str) -> tuple[int, int] | None:
    """Return where the one range that is asked for starts and stops; None without one, or for another version.

    What does not read as one range is passed over, as RFC 9110 allows. Raises RangeNotSatisfiable.
    """
    match = _RANGE.fullmatch(request.headers.get("Range", "").replace(" ", ""))
    if match is None or match.groups() == ("", "") or request.headers.get("If-Range", etag) != etag:
        return None
    first, last = match.groups()
    if first and last and int(last) < int(first):
        return None
    start = int(first) if first else size - min(int(last), size)
    if start >= size:
        raise RangeNotSatisfiable(size_bytes=size)
    return start, min(int(last) + 1, size) if first and last else size
