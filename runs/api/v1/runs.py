"""Runs: submitted, found, changed, ended."""

from typing import BinaryIO, cast

from django.http import HttpRequest
from django.utils import timezone
from ninja import File, Header, Router, Status
from ninja.files import UploadedFile

from runs import limits, search, shapes
from runs.actions import (
    archiving,
    cancellation,
    completion,
    describing,
    experiments,
    lending,
    recording,
    snapshots,
    submission,
    tagging,
)
from runs.api.v1 import auth, bodies
from runs.api.v1.answers import REFUSALS, EventOut, Page, Refusal, RunOut, RunsOut, WaitingOut
from runs.errors import InvalidInput
from runs.models import Run, RunEvent
from runs.models.run import RunQuerySet
from runs.search import orders, paging

router = Router(tags=["runs"])

_ONE = "/runs/{run_id}"
_LIMIT = 500


@router.post("/runs", response={201: RunOut, REFUSALS: Refusal})
def submit_run(
    request: HttpRequest,
    config: bodies.Submission,
    snapshot: UploadedFile | None = File(None),  # noqa: B008 - how ninja declares it
    git_patch: UploadedFile | None = File(None),  # noqa: B008
    idempotency_key: str = Header("", alias="Idempotency-Key"),
) -> Status:
    """Submit a script: `config` is JSON, `snapshot` a zip of its source folder, `git_patch` its uncommitted changes.

    The same `Idempotency-Key` with the same request returns the same run; with another it is a conflict.
    """
    caller = auth.caller(request)
    workspace = caller.workspace_to_change(config.workspace)
    parent = caller.parent(config.parent_run_id)
    now = timezone.now()

    source = cast("BinaryIO", snapshot.file) if snapshot else None
    stored = snapshots.store_zip(workspace=workspace, source=source, at=now) if source else None
    found = snapshots.git_properties(source) if source else {}
    run = submission.submit_script(
        experiment=experiments.get_or_create(workspace=workspace, name=config.experiment, by=caller.user, at=now),
        config=_script_run_config(config, found),
        snapshot=stored,
        by=caller.user,
        at=now,
        parent=parent,
        run_id=config.run_id,
        idempotency_key=idempotency_key,
        actor=auth.door(request),
        git_patch=git_patch.read(limits.GIT_PATCH_BYTES + 1) if git_patch else b"",
    )

    return Status(201, shapes.run_document(run))


@router.get("/runs", response={200: Page[RunOut], REFUSALS: Refusal})
def list_runs(
    request: HttpRequest,
    query: str = "",
    workspace: str = "",
    experiment: str = "",
    include_children: bool = False,
    order: str = orders.DEFAULT,
    cursor: str = "",
    limit: int = 50,
) -> shapes.Document:
    """Find runs with the language of the search bar, newest first. Archived ones show if the query asks for them."""
    caller = auth.caller(request)
    room = caller.workspace(workspace)
    queryset = caller.runs(Run.objects.filter(workspace=room))
    if experiment:
        queryset = queryset.filter(experiment=caller.experiment(room, experiment))
    if not include_children and not search.names_field(query, "parent"):
        queryset = queryset.top_level()

    return _page(request, queryset, query=query, order=order, cursor=cursor, limit=limit)


@router.get(_ONE, response={200: RunOut, REFUSALS: Refusal})
def show_run(request: HttpRequest, run_id: str) -> shapes.Document:
    """Show a run."""
    return shapes.run_document(auth.caller(request).run(run_id))


@router.patch(_ONE, response={200: RunOut, REFUSALS: Refusal})
def change_run(request: HttpRequest, run_id: str, body: bodies.RunChanges) -> shapes.Document:
    """Change the display name, the description and the tags of a run."""
    run = auth.caller(request).run_to_change(run_id)

    describing.describe(run=run, display_name=body.display_name, description=body.description)
    tagging.set_tags(run=run, tags=body.tags)
    tagging.remove_tags(run=run, keys=body.remove_tags)

    return shapes.run_document(run)


@router.post(_ONE + "/properties", response={200: RunOut, REFUSALS: Refusal})
def add_properties(request: HttpRequest, run_id: str, body: bodies.Properties) -> shapes.Document:
    """Add properties, which stay as they are: another value for one that is there is a conflict."""
    run = auth.caller(request).run_to_change(run_id)

    tagging.add_properties(run=run, properties=body.properties)

    return shapes.run_document(run)


@router.post(_ONE + "/params", response={200: RunOut, REFUSALS: Refusal})
def log_params(request: HttpRequest, run_id: str, body: bodies.Params) -> shapes.Document:
    """Add params, or change their values."""
    run = auth.caller(request).run_to_change(run_id)

    recording.log_params(run=run, params=body.params)

    return shapes.run_document(run)


@router.post(_ONE + "/heartbeat", response={204: None, REFUSALS: Refusal})
def beat(request: HttpRequest, run_id: str) -> Status:
    """Say that the client that drives the run is alive."""
    run = auth.caller(request).run_to_change(run_id)

    completion.heartbeat(run=run, at=timezone.now())

    return Status(204, None)


@router.post(_ONE + "/waiting", response={200: WaitingOut, REFUSALS: Refusal})
def wait_below(request: HttpRequest, run_id: str, body: bodies.Waiting) -> shapes.Document:
    """Say, as the script of a run, that it only waits for a run below its own: its slot is lent meanwhile.

    Say it again before the time is over; `DELETE` says that the waiting is.
    """
    caller = auth.caller(request)
    run = caller.own_script(run_id)
    waits_for = caller.run(body.waits_for, field="waits_for")

    lent_until = lending.lend_slot(run=run, waits_for=waits_for, seconds=body.seconds, at=timezone.now())

    return {"lent_until_utc": shapes.instant(lent_until)}


@router.delete(_ONE + "/waiting", response={204: None, REFUSALS: Refusal})
def go_on(request: HttpRequest, run_id: str) -> Status:
    """Say, as the script of a run, that it no longer waits: it holds its slot again."""
    run = auth.caller(request).own_script(run_id)

    lending.take_back_slot(run=run)

    return Status(204, None)


@router.post(_ONE + "/complete", response={200: RunOut, REFUSALS: Refusal})
def complete_run(request: HttpRequest, run_id: str) -> shapes.Document:
    """Complete an interactive run."""
    run = auth.caller(request).run_to_change(run_id)

    completion.complete(run=run, at=timezone.now(), by=auth.caller(request).user, actor=auth.door(request))

    return shapes.run_document(run)


@router.post(_ONE + "/fail", response={200: RunOut, REFUSALS: Refusal})
def fail_run(request: HttpRequest, run_id: str, body: bodies.Failure | None = None) -> shapes.Document:
    """Fail a run; a running script is stopped first, and the run is CancelRequested until then."""
    run = auth.caller(request).run_to_change(run_id)
    said = body or bodies.Failure()

    completion.fail(
        run=run,
        at=timezone.now(),
        by=auth.caller(request).user,
        error=said.error,
        actor=auth.door(request, said.actor),
    )

    return shapes.run_document(run)


@router.post(_ONE + "/error", response={200: RunOut, REFUSALS: Refusal})
def report_error(request: HttpRequest, run_id: str, body: bodies.Report) -> shapes.Document:
    """Note what a running script says went wrong. Its status stays: the exit code decides how the run ends."""
    run = auth.caller(request).run_to_change(run_id)

    completion.report_error(run=run, error=body.error)

    return shapes.run_document(run)


@router.post(_ONE + "/cancel", response={200: RunOut, REFUSALS: Refusal})
def cancel_run(request: HttpRequest, run_id: str, body: bodies.Cancellation | None = None) -> shapes.Document:
    """Ask a run and its descendants to stop. It is Canceled once no process of it is left."""
    run = auth.caller(request).run_to_change(run_id)
    wish = body or bodies.Cancellation()

    cancellation.request_cancel(
        run=run,
        by=auth.caller(request).user,
        at=timezone.now(),
        reason=wish.reason,
        grace_seconds=wish.grace_seconds,
        actor=auth.door(request, wish.actor),
    )

    return shapes.run_document(run)


@router.post(_ONE + "/resubmit", response={201: RunOut, REFUSALS: Refusal})
def resubmit_run(
    request: HttpRequest,
    run_id: str,
    idempotency_key: str = Header("", alias="Idempotency-Key"),
) -> Status:
    """Submit the same code with the same configuration again, as a new run."""
    caller = auth.caller(request)
    caller.check_is_a_person()
    run = caller.run_to_change(run_id)

    again = submission.resubmit(
        run=run, by=caller.user, at=timezone.now(), idempotency_key=idempotency_key, actor=auth.door(request)
    )

    return Status(201, shapes.run_document(again))


@router.post(_ONE + "/archive", response={200: RunOut, REFUSALS: Refusal})
def archive_run(request: HttpRequest, run_id: str) -> shapes.Document:
    """Hide a run that has ended from lists."""
    caller = auth.caller(request)
    caller.check_is_a_person()

    return shapes.run_document(archiving.archive(run=caller.run_to_change(run_id), at=timezone.now()))


@router.post(_ONE + "/restore", response={200: RunOut, REFUSALS: Refusal})
def restore_run(request: HttpRequest, run_id: str) -> shapes.Document:
    """Show a run in lists again."""
    caller = auth.caller(request)
    caller.check_is_a_person()

    return shapes.run_document(archiving.restore(run=caller.run_to_change(run_id)))


@router.get(_ONE + "/children", response={200: Page[RunOut], REFUSALS: Refusal})
def list_children(
    request: HttpRequest,
    run_id: str,
    recursive: bool = False,
    query: str = "",
    order: str = orders.DEFAULT,
    cursor: str = "",
    limit: int = 50,
) -> shapes.Document:
    """List the children of a run, newest first; with `recursive`, all that descends from it."""
    run = auth.caller(request).run(run_id)
    queryset = Run.objects.below(run) if recursive else Run.objects.filter(parent=run)

    return _page(request, queryset, query=query, order=order, cursor=cursor, limit=limit)


@router.post(_ONE + "/children", response={201: RunsOut, REFUSALS: Refusal})
def start_children(
    request: HttpRequest,
    run_id: str,
    body: bodies.Children,
    idempotency_key: str = Header("", alias="Idempotency-Key"),
) -> Status:
    """Start many interactive children at once, in the order in which they are described.

    The same `Idempotency-Key` with the same request returns the same children.
    """
    caller = auth.caller(request)
    parent = caller.run_to_change(run_id)

    made = submission.create_children(
        parent=parent,
        by=caller.user,
        at=timezone.now(),
        children=_described(body),
        idempotency_key=idempotency_key,
        actor=auth.door(request),
    )

    return Status(201, {"items": shapes.run_documents(made)})


@router.get(_ONE + "/events", response={200: Page[EventOut], REFUSALS: Refusal})
def list_events(request: HttpRequest, run_id: str, cursor: str = "", limit: int = 100) -> shapes.Document:
    """List the changes of a run's status, the first one first."""
    run = auth.caller(request).run(run_id)
    queryset = RunEvent.objects.filter(run=run).select_related("by")
    page = paging.paginate(queryset, order="created", cursor=cursor, limit=limit, orders={"created": "id"})

    return {"items": [shapes.event_document(event) for event in page.items], "next": page.next or None}


def _page(
    request: HttpRequest, queryset: RunQuerySet, *, query: str, order: str, cursor: str, limit: int
) -> shapes.Document:
    if limit > _LIMIT:
        raise InvalidInput(f"limit is {limit}; expected 1 to {_LIMIT}.", field="limit")
    found = search.find(queryset, query, user=auth.caller(request).user, at=timezone.now())
    page = orders.paginate(found, order=found.order or order, cursor=cursor, limit=limit, rows=Run.objects.all())
    return {"items": shapes.run_documents(page.items), "next": page.next or None}


def _script_run_config(config: bodies.Submission, found: dict[str, str]) -> submission.ScriptRunConfig:
    """Return what is to be submitted; `found` are properties that give way to the client's own."""
    return submission.ScriptRunConfig(
        script=config.script,
        command=bodies.words(config.command),
        arguments=bodies.words(config.arguments),
        environment_variables=bodies.texts(config.environment_variables),
        requirements=config.requirements,
        interpreter_path=config.interpreter_path,
        compute_target=config.compute_target,
        tags=config.tags,  # type: ignore[arg-type]  # checked and made text by the action
        properties={**found, **config.properties},  # type: ignore[dict-item]
        params=config.params,
        display_name=config.display_name,
        description=config.description,
        max_run_duration_seconds=config.max_run_duration_seconds,
        memory_bytes=config.memory_bytes,
        process_count=config.process_count,
        cpu_seconds=config.cpu_seconds,
        file_bytes=config.file_bytes,
        priority=config.priority,
        not_before=config.not_before,
        max_retries=config.max_retries,
        retries_lost_workers=config.retries_lost_workers,
    )


def _described(body: bodies.Children) -> list[dict[str, object]]:
    given = [name for name in ("count", "tags", "children") if getattr(body, name) is not None]
    if len(given) != 1:
        raise InvalidInput("Expected one of count, tags and children.", field="count")
    if body.children is not None:
        return [child.model_dump() for child in body.children]
    if body.tags is not None:
        return [{"tags": tags} for tags in body.tags]
    return [{"tags": {"azureml.batch_child_number": str(number)}} for number in range(body.count or 0)]
