"""Schedules: what is run by itself, and when. Each time of a schedule makes one run, however many beats look."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction

from runs import limits, permissions
from runs.actions import checks, experiments, publishing
from runs.errors import InvalidInput, PermissionDenied, RunsError
from runs.models import PublishedPipeline, Run, Schedule, ScheduleTick, TickOutcome
from runs.pipelines import definition as definitions
from runs.pipelines import expansion, timing
from runs.pipelines.timing import Recurrence
from runs.wording import say

logger = logging.getLogger(__name__)

SCHEDULE_ID = "azureml.scheduleid"
# So many schedules in one look, and so many runs that one of them makes up for: the next look goes on.
_SCHEDULES_PER_LOOK = 200
_TICKS_PER_LOOK = 10
_SHAPE = ("cron", "recurrence", "time_zone", "starts_at", "ends_at")


@dataclass(frozen=True)
class Plan:
    """What a schedule does and when, as it is asked for."""

    name: str
    experiment_name: str
    cron: str = ""
    recurrence: Mapping[str, Any] | None = None
    time_zone: str = "UTC"
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    catches_up: bool = False
    description: str = ""
    parameters: Mapping[str, Any] | None = None
    tags: Mapping[str, Any] | None = None


def create(*, pipeline: PublishedPipeline, plan: Plan, by: User, at: datetime, schedule_id: str = "") -> Schedule:
    """Run `pipeline` by `plan` from now on. Raises InvalidInput naming the field, or PipelineIsDisabled.

    Called again with an id that the caller made up for it, it returns what is there already.
    """
    if not pipeline.is_enabled:
        raise publishing.PipelineIsDisabled(field="pipeline")
    fields = _checked(plan, pipeline=pipeline, at=at)
    next_at = _next(Schedule(**fields), after=at)
    if next_at is None:
        raise InvalidInput(say("This schedule would never be due: it ends before its first time."), field="ends_at")
    fields |= {"pipeline": pipeline, "workspace": pipeline.workspace, "created_by": by, "created_at": at}
    fields["next_at"] = next_at
    if not schedule_id:
        return Schedule.objects.create(**fields)
    return Schedule.objects.get_or_create(schedule_id=schedule_id, defaults=fields)[0]


def change(*, schedule: Schedule, changes: Mapping[str, Any], at: datetime) -> Schedule:
    """Change fields of the plan; the others stay. A new rule or time zone counts from now."""
    with transaction.atomic():
        held = _lock(schedule)
        if changes.get("cron"):
            changes = {"recurrence": None, **changes}
        elif changes.get("recurrence"):
            changes = {"cron": "", **changes}
        plan = replace(plan_of(held), **changes)
        for name, value in _checked(plan, pipeline=held.pipeline, at=at).items():
            setattr(held, name, value)
        if not held.is_paused and any(name in changes for name in _SHAPE):
            held.next_at = _next(held, after=at)
        held.save(update_fields=[*plan.__dataclass_fields__, "next_at"])
    return held


def pause(*, schedule: Schedule) -> Schedule:
    """Stop a schedule until it is resumed. Pausing it again changes nothing."""
    with transaction.atomic():
        held = _lock(schedule)
        held.is_paused, held.next_at = True, None
        held.save(update_fields=["is_paused", "next_at"])
    return held


def resume(*, schedule: Schedule, at: datetime) -> Schedule:
    """Let a paused schedule go on with its next time. What came while it was paused is not made up for."""
    with transaction.atomic():
        held = _lock(schedule)
        if held.is_paused:
            held.is_paused, held.next_at = False, _next(held, after=at)
            held.save(update_fields=["is_paused", "next_at"])
    return held


def delete(*, schedule: Schedule) -> None:
    """Remove a schedule and the record of its ticks. Its runs stay."""
    Schedule.objects.filter(pk=schedule.pk).delete()


def plan_of(schedule: Schedule) -> Plan:
    """Return the plan of a schedule."""
    return Plan(**{name: getattr(schedule, name) for name in Plan.__dataclass_fields__})


def upcoming(*, plan: Plan, at: datetime, count: int) -> list[datetime]:
    """Return the next times of a plan, at most `count`. Raises InvalidInput naming the field of when."""
    schedule, after = Schedule(**_checked_times(plan, at=at)), at
    times: list[datetime] = []
    while len(times) < count and (found := _next(schedule, after=after)) is not None:
        times.append(found)
        after = found
    return times


def run_due(*, at: datetime) -> list[ScheduleTick]:
    """Submit what is due, and return the ticks that this call settled.

    May be called by several processes at once and at any time: a tick, its run and the
    schedule's next time are written together, under the lock of the schedule's row.
    """
    due = Schedule.objects.filter(next_at__lte=at).order_by("next_at", "pk").values_list("pk", flat=True)
    settled: list[ScheduleTick] = []
    for pk in list(due[:_SCHEDULES_PER_LOOK]):
        try:
            for _ in range(_TICKS_PER_LOOK):
                tick = _settle_next(pk, at=at)
                if tick is None:
                    break
                settled.append(tick)
        except Exception:  # one schedule must not keep the others from their runs; it is tried again
            logger.exception("The schedule %s could not be looked at", pk)
    return settled


def _settle_next(pk: int, *, at: datetime) -> ScheduleTick | None:
    """Settle the earliest due time of one schedule; return None where there is none."""
    with transaction.atomic():
        schedule = _locked(pk=pk, next_at__lte=at)
        if schedule is None or schedule.next_at is None:
            return None
        due_at, late_since = schedule.next_at, at - timedelta(seconds=settings.STUDIO_SCHEDULE_LATE_SECONDS)
        is_missed = due_at < late_since and not schedule.catches_up
        schedule.next_at = _next(schedule, after=late_since if is_missed else due_at)
        schedule.save(update_fields=["next_at"])
        # It has its row already where somebody moved the schedule's next time back.
        tick, is_new = ScheduleTick.objects.get_or_create(
            schedule=schedule, at=due_at, defaults={"created_at": at, "outcome": TickOutcome.SKIPPED}
        )
        if not is_new:
            return tick
        if is_missed:
            tick.reason = "Missed: nothing looked at schedules then. It does not catch up."
        else:
            _submit(schedule, tick, at=at)
        tick.save(update_fields=["outcome", "reason", "run"])
        return tick


def _submit(schedule: Schedule, tick: ScheduleTick, *, at: datetime) -> None:
    """Submit the run of `tick`, or note why it was refused."""
    try:
        # Whatever a refused submission wrote is taken back; the tick stays.
        with transaction.atomic():
            tick.run = _run(schedule, tick, at=at)
            tick.outcome = TickOutcome.SUBMITTED
    except RunsError as error:
        tick.outcome, tick.reason = TickOutcome.REFUSED, error.message[: limits.REASON_LENGTH]
        logger.warning("The schedule %s was refused its run of %s: %s", schedule, tick.at, error.message)


def _run(schedule: Schedule, tick: ScheduleTick, *, at: datetime) -> Run:
    by = schedule.created_by
    if not permissions.can_contribute(by, schedule.workspace):
        raise PermissionDenied(
            say("{by} may no longer submit runs in {workspace}.", by=by, workspace=schedule.workspace)
        )
    return publishing.run(
        pipeline=schedule.pipeline,
        experiment_name=schedule.experiment_name,
        by=by,
        at=at,
        parameters=schedule.parameters,
        tags=schedule.tags,
        properties={SCHEDULE_ID: schedule.schedule_id},
        display_name=f"{schedule.name}, {tick.at.astimezone(ZoneInfo(schedule.time_zone)):%Y-%m-%d %H:%M}",
        idempotency_key=f"schedule-{schedule.schedule_id}-{tick.at.timestamp():.0f}",
        actor="schedule",
    )


def _next(schedule: Schedule, *, after: datetime) -> datetime | None:
    rule = Recurrence.from_document(schedule.recurrence) if schedule.recurrence else schedule.cron
    zone = ZoneInfo(schedule.time_zone)
    found = timing.next_after(rule, zone=zone, starts_at=schedule.starts_at, after=after)
    return None if found is None or (schedule.ends_at and found > schedule.ends_at) else found


def _checked(plan: Plan, *, pipeline: PublishedPipeline, at: datetime) -> dict[str, Any]:
    """Return the plan as the columns of a schedule. Raises InvalidInput naming the field."""
    parameters = dict(plan.parameters or {})
    expansion.assign(definitions.from_document(pipeline.definition), parameters)
    return {
        "name": checks.key(plan.name.strip(), field="name", limit=limits.PIPELINE_NAME_LENGTH),
        "description": checks.text(plan.description, field="description", limit=limits.DESCRIPTION_LENGTH),
        "experiment_name": experiments.check_name(plan.experiment_name),
        "parameters": parameters,
        "tags": checks.tags(plan.tags or {}),
        "catches_up": plan.catches_up,
        **_checked_times(plan, at=at),
    }


def _checked_times(plan: Plan, *, at: datetime) -> dict[str, Any]:
    """Return the columns that say when."""
    if bool(plan.cron) == bool(plan.recurrence):
        raise InvalidInput(say("Expected one of cron and recurrence."), field="cron")
    if plan.time_zone not in available_timezones():
        raise InvalidInput(
            say(
                "{time_zone!r} is no time zone; expected a name such as Europe/Rome or UTC.",
                time_zone=plan.time_zone[:100],
            ),
            field="time_zone",
        )
    starts_at = (plan.starts_at or at).astimezone(UTC).replace(microsecond=0)
    if plan.ends_at is not None and plan.ends_at <= starts_at:
        raise InvalidInput(say("A schedule ends after it starts."), field="ends_at")
    return {
        "cron": timing.check_cron(plan.cron) if plan.cron else "",
        "recurrence": Recurrence.from_document(plan.recurrence).to_document() if plan.recurrence else None,
        "time_zone": plan.time_zone,
        "starts_at": starts_at,
        "ends_at": plan.ends_at,
    }


def _lock(schedule: Schedule) -> Schedule:
    held = _locked(pk=schedule.pk)
    if held is None:
        raise InvalidInput(say("This schedule was deleted."), field="schedule")
    return held


def _locked(**which: Any) -> Schedule | None:
    rows = Schedule.objects.select_for_update(of=("self",)).filter(**which)
    return rows.select_related("pipeline__workspace", "workspace", "created_by").first()
