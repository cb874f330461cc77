"""Large files in parts, where the client asks for it; and the address at which it may fetch one in parts.

MLflow's own server leads its clients to a cloud's store for both, with an address that is
signed. Here parts come to this server, with the sign-in that the client came with: what
it may no longer do is refused for the next part.
"""

import re
from typing import Any
from urllib.parse import quote

from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from runs import storage
from runs.actions import recording
from runs.api.mlflow import artifacts, errors
from runs.api.mlflow.calls import Call, document
from runs.models import Run

Answer = dict[str, Any]

# As many as the stores have that MLflow's clients upload to.
_PARTS = 10_000


def create(call: Call, path: str) -> HttpResponse:
    """Begin an upload into the folder `path`; the answer says where each part goes."""
    run, inside, name = _target(call, path)
    count = call.fields.integer("num_parts", default=1) or 0
    if not 1 <= count <= _PARTS:
        raise errors.wrong("num_parts", count, f"It must be between 1 and {_PARTS:,}.")

    upload = storage.begin_upload(run.pk, inside)

    address = _beside(call.request, "/mpu/create/", f"/mpu/part/{path.strip('/')}/{name}")
    credentials = [
        {
            "url": f"{address}?upload_id={upload}&part_number={number}",
            "part_number": number,
            "headers": _sign_in(call.request),
        }
        for number in range(1, count + 1)
    ]
    return _private({"upload_id": upload, "credentials": credentials})


def store_part(call: Call, path: str) -> HttpResponse:
    """Store the body as a part of the file `path`. The answer's ETag is what `complete` is to be told."""
    run, inside = artifacts.resolve(call, path)
    call.check_can_write(run)
    query = call.request.GET
    number = query.get("part_number", "")
    if not (re.fullmatch(r"[0-9]{1,5}", number) and 1 <= int(number) <= _PARTS):
        raise errors.wrong("part_number", number, f"It must be between 1 and {_PARTS:,}.")

    body = artifacts.body(call.request)
    digest = storage.save_part(run.pk, inside, query.get("upload_id", ""), int(number), body)

    return HttpResponse(b"", headers={"ETag": f'"{digest}"'})


def complete(call: Call, path: str) -> Answer:
    """Put the parts together to the file, which appears whole. Asked again, it answers the same."""
    run, inside, _ = _target(call, path)
    upload = call.fields.text("upload_id", required=True)
    parts = [
        (part.integer("part_number") or 0, part.text("etag", required=True).strip('"'))
        for part in call.fields.items("parts")
    ]
    numbers = [number for number, _ in parts]
    if not parts or numbers != sorted(set(numbers)):
        raise errors.wrong("parts", numbers, "Expected each part once, in the order of the file.")
    if storage.is_finished(run.pk, inside, upload):
        return {}

    chunks = storage.read_parts(run.pk, inside, upload, parts)
    try:
        recording.save_artifact(run=run, path=inside, chunks=chunks, at=timezone.now())
    except storage.PartMissing:
        # Of two that ask at once, the first lets go of the parts that the second still reads.
        if storage.is_finished(run.pk, inside, upload):
            return {}
        raise
    storage.finish_upload(run.pk, inside, upload)

    return {}


def abort(call: Call, path: str) -> Answer:
    """Give an upload up. Giving up again changes nothing."""
    run, inside, _ = _target(call, path)

    storage.give_up_upload(run.pk, inside, call.fields.text("upload_id", required=True))

    return {}


def presigned(call: Call, path: str) -> HttpResponse:
    """Say where the file `path` is read, in ranges if the client likes, and how large it is."""
    artifact = artifacts.find(*artifacts.resolve(call, path), shown=path)

    address = _beside(call.request, "/presigned/", f"/artifacts/{path.strip('/')}")
    return _private({"url": address, "headers": _sign_in(call.request), "file_size": artifact.size_bytes})


def _target(call: Call, path: str) -> tuple[Run, str, str]:
    """Return the run, which the caller may change, the path of the file within it, and the file's name.

    The client says where the file lies on its own disk; the last part of that is its name.
    """
    given = call.fields.text("path", required=True)
    name = given.replace("\\", "/").rpartition("/")[2]
    if not name:
        raise errors.wrong("path", given, "Expected the path of a file.")
    run, inside = artifacts.resolve(call, f"{path.strip('/')}/{name}")
    call.check_can_write(run)
    return run, inside, name


def _beside(request: HttpRequest, call: str, other: str) -> str:
    """Return the address of `other`, at the door and in the workspace in which `call` was asked."""
    start, _, _ = request.path.partition(call)
    return request.build_absolute_uri(quote(start + other))


def _sign_in(request: HttpRequest) -> dict[str, str]:
    return {"Authorization": request.headers["Authorization"]}


def _private(content: Answer) -> HttpResponse:
    answer = document(content)
    answer.headers["Cache-Control"] = "no-store"
    return answer
