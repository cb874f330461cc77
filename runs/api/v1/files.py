"""Bytes of a run: logs, artifacts, snapshot, patch."""

import tempfile

from django.conf import settings
from django.http import HttpRequest, HttpResponseBase
from django.utils import timezone
from ninja import Query, Router, Status

from runs import limits, shapes, storage
from runs.actions import git_patches, recording, snapshots
from runs.api import transfers
from runs.api.v1 import auth
from runs.api.v1.answers import REFUSALS, ArtifactOut, LogOut, Page, Refusal, RunOut
from runs.errors import Conflict, NotFound
from runs.models import Artifact
from runs.search import paging

router = Router(tags=["files"])

_ONE = "/runs/{run_id}"
_BYTES = {"content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}}
_SENT = {
    "responses": {
        200: {"description": "The file.", **_BYTES},
        206: {"description": "The range of it that was asked for.", **_BYTES},
    }
}
RECEIVED = {"requestBody": {"required": True, **_BYTES}}


class ArtifactExists(Conflict):
    """The run has a file of this name already."""

    code = "conflict"


@router.get(_ONE + "/logs", response={200: Page[LogOut], REFUSALS: Refusal})
def list_logs(request: HttpRequest, run_id: str) -> shapes.Document:
    """List the logs of a run with their sizes as they are now."""
    run = auth.caller(request).run(run_id)

    return {"items": [shapes.log_document(log) for log in storage.list_logs(run.pk)], "next": None}


@router.get(_ONE + "/logs/{path:name}", response={REFUSALS: Refusal}, openapi_extra=_SENT)
def read_log(
    request: HttpRequest,
    run_id: str,
    name: str,
    tail: int | None = Query(None, ge=1, le=1_000_000),
) -> HttpResponseBase:
    """Read a log: whole, a range of it (`Range: bytes=1000-`), or its last `tail` lines.

    The headers `Studio-Log-Offset` and `Studio-Log-Size` say what part it is, to go on from.
    """
    run = auth.caller(request).run(run_id)
    storage.check_path(name, field="name")
    try:
        storage.read_log(run.pk, name, offset=0, limit=0)
    except OSError:
        raise NotFound(f"The run {run_id} has no log {name!r}.", field="name") from None
    size = storage.log_size(run.pk, name)

    def read(offset: int, limit: int) -> bytes:
        return storage.read_log(run.pk, name, offset=offset, limit=limit)

    start = None if tail is None else transfers.tail_start(read, size=size, lines=tail)
    response = transfers.send(request, read, size=size, name=name, start=start)
    response.headers["Studio-Log-Size"] = str(size)
    if start is not None:
        response.headers["Studio-Log-Offset"] = str(start)
    return response


@router.get(_ONE + "/artifacts", response={200: Page[ArtifactOut], REFUSALS: Refusal})
def list_artifacts(
    request: HttpRequest, run_id: str, prefix: str = "", cursor: str = "", limit: int = 100
) -> shapes.Document:
    """List the stored files of a run by path; `prefix` finds those whose paths begin so."""
    run = auth.caller(request).run(run_id)
    queryset = Artifact.objects.filter(run=run)
    if prefix:
        queryset = queryset.filter(path__startswith=prefix)
    page = paging.paginate(queryset, order="path", cursor=cursor, limit=limit, orders={"path": "path"})

    return {"items": [shapes.artifact_document(item) for item in page.items], "next": page.next or None}


@router.get(_ONE + "/artifacts/{path:path}", response={REFUSALS: Refusal}, openapi_extra=_SENT)
def read_artifact(request: HttpRequest, run_id: str, path: str) -> HttpResponseBase:
    """Read a stored file, whole or a range of it."""
    run = auth.caller(request).run(run_id)
    storage.check_path(path)
    artifact = Artifact.objects.filter(run=run, path=path).first()
    if artifact is None:
        raise NotFound(f"The run {run_id} has no file {path!r}.", field="path")
    try:
        handle = storage.open_artifact(run.pk, path)
    except FileNotFoundError:
        raise NotFound(f"The bytes of {path!r} are gone.", field="path") from None

    return transfers.send_file(request, handle, name=path, etag=f'"{artifact.digest}"')


@router.put(_ONE + "/artifacts/{path:path}", response={201: ArtifactOut, REFUSALS: Refusal}, openapi_extra=RECEIVED)
def store_artifact(request: HttpRequest, run_id: str, path: str) -> Status:
    """Store the body as a file of the run, replacing one of this name unless `If-None-Match: *` forbids it."""
    run = auth.caller(request).run_to_change(run_id)
    storage.check_path(path)
    if request.headers.get("If-None-Match") == "*" and Artifact.objects.filter(run=run, path=path).exists():
        raise ArtifactExists(field="path")

    chunks = transfers.receive(request, limit=settings.STUDIO_ARTIFACT_BYTES)
    artifact = recording.save_artifact(run=run, path=path, chunks=chunks, at=timezone.now())

    return Status(201, shapes.artifact_document(artifact))


@router.get(_ONE + "/snapshot", response={REFUSALS: Refusal}, openapi_extra=_SENT)
def read_snapshot(request: HttpRequest, run_id: str) -> HttpResponseBase:
    """Read the source code of a run, as a zip."""
    run = auth.caller(request).run(run_id)
    if run.snapshot is None:
        raise NotFound(f"The run {run_id} has no snapshot.", field="run_id")
    handle = storage.open_snapshot(run.snapshot.digest)

    return transfers.send_file(request, handle, name=f"{run.run_id}.zip", etag=f'"{run.snapshot.digest}"')


@router.put(_ONE + "/snapshot", response={201: RunOut, REFUSALS: Refusal}, openapi_extra=RECEIVED)
def store_snapshot(request: HttpRequest, run_id: str) -> Status:
    """Give an interactive run that has none its source code: a zip, checked as that of a submitted script."""
    run = auth.caller(request).run_to_change(run_id)

    with tempfile.TemporaryFile() as draft:
        for chunk in transfers.receive(request, limit=2 * settings.STUDIO_SNAPSHOT_BYTES, field="snapshot"):
            draft.write(chunk)
        snapshot = snapshots.store_zip(workspace=run.workspace, source=draft, at=timezone.now())
    recording.attach_snapshot(run=run, snapshot=snapshot)

    return Status(201, shapes.run_document(run))


@router.get(_ONE + "/git-patch", response={REFUSALS: Refusal}, openapi_extra=_SENT)
def read_git_patch(request: HttpRequest, run_id: str) -> HttpResponseBase:
    """Read what was changed in the run's code since its commit, as `git apply` takes it."""
    run = auth.caller(request).run(run_id)
    patch = git_patches.of(run)
    if not patch:
        raise NotFound(f"The run {run_id} has no patch.", field="run_id")

    def read(offset: int, limit: int) -> bytes:
        return patch[offset : offset + limit]

    return transfers.send(request, read, size=len(patch), name=f"{run.run_id}.patch")


@router.put(_ONE + "/git-patch", response={204: None, REFUSALS: Refusal}, openapi_extra=RECEIVED)
def store_git_patch(request: HttpRequest, run_id: str) -> Status:
    """Keep the body as what was changed in the run's code since its commit. It is set once."""
    run = auth.caller(request).run_to_change(run_id)

    chunks = transfers.receive(request, limit=limits.GIT_PATCH_BYTES, field="git_patch")
    git_patches.keep(run=run, data=b"".join(chunks))

    return Status(204, None)
