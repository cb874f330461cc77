"""A folder of a run as a zip: made while it is sent, in memory that does not grow with it."""

import time
import zipfile
from collections.abc import Iterator
from typing import IO

from django.http import Http404, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.utils.http import content_disposition_header
from django.views.decorators.http import require_GET

from runs import permissions, storage
from runs.models import Run
from runs.views import run_files
from runs.views.request import SignedInRequest

_CHUNK_BYTES = 256 * 1024


@require_GET
def run_zip(request: SignedInRequest, run_id: str) -> HttpResponseBase:
    """Send all files of the run, or those below `?folder=`."""
    run = permissions.get_run(request.user, run_id)

    folder = request.GET.get("folder", "")
    if folder:
        storage.check_path(folder, field="folder")
    files = [file for file in run_files.list_files(run) if not folder or file.path.startswith(f"{folder}/")]
    if folder and not files:
        raise Http404

    name = f"run-{run.number}{'-' + folder.replace('/', '-') if folder else ''}.zip"
    response = StreamingHttpResponse(_zipped(run, files), content_type="application/zip")
    response.headers["Content-Disposition"] = content_disposition_header(True, name) or ""
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response


class _Sink:
    """Takes what the zip writes until it is sent."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def write(self, data: bytes) -> int:
        """Keep `data`."""
        self._parts.append(bytes(data))
        return len(data)

    def flush(self) -> None:
        """Do nothing: it is sent by `take`."""

    def take(self) -> bytes:
        """Return what was written since the last time."""
        data = b"".join(self._parts)
        self._parts.clear()
        return data


def _zipped(run: Run, files: list[run_files.File]) -> Iterator[bytes]:
    sink = _Sink()
    now = time.localtime()[:6]
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:  # type: ignore[call-overload]
        for file in files:
            entry = zipfile.ZipInfo(file.path, date_time=now)
            entry.compress_type = zipfile.ZIP_DEFLATED
            with archive.open(entry, "w", force_zip64=True) as target:
                for chunk in _chunks(run, file):
                    target.write(chunk)
                    yield sink.take()
            yield sink.take()
    yield sink.take()


def _chunks(run: Run, file: run_files.File) -> Iterator[bytes]:
    """Yield the bytes of a file. One that was deleted meanwhile is empty: what was promised cannot be taken back."""
    if file.is_log:
        offset = 0
        while chunk := storage.read_log(run.pk, file.path, offset=offset, limit=_CHUNK_BYTES):
            offset += len(chunk)
            yield chunk
        return
    try:
        handle: IO[bytes] = storage.open_artifact(run.pk, file.path)
    except FileNotFoundError:
        return
    with handle:
        while chunk := handle.read(_CHUNK_BYTES):
            yield chunk
