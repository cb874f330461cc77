"""The Monitoring tab: what the processes of an attempt and its machine were busy with, and their packages."""

import json
from dataclasses import dataclass
from typing import Any

from django.http import Http404, HttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET

from runs import permissions
from runs.models import Attempt, Metric, Run, SystemMetrics
from runs.models.metric import SYSTEM_PREFIX, MetricKind
from runs.views import curves, live, run_chart, run_page
from runs.views.curves import Axis, CurvePoint, Window
from runs.views.request import SignedInRequest

_POLL_SECONDS = 5
_MEBIBYTE = 2**20
# So many series that a client measured itself are drawn.
_REPORTED = 50
# The charts: what each is called, its unit, how many of ours are one of it, and its columns with their names.
_CHARTS: tuple[tuple[Any, str, float, dict[str, Any]], ...] = (
    (gettext_lazy("Processor"), "%", 1, {"cpu": gettext_lazy("this run"), "machine_cpu": gettext_lazy("machine")}),
    (
        gettext_lazy("Memory"),
        "MiB",
        _MEBIBYTE,
        {"memory": gettext_lazy("this run"), "machine_memory": gettext_lazy("machine")},
    ),
    (
        gettext_lazy("Disk"),
        "MiB/s",
        _MEBIBYTE,
        {"disk_read": gettext_lazy("read"), "disk_written": gettext_lazy("written")},
    ),
    (
        gettext_lazy("Network of the machine"),
        "MiB/s",
        _MEBIBYTE,
        {"received": gettext_lazy("received"), "sent": gettext_lazy("sent")},
    ),
    (
        gettext_lazy("Processes"),
        "",
        1,
        {"processes": gettext_lazy("processes"), "threads": gettext_lazy("threads")},
    ),
)


@dataclass(frozen=True)
class Monitored:
    """One chart with its title, its unit, and what it is drawn from by the script of the page."""

    key: str
    title: str
    unit: str
    chart: run_chart.Chart
    document: str


@require_GET
def run_monitoring(request: SignedInRequest, run_id: str) -> HttpResponse:
    """Show the latest attempt, or the one that `?attempt=` names."""
    run = permissions.get_run(request.user, run_id)

    attempts = list(Attempt.objects.filter(run=run).order_by("-number").values_list("number", flat=True)[:100])
    wanted = request.GET.get("attempt", "")
    number = int(wanted) if wanted.isascii() and wanted.isdigit() and len(wanted) < 9 else next(iter(attempts), None)
    if wanted and number not in attempts:
        raise Http404
    attempt = Attempt.objects.filter(run=run, number=number or 0).select_related("python_environment").first()
    metrics = SystemMetrics.objects.filter(attempt=attempt).first() if attempt else None

    reported = list(
        Metric.objects.of_the_machine().filter(run=run, kind=MetricKind.NUMBER).order_by("name")[:_REPORTED]
    )

    version = live.version_of(
        metrics and metrics.updated_at,
        number,
        len(attempts),
        run.is_terminal,
        [(metric.name, metric.point_count) for metric in reported],
    )
    context = run_page.frame(request, run, tab="run_monitoring") | {
        "version": version,
        "poll_seconds": _POLL_SECONDS,
        "attempts": attempts,
        "attempt": attempt,
        "metrics": metrics,
        "machine": metrics.data.get("machine", {}) if metrics else {},
        "monitored": _monitored(metrics.data) if metrics else [],
        "reported": _reported(run, reported),
        "environment": attempt.python_environment if attempt else None,
    }
    return live.respond(request, "run/run_monitoring.html", context, fragment="run-monitoring", version=version)


def _monitored(data: dict[str, Any]) -> list[Monitored]:
    columns = data.get("columns", {})
    charts = list(_CHARTS)
    for place, name in enumerate(data.get("machine", {}).get("gpus", [])):
        charts.append((f"GPU {place}: {name}", "%", 1, {f"gpu{place}": _("busy")}))
        charts.append((_("GPU %d: memory") % place, "MiB", _MEBIBYTE, {f"gpu{place}_memory": _("taken")}))
    shown = []
    for title, unit, per, names in charts:
        lines = []
        for place, (column, name) in enumerate(names.items()):
            found = _points(columns.get(column, []), data["interval"], per)
            if found:
                lines.append(run_chart.Line(str(name), found[0], len(found[0]), run_chart.color_of(place), found[1]))
        if lines:
            label = _("Since the start")
            shown.append(
                Monitored(
                    next(iter(names)),
                    str(title),
                    unit,
                    run_chart.draw(lines, x_label=label, axis=Axis.RELATIVE),
                    _document(lines, label),
                )
            )
    return shown


def _reported(run: Run, series: list[Metric]) -> list[Monitored]:
    """Return the charts of what the run's own client measured, as MLflow's does. It says the unit in the name."""
    window = Window(Axis.RELATIVE, began_at=run.started_at or run.created_at)
    read = curves.read(series, window=window, points=run_chart.SVG_POINTS)
    label = _("Since the start")
    shown = []
    for metric in series:
        points = read[metric.pk].points
        line = run_chart.Line(metric.name, points, read[metric.pk].point_count, run_chart.color_of(0))
        title = metric.name.removeprefix(SYSTEM_PREFIX).replace("_", " ")
        drawing = run_chart.draw([line], x_label=label, axis=Axis.RELATIVE)
        shown.append(Monitored(f"metric-{metric.pk}", title, "", drawing, _document([line], label)))
    return shown


def _points(
    column: list[list[float] | None], interval: float, per: float
) -> tuple[list[CurvePoint], list[CurvePoint]] | None:
    """Return the peaks, which are drawn paler, and the means of a column."""
    slots = [(place * interval, slot) for place, slot in enumerate(column) if slot is not None]
    if not slots:
        return None
    peaks = [CurvePoint(x, slot[1] / per) for x, slot in slots]
    return peaks, [CurvePoint(x, slot[0] / per) for x, slot in slots]


def _document(lines: list[run_chart.Line], label: str) -> str:
    """Return what chart.js draws: the means alone where there are peaks too."""
    document = {
        "kind": "line",
        "x": {"label": label, "kind": "seconds"},
        "series": [
            {
                "label": line.name,
                "color": line.color,
                "points": [[point.x, point.y] for point in line.smooth or line.points],
            }
            for line in lines
        ],
    }
    return json.dumps(document)
