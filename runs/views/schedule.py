"""A schedule's page: the form that makes or changes it, its next times, and what became of the latest ones."""

import uuid
from datetime import datetime
from zoneinfo import available_timezones

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from runs import permissions
from runs.actions import scheduling
from runs.actions.scheduling import Plan
from runs.errors import InvalidInput, RunsError
from runs.forms.schedule import RULE_FIELDS, ScheduleForm
from runs.models import Experiment, PublishedPipeline, Schedule
from runs.pipelines import definition as definitions
from runs.translation import translated
from runs.views import live, published_pipeline
from runs.views.request import SignedInRequest

_TIMES = 5
_TICKS = 20
_LISTED_EXPERIMENTS = 200
# What a new one begins with.
_MORNING = {"frequency": "Day", "interval": 1, "hours": [6], "minutes": [0]}


@require_http_methods(["GET", "HEAD", "POST"])
def schedule_new(request: SignedInRequest, workspace_name: str, pipeline_id: str) -> HttpResponse:
    """Ask when to run a published pipeline by itself, or make the schedule and show it."""
    pipeline = published_pipeline.get(request, workspace_name, pipeline_id)
    permissions.check_can_contribute(request.user, pipeline.workspace)

    zone = timezone.get_current_timezone_name()
    plan = Plan(pipeline.name, "", recurrence=_MORNING, time_zone=zone if zone in available_timezones() else "UTC")
    return _respond(request, pipeline, plan)


@require_http_methods(["GET", "HEAD", "POST"])
def schedule_edit(request: SignedInRequest, schedule_id: str) -> HttpResponse:
    """Show a schedule, or change it."""
    schedule = permissions.get_schedule(request.user, schedule_id)
    if request.method == "POST":
        permissions.check_can_contribute(request.user, schedule.workspace)

    return _respond(request, schedule.pipeline, scheduling.plan_of(schedule), schedule)


@require_POST
def schedule_pause(request: SignedInRequest, schedule_id: str) -> HttpResponse:
    """Pause a schedule, or let a paused one go on."""
    schedule = permissions.get_schedule(request.user, schedule_id)
    permissions.check_can_contribute(request.user, schedule.workspace)

    if schedule.is_paused:
        scheduling.resume(schedule=schedule, at=timezone.now())
        messages.success(request, _("The schedule goes on."))
    else:
        scheduling.pause(schedule=schedule)
        messages.success(request, _("The schedule is paused."))
    return redirect("schedule_edit", schedule_id)


@require_POST
def schedule_delete(request: SignedInRequest, schedule_id: str) -> HttpResponse:
    """Remove a schedule. Its runs stay."""
    schedule = permissions.get_schedule(request.user, schedule_id)
    permissions.check_can_contribute(request.user, schedule.workspace)

    scheduling.delete(schedule=schedule)
    messages.success(request, _("The schedule %s is deleted. Its runs stay.") % schedule.name)
    return redirect(schedule.pipeline)


def _respond(
    request: SignedInRequest, pipeline: PublishedPipeline, plan: Plan, schedule: Schedule | None = None
) -> HttpResponse:
    """Show the form, or do what it says. With `preview` it says only when that would be, as it does to htmx."""
    data, now = request.POST if request.method == "POST" else None, timezone.now()
    form = ScheduleForm(
        data,
        plan=plan,
        definition=definitions.from_document(pipeline.definition),
        initial={"schedule_id": uuid.uuid4()},
    )
    is_preview = live.is_partial(request) or (data is not None and "preview" in data)
    if data is not None and not is_preview and form.is_valid():
        try:
            saved = _save(request, form, pipeline, schedule, at=now)
        except InvalidInput as error:
            form.blame(error)
        except RunsError as error:
            form.add_error(None, translated(error.message))
        else:
            messages.success(request, _("Saved.") if schedule else _("The schedule is made."))
            return redirect("schedule_edit", saved.schedule_id)

    times = _times(form, plan, at=now)
    experiments = (
        Experiment.objects.filter(workspace=pipeline.workspace).active().order_by("-latest_submitted_at", "-id")
    )
    context = {
        "nav": "pipelines",
        "workspace": pipeline.workspace,
        "pipeline": pipeline,
        "schedule": schedule,
        "form": form,
        "rule_fields": [form[name] for name in RULE_FIELDS],
        "times": times,
        "time_zone": form.plan.time_zone if form.is_bound else plan.time_zone,
        "time_zones": sorted(available_timezones()),
        "experiments": experiments.values_list("name", flat=True)[:_LISTED_EXPERIMENTS],
        "ticks": _ticks(schedule),
        "can_contribute": permissions.can_contribute(request.user, pipeline.workspace),
    }
    # A form that is not whole yet is no fault while one writes it.
    is_wrong = form.has_wrong_times if live.is_partial(request) else form.errors
    status = 422 if is_wrong else 200
    return live.respond(request, "pipeline/schedule_edit.html", context, fragment="schedule-times", status=status)


def _save(
    request: SignedInRequest,
    form: ScheduleForm,
    pipeline: PublishedPipeline,
    schedule: Schedule | None,
    *,
    at: datetime,
) -> Schedule:
    if schedule is None:
        key = str(form.cleaned_data["schedule_id"] or "")
        return scheduling.create(pipeline=pipeline, plan=form.plan, by=request.user, at=at, schedule_id=key)
    held = scheduling.plan_of(schedule)
    asked = {name: getattr(form.plan, name) for name in Plan.__dataclass_fields__}
    # Only what differs: a new rule counts from now, and one that is saved as it was goes on as it did.
    changes = {name: value for name, value in asked.items() if value != getattr(held, name)}
    return scheduling.change(schedule=schedule, changes=changes, at=at)


def _times(form: ScheduleForm, plan: Plan, *, at: datetime) -> list[datetime]:
    """Return the next times of what the form says; none, and the error beside its field, where it is no plan."""
    if form.is_bound and form.has_wrong_times:
        return []
    try:
        return scheduling.upcoming(plan=form.plan if form.is_bound else plan, at=at, count=_TIMES)
    except InvalidInput as error:
        form.blame(error)
        return []


def _ticks(schedule: Schedule | None) -> list[object]:
    if schedule is None:
        return []
    return list(schedule.ticks.select_related("run").order_by("-id")[:_TICKS])
