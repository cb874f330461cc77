"""Files: put, read, listed and deleted at the addresses of `mlflow-artifacts:`; a run's files are its outputs here."""

from collections.abc import Iterator
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.utils import timezone

from runs import storage
from runs.actions import recording
from runs.api import transfers
from runs.api.mlflow import errors, shapes
from runs.api.mlflow.calls import Call
from runs.errors import TooLarge
from runs.models import Artifact, LoggedModel, Run
from runs.storage import BadPath

Answer = dict[str, Any]

# The files of logged models lie with their run's, and are listed with their model alone.
MODELS = "models/"
_CHUNK_BYTES = 1 << 18


def listing(call: Call) -> Answer:
    """List a folder that `path` names from the experiment on. One that is not there is empty."""
    path = call.fields.text("path").strip("/")
    if not path:
        return {}
    run, inside = resolve(call, path)

    files = list_folder(run, inside)
    for file in files:
        file["path"] = file["path"].rpartition("/")[2]
    return {"files": files} if files else {}


def read(call: Call, path: str) -> HttpResponseBase:
    """Read a file."""
    run, inside = resolve(call, path)

    return send(call.request, run, inside, shown=path)


def store(call: Call, path: str) -> HttpResponse:
    """Store the body as a file, replacing what was there."""
    run, inside = resolve(call, path)
    _store(call, run, inside)
    return HttpResponse(b"", content_type="application/json")


def delete(call: Call, path: str) -> Answer:
    """Delete a file or a folder. What is not there is passed over."""
    run, inside = resolve(call, path)
    call.check_can_write(run)
    if not inside:
        raise errors.invalid("Expected the path of a file or a folder of the run.")

    recording.delete_artifacts(run=run, path=inside)

    return {}


def list_of_run(call: Call) -> Answer:
    """List a folder of a run, with paths from the run's root."""
    run = call.run(call.fields.run_id())
    path = call.fields.text("path").strip("/")
    if path:
        storage.check_path(path)

    files = list_folder(run, path)
    answer: Answer = {"root_uri": shapes.artifact_uri(run)}
    return {**answer, "files": files} if files else answer


def read_of_run(call: Call) -> HttpResponseBase:
    """Read a file of a run."""
    run = call.run(call.fields.run_id())
    path = call.fields.text("path", required=True)

    return send(call.request, run, path, shown=path)


def store_of_run(call: Call) -> Answer:
    """Store the body as a file of a run. The run and the path stand in the address."""
    query = call.request.GET
    run = call.run(query.get("run_uuid") or query.get("run_id") or "")
    _store(call, run, query.get("path", ""))

    return {}


def list_folder(run: Run, path: str) -> list[Answer]:
    """Return what lies in the run's folder `path`: files with their sizes, and folders."""
    prefix = f"{path}/" if path else ""
    rows = Artifact.objects.filter(run=run).order_by("path")
    if prefix:
        rows = rows.filter(path__startswith=prefix)
    found: dict[str, Answer] = {}
    for name, size in rows.values_list("path", "size_bytes"):
        if name.startswith(f"{MODELS}m-") and not prefix.startswith(f"{MODELS}m-"):
            continue
        first, _, rest = name[len(prefix) :].partition("/")
        if rest:
            found[first] = {"path": prefix + first, "is_dir": True}
        else:
            # Like every number that is zero, the size of an empty file goes without saying.
            found[first] = {"path": prefix + first, "is_dir": False, **({"file_size": size} if size else {})}
    return [found[name] for name in sorted(found)]


def send(request: HttpRequest, run: Run, path: str, *, shown: str) -> HttpResponseBase:
    """Answer with a file of `run`."""
    artifact = find(run, path, shown=shown)
    try:
        handle = storage.open_artifact(run.pk, path)
    except FileNotFoundError:
        raise _gone(shown) from None
    return transfers.send_file(request, handle, name=path, etag=f'"{artifact.digest}"')


def find(run: Run, path: str, *, shown: str) -> Artifact:
    """Return the file `path` of `run`; a refusal names it as `shown`."""
    if not path:
        raise _gone(shown)
    storage.check_path(path)
    artifact = Artifact.objects.filter(run=run, path=path).first()
    if artifact is None:
        raise _gone(shown)
    return artifact


def _gone(shown: str) -> errors.MlflowError:
    return errors.absent(f"No such artifact: '{shown[:500]}'")


def _store(call: Call, run: Run, path: str) -> None:
    call.check_can_write(run)
    if not path:
        raise BadPath("Expected the path of a file of the run.", field="path")
    storage.check_path(path)
    recording.save_artifact(run=run, path=path, chunks=body(call.request), at=timezone.now())


def body(request: HttpRequest) -> Iterator[bytes]:
    """Yield the body in chunks. One of unknown length is read to its end: so clients send an empty file."""
    limit = settings.STUDIO_ARTIFACT_BYTES
    if request.META.get("CONTENT_LENGTH"):
        yield from transfers.receive(request, limit=limit)
        return
    if request.headers.get("Transfer-Encoding", "").lower() != "chunked":
        return
    stream, size = request.META["wsgi.input"], 0
    while chunk := stream.read(_CHUNK_BYTES):
        size += len(chunk)
        if size > limit:
            raise TooLarge(f"The file is larger than {limit:,} bytes.", field="file")
        yield chunk


def resolve(call: Call, path: str) -> tuple[Run, str]:
    """Return the run and the path within it that a path from the experiment on means."""
    parts = path.strip("/").split("/", 3)
    if len(parts) >= 3 and parts[1] == "models":
        _, _, model_id, *rest = path.strip("/").split("/", 4)
        model = LoggedModel.objects.present().select_related("run").filter(model_id=model_id).first()
        if model is None or model.run is None:
            raise errors.absent(f"Logged model with ID '{model_id[:100]}' not found.")
        run, within = call.run(model.run.run_id), f"{MODELS}{model_id}"
    elif len(parts) >= 3:
        _, run_id, *rest = parts
        run, within = call.run(run_id), ""
    else:
        raise errors.invalid(f"Invalid path: '{path[:500]}'; expected <experiment>/<run>/artifacts/<path>.")
    if rest[:1] != ["artifacts"]:
        raise errors.invalid(f"Invalid path: '{path[:500]}'; expected <experiment>/<run>/artifacts/<path>.")
    inside = "/".join(part for part in (within, *rest[1:]) if part)
    if inside:
        storage.check_path(inside)
    return run, inside
