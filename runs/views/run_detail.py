"""The Details tab: what a run is, how it went, and what hangs on it."""

import shlex
import signal

from django.http import HttpResponse
from django.template.defaultfilters import filesizeformat
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from runs import permissions, shapes
from runs.actions import unmet
from runs.models import Attempt, Metric, Param, Property, Run, RunEvent, Tag
from runs.status import UNCLAIMED, RunStatus
from runs.views import live, run_page, run_waiting
from runs.views.request import SignedInRequest

# So many of each are shown: the rest are in Raw JSON and the API.
_METRICS = 200
_PARAMS = 500
_EVENTS = 200
_RESUBMISSIONS = 19  # with the run itself, what Compare takes


@require_GET
def run_detail(request: SignedInRequest, run_id: str) -> HttpResponse:
    """Show what is known about the run."""
    run = permissions.get_run(request.user, run_id)

    now = timezone.now()
    tags = list(Tag.objects.for_people().filter(run=run).order_by("key"))
    events = list(RunEvent.objects.filter(run=run).select_related("by").order_by("id")[:_EVENTS])
    attempts = list(Attempt.objects.filter(run=run).select_related("compute_target").order_by("-number"))
    series = Metric.objects.of_training().filter(run=run).order_by("name")[:_METRICS]
    metrics = [(metric, shapes.latest(metric)) for metric in series]
    waiting = run_waiting.explain(run, at=now)
    context = run_page.frame(request, run, tab="run_detail")

    version = live.version_of(
        context["head"].version,
        run.error,
        run.description,
        waiting,
        [(tag.key, tag.value) for tag in tags],
        [(metric.name, metric.point_count) for metric, _ in metrics],
        [(attempt.pk, attempt.ended_at, attempt.stop_signal) for attempt in attempts],
        len(events),
    )
    context |= {
        "version": version,
        "tags": tags,
        "properties": Property.objects.filter(run=run).order_by("key"),
        "params": Param.objects.filter(run=run).order_by("name")[:_PARAMS],
        "metrics": metrics,
        "variables": sorted(shapes.masked(run.environment_variables).items()),
        "events": events,
        "attempts": [(attempt, _signal_name(attempt.stop_signal)) for attempt in attempts],
        "waiting": waiting,
        "reported_error": _reported_error(run),
        "warnings": unmet.warnings(run),
        "command_line": _command_line(run),
        "limits": _limits(run),
        "exit_signal": _signal_name(run.exit_signal),
        "cancel_requested_by": run.cancel_requested_by,
        "latest_attempt": attempts[0] if attempts else None,
        "stop_signal": _signal_name(attempts[0].stop_signal) if attempts else "",
        "resubmitted_from": run.resubmitted_from,
        "resubmissions": run.resubmissions.order_by("pk").only("run_id", "display_name", "number")[:_RESUBMISSIONS],
        "requirements": run.requirements if isinstance(run.requirements, str) else "\n".join(run.requirements or []),
    }
    return live.respond(request, "run/run_detail.html", context, fragment="run-details", version=version)


def _reported_error(run: Run) -> str:
    """Return what the script said went wrong though it ran on. A failed run shows its error as such."""
    is_tried_again = run.status in UNCLAIMED  # then it is what ended the attempt before
    return "" if run.status == RunStatus.FAILED or run.fails_when_stopped or is_tried_again else run.error


def _limits(run: Run) -> list[tuple[str, str]]:
    """Return the limits of the run's own, with what they limit, in words."""
    limits = [
        (_("Memory"), run.memory_bytes and filesizeformat(run.memory_bytes)),
        (_("Processes"), run.process_count and str(run.process_count)),
        (_("Processor time"), run.cpu_seconds and f"{run.cpu_seconds} s"),
        (_("Size of a file"), run.file_bytes and filesizeformat(run.file_bytes)),
    ]
    return [(name, limit) for name, limit in limits if limit]


def _command_line(run: Run) -> str:
    """Return what is executed, quoted as a shell would want it."""
    return shlex.join([*(run.command or ([run.script] if run.script else [])), *run.arguments])


def _signal_name(number: int | None) -> str:
    """Return `SIGTERM` for 15; a number that this machine does not know stays a number."""
    if not number:
        return ""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
