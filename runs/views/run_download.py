"""One file of a run as bytes: streamed, in ranges, and never in a form that a browser would run."""

import re
from collections.abc import Iterator

from django.http import Http404, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.utils.http import content_disposition_header
from django.views.decorators.http import require_safe

from runs import permissions, storage
from runs.models import Run
from runs.views import run_files
from runs.views.request import SignedInRequest

_CHUNK_BYTES = 256 * 1024
_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")
# An image element shows an attachment too; as a page of its own it is only saved.
_POLICY = "default-src 'none'; sandbox; frame-ancestors 'none'"


@require_safe
def run_download(request: SignedInRequest, run_id: str) -> HttpResponseBase:
    """Send the file that `?path=` names, or the range of it that is asked for."""
    run = permissions.get_run(request.user, run_id)
    file = run_files.find(run, request.GET.get("path", ""))
    if file is None:
        raise Http404

    size = file.size_bytes
    start, end = _range(request.headers.get("Range", ""), size)
    is_range = (start, end) != (0, size)
    if start >= end and size and is_range:
        return HttpResponse(status=416, headers={"Content-Range": f"bytes */{size}"})

    try:
        beginning = _read(run, file, 0, min(size, 16))
    except FileNotFoundError as error:
        raise Http404 from error
    response = StreamingHttpResponse(
        _chunks(run, file, start, end),
        status=206 if is_range else 200,
        content_type=run_files.picture_type(file.path, beginning)
        or ("text/plain; charset=utf-8" if file.is_log else "application/octet-stream"),
    )
    response.headers["Content-Length"] = str(end - start)
    response.headers["Accept-Ranges"] = "bytes"
    response.headers["Content-Disposition"] = content_disposition_header(True, file.path.rsplit("/", 1)[-1]) or ""
    response.headers["Content-Security-Policy"] = _POLICY
    response.headers["X-Content-Type-Options"] = "nosniff"
    if is_range:
        response.headers["Content-Range"] = f"bytes {start}-{end - 1}/{size}"
    return response


def _range(header: str, size: int) -> tuple[int, int]:
    """Return the bytes from and to (exclusive) that one range asks for; the whole file for any other header."""
    match = _RANGE.fullmatch(header)
    if not match or match[1] == match[2] == "":
        return 0, size
    if match[1] == "":
        return max(0, size - int(match[2])), size
    end = min(size, int(match[2]) + 1) if match[2] else size
    return int(match[1]), end


def _chunks(run: Run, file: run_files.File, start: int, end: int) -> Iterator[bytes]:
    while start < end:
        chunk = _read(run, file, start, min(_CHUNK_BYTES, end - start))
        if not chunk:
            return
        start += len(chunk)
        yield chunk


def _read(run: Run, file: run_files.File, offset: int, limit: int) -> bytes:
    if file.is_log:
        return storage.read_log(run.pk, file.path, offset=offset, limit=limit)
    with storage.open_artifact(run.pk, file.path) as handle:
        handle.seek(offset)
        return handle.read(limit)
