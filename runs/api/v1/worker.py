"""For workers that share no disk with this server: the bytes of one live attempt. Not for users, so not in the docs.

The token is the attempt's own, made by its worker in the database. It opens these
addresses and no others; a script's token does not open them.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest, HttpResponseBase, JsonResponse
from django.utils import timezone
from ninja import Query, Router
from ninja.security import HttpBearer

from runs import log_context, storage
from runs.actions import tokens
from runs.api import transfers
from runs.errors import NotFound
from runs.models import Artifact, Run, StepRun
from runs.pipelines import data

# What a request may carry is held in memory.
_PART_BYTES = 4 * 2**20
_LOG_FOLDERS = ("user_logs/", "system_logs/", "logs/")


@dataclass(frozen=True)
class Writer:
    """The attempt in whose name a request comes."""

    run: Run
    attempt_number: int

    @property
    def name(self) -> str:
        """Return what tells its drafts from those of other attempts."""
        return f"attempt {self.attempt_number}"

    def check_log(self, name: str) -> None:
        """Raise BadPath unless `name` is that of a log of this attempt."""
        storage.check_path(name, field="name")
        own = tuple(storage.attempt_path(self.attempt_number, folder) for folder in _LOG_FOLDERS)
        if not name.startswith(own):
            raise storage.BadPath(f"{name!r} is no log of attempt {self.attempt_number}.", field="name")


class WorkerBearer(HttpBearer):
    """Checks `Authorization: Bearer stw_...`."""

    def authenticate(self, request: HttpRequest, token: str) -> Writer | None:
        """Return the attempt, or None for a token that is not good. Raises StaleAttempt for one that has ended."""
        found = tokens.authenticate_worker(token.strip(), at=timezone.now())
        if found is None or found.run is None or found.attempt_number is None:
            return None
        log_context.add(run_id=found.run.run_id, attempt=found.attempt_number)
        return Writer(found.run, found.attempt_number)


router = Router(auth=WorkerBearer())


def _writer(request: HttpRequest) -> Writer:
    who = request.auth  # type: ignore[attr-defined]  # set by ninja from what WorkerBearer returned
    assert isinstance(who, Writer)  # noqa: S101
    return who


@router.post("/worker/logs/{path:name}", include_in_schema=False)
def append_log(request: HttpRequest, name: str, offset: int = Query(ge=0)) -> Any:
    """Append the body to a log at `offset`; answer with the log's size."""
    writer = _writer(request)
    writer.check_log(name)
    body = _body(request)

    return _sized(lambda: storage.append_log(writer.run.pk, name, body, offset=offset))


@router.post("/worker/artifacts/{path:path}", include_in_schema=False)
def append_artifact(request: HttpRequest, path: str, offset: int = Query(ge=0)) -> Any:
    """Append the body to the draft of a file at `offset`; nobody sees it yet."""
    return _take_part(request, path, offset, is_last=False)


@router.put("/worker/artifacts/{path:path}", include_in_schema=False)
def publish_artifact(request: HttpRequest, path: str, offset: int = Query(ge=0)) -> Any:
    """Append the last part of a file, with which it appears."""
    return _take_part(request, path, offset, is_last=True)


@router.get("/worker/snapshot", include_in_schema=False)
def read_snapshot(request: HttpRequest) -> HttpResponseBase:
    """Read the source code of the attempt's run, as a zip, whole or a range of it."""
    run = _writer(request).run
    if run.snapshot is None or not storage.has_snapshot(run.snapshot.digest):
        raise NotFound(f"The run {run.run_id} has no snapshot.")

    return transfers.send_file(
        request,
        storage.open_snapshot(run.snapshot.digest),
        name=f"{run.run_id}.zip",
        etag=f'"{run.snapshot.digest}"',
    )


@router.get("/worker/inputs/{source_pk}/{path:path}", include_in_schema=False)
def read_input(request: HttpRequest, source_pk: int, path: str) -> HttpResponseBase:
    """Read a file that another step left for the attempt's step, whole or a range of it."""
    storage.check_path(path)
    step = StepRun.objects.filter(run=_writer(request).run).first()
    artifact = Artifact.objects.filter(run=source_pk, path=path).first()
    if step is None or artifact is None or not data.may_read(step, run_pk=source_pk, path=path):
        raise NotFound(f"There is no input {path!r}.")
    try:
        handle = storage.open_artifact(source_pk, path)
    except FileNotFoundError:
        raise NotFound(f"There is no input {path!r}.") from None

    return transfers.send_file(request, handle, name=path.rpartition("/")[2], etag=f'"{artifact.digest}"')


def _take_part(request: HttpRequest, path: str, offset: int, *, is_last: bool) -> Any:
    writer = _writer(request)
    if writer.attempt_number != writer.run.attempt_number:
        raise tokens.StaleAttempt  # its logs are its own, but the files are those of the newer attempt
    storage.check_path(path)
    body = _body(request)

    return _sized(
        lambda: storage.append_part(writer.run.pk, path, body, writer=writer.name, offset=offset, is_last=is_last)
    )


def _body(request: HttpRequest) -> bytes:
    return b"".join(transfers.receive(request, limit=_PART_BYTES))


def _sized(store: Callable[[], int]) -> Any:
    """Answer with the size that `store` returns, also where it misses bytes: the sender goes on from there."""
    try:
        return {"size_bytes": store()}
    except storage.OffsetGap as gap:
        error = {"code": gap.code, "message": gap.message, "field": gap.field, "size_bytes": gap.size_bytes}
        return JsonResponse({"error": error}, status=409)
