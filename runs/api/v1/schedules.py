"""Schedules of published pipelines."""

from typing import Any, Literal

from django.http import HttpRequest
from django.utils import timezone
from ninja import Router, Schema, Status

from runs import permissions, shapes
from runs.actions import publishing, scheduling
from runs.api.v1 import auth, bodies
from runs.api.v1.answers import REFUSALS, Instant, Page, Refusal
from runs.errors import InvalidInput
from runs.models import Schedule, ScheduleTick
from runs.search import paging

router = Router(tags=["pipelines"])

_ONE = "/schedules/{schedule_id}"


class ScheduleOut(Schema):
    """A schedule: it has a cron expression or a recurrence, read in its time zone."""

    id: str
    name: str
    description: str
    workspace: str
    status: Literal["Active", "Paused", "Ended"]
    pipeline_id: str
    pipeline: str
    pipeline_version: int
    experiment: str
    parameters: dict[str, Any]
    tags: dict[str, str | None]
    cron: str
    recurrence: dict[str, Any] | None
    time_zone: str
    starts_utc: Instant
    ends_utc: Instant | None
    catches_up: bool
    next_utc: Instant | None
    created_utc: Instant
    created_by: str


class TickOut(Schema):
    """One time of a schedule that came, and what became of it."""

    at_utc: Instant
    outcome: Literal["submitted", "skipped", "refused"]
    reason: str
    run_id: str | None


class ScheduleChanges(bodies.Body):
    """What to change; what is left out stays."""

    name: str | None = None
    experiment: str | None = None
    description: str | None = None
    cron: str | None = None
    recurrence: dict[str, Any] | None = None
    time_zone: str | None = None
    starts_at: bodies.Instant | None = None
    ends_at: bodies.Instant | None = None
    catches_up: bool | None = None
    parameters: dict[str, Any] | None = None
    tags: dict[str, bodies.Scalar | None] | None = None


class NewSchedule(ScheduleChanges):
    """A schedule for one version of a published pipeline, or for the version of a name that is the newest now."""

    workspace: str = ""
    pipeline_id: str = ""
    pipeline: str = ""
    name: str
    experiment: str


@router.get("/schedules", response={200: Page[ScheduleOut], REFUSALS: Refusal})
def list_schedules(
    request: HttpRequest, workspace: str = "", pipeline_id: str = "", cursor: str = "", limit: int = 50
) -> shapes.Document:
    """List schedules, newest first; those of one published pipeline with `pipeline_id`."""
    queryset = Schedule.objects.filter(workspace=auth.caller(request).workspace(workspace))
    if pipeline_id:
        queryset = queryset.filter(pipeline__pipeline_id=pipeline_id)
    queryset = queryset.select_related("workspace", "pipeline", "created_by")
    page = paging.paginate(queryset, order="-created", cursor=cursor, limit=limit, orders={"created": "id"})

    return {"items": [shapes.schedule_document(each) for each in page.items], "next": page.next or None}


@router.post("/schedules", response={201: ScheduleOut, REFUSALS: Refusal})
def make_schedule(request: HttpRequest, body: NewSchedule) -> Status:
    """Let a published pipeline be run by itself."""
    caller = auth.caller(request)
    caller.check_is_a_person()
    if bool(body.pipeline_id) == bool(body.pipeline):
        raise InvalidInput("Expected one of pipeline_id and pipeline, which is a name.", field="pipeline_id")
    if body.pipeline_id:
        pipeline = permissions.get_published_pipeline(caller.user, body.pipeline_id)
    else:
        pipeline = publishing.newest(workspace=caller.workspace(body.workspace), name=body.pipeline)
    permissions.check_can_contribute(caller.user, pipeline.workspace)

    schedule = scheduling.create(
        pipeline=pipeline, plan=scheduling.Plan(**_changes(body)), by=caller.user, at=timezone.now()
    )

    return Status(201, shapes.schedule_document(schedule))


@router.get(_ONE, response={200: ScheduleOut, REFUSALS: Refusal})
def show_schedule(request: HttpRequest, schedule_id: str) -> shapes.Document:
    """Show a schedule."""
    return shapes.schedule_document(_seen(request, schedule_id))


@router.patch(_ONE, response={200: ScheduleOut, REFUSALS: Refusal})
def change_schedule(request: HttpRequest, schedule_id: str, body: ScheduleChanges) -> shapes.Document:
    """Change a schedule. A new rule or time zone counts from now."""
    schedule = _to_change(request, schedule_id)

    return shapes.schedule_document(scheduling.change(schedule=schedule, changes=_changes(body), at=timezone.now()))


@router.delete(_ONE, response={204: None, REFUSALS: Refusal})
def delete_schedule(request: HttpRequest, schedule_id: str) -> Status:
    """Remove a schedule. Its runs stay."""
    scheduling.delete(schedule=_to_change(request, schedule_id))

    return Status(204, None)


@router.post(_ONE + "/pause", response={200: ScheduleOut, REFUSALS: Refusal})
def pause_schedule(request: HttpRequest, schedule_id: str) -> shapes.Document:
    """Let nothing be run until the schedule is resumed."""
    return shapes.schedule_document(scheduling.pause(schedule=_to_change(request, schedule_id)))


@router.post(_ONE + "/resume", response={200: ScheduleOut, REFUSALS: Refusal})
def resume_schedule(request: HttpRequest, schedule_id: str) -> shapes.Document:
    """Go on with the next time. What came meanwhile is not made up for."""
    return shapes.schedule_document(scheduling.resume(schedule=_to_change(request, schedule_id), at=timezone.now()))


@router.get(_ONE + "/ticks", response={200: Page[TickOut], REFUSALS: Refusal})
def list_ticks(request: HttpRequest, schedule_id: str, cursor: str = "", limit: int = 50) -> shapes.Document:
    """List the times of a schedule that came, newest first, and what became of each."""
    queryset = ScheduleTick.objects.filter(schedule=_seen(request, schedule_id)).select_related("run")
    page = paging.paginate(queryset, order="-created", cursor=cursor, limit=limit, orders={"created": "id"})

    return {"items": [shapes.tick_document(tick) for tick in page.items], "next": page.next or None}


def _changes(body: ScheduleChanges) -> dict[str, Any]:
    given = body.dict(exclude={"workspace", "pipeline_id", "pipeline"}, exclude_unset=True)
    # A null is "as it is", but for what may be none at all.
    given = {name: value for name, value in given.items() if value is not None or name == "ends_at"}
    if "experiment" in given:
        given["experiment_name"] = given.pop("experiment")
    return given


def _seen(request: HttpRequest, schedule_id: str) -> Schedule:
    caller = auth.caller(request)
    caller.check_is_a_person()
    return permissions.get_schedule(caller.user, schedule_id)


def _to_change(request: HttpRequest, schedule_id: str) -> Schedule:
    schedule = _seen(request, schedule_id)
    permissions.check_can_contribute(auth.caller(request).user, schedule.workspace)
    return schedule
