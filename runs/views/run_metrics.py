"""The Metrics tab: a table of all series, and a chart, table, text or image for the chosen ones."""

import json
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

from django.db.models import Count, F, Max, Min
from django.http import HttpResponse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from runs import permissions, shapes
from runs.models import Metric, MetricPoint, Run
from runs.models.metric import MetricKind
from runs.views import live, run_chart, run_code, run_page
from runs.views.request import SignedInRequest

_LISTED = 500
# So many series are drawn at first, and at most.
_DRAWN, _DRAWN_AT_MOST = 12, 50
# A series of at most so many points is read whole; a longer one is cut into buckets by the database.
_READ_POINTS = 5_000
_MARKS = 200
_SHOWN_ROWS = 200
_SHOWN_IMAGES = 24
_DOCUMENT_CHARACTERS = 20_000


@dataclass
class View:
    """How one series is shown: one of a chart, a table, texts, images or a document."""

    metric: Metric
    latest: Any
    chart: run_chart.Chart | None = None
    columns: list[str] = field(default_factory=list)
    rows: list[list[Any]] = field(default_factory=list)
    texts: list[MetricPoint] = field(default_factory=list)
    images: list[MetricPoint] = field(default_factory=list)
    document: run_code.Code | None = None


@require_GET
def run_metrics(request: SignedInRequest, run_id: str) -> HttpResponse:
    """Show the series of the run. `?name=`, any number of times, chooses which are drawn."""
    run = permissions.get_run(request.user, run_id)

    names = request.GET.getlist("name")[:_DRAWN_AT_MOST]
    series = list(Metric.objects.filter(run=run).order_by("name")[:_LISTED])
    chosen = list(Metric.objects.filter(run=run, name__in=names).order_by("name")) if names else series[:_DRAWN]
    context = run_page.frame(request, run, tab="run_metrics")

    version = live.version_of(
        [(metric.name, metric.point_count, metric.latest_at) for metric in series], run.is_terminal, names
    )
    if live.is_partial(request) and request.GET.get("v") == version:
        # Before the points are read: a quiet page costs two queries.
        return live.respond(request, "run/run_metrics.html", {}, fragment="run-metrics", version=version)
    context |= {
        "version": version,
        "series": [(metric, shapes.latest(metric)) for metric in series],
        "chosen_names": {metric.name for metric in chosen},
        "views": views_of(run, chosen),
        "is_cut": len(series) == _LISTED,
    }
    return live.respond(request, "run/run_metrics.html", context, fragment="run-metrics", version=version)


def views_of(run: Run, series: list[Metric]) -> list[View]:
    """Return how each of `series` is shown. Short series are read together, each long one by itself."""
    small = [metric for metric in series if metric.point_count <= _READ_POINTS]
    points: dict[int, list[MetricPoint]] = defaultdict(list)
    for point in MetricPoint.objects.filter(metric__in=small).order_by("metric", "step", "id"):
        points[point.metric_id].append(point)
    return [_view(metric, points[metric.pk] if metric in small else None) for metric in series]


def _view(metric: Metric, points: list[MetricPoint] | None) -> View:
    view = View(metric, shapes.latest(metric))
    if metric.kind == MetricKind.NUMBER:
        if points is None:
            view.chart = _long_chart(metric)
        elif len(points) > 1:
            drawn = [run_chart.Point(point.step, point.value, point.text) for point in points]
            reduced = run_chart.reduce(drawn)
            view.chart = run_chart.draw(
                reduced, point_count=len(points), x_label=_("Step"), is_reduced=len(reduced) < len(drawn)
            )
        return view
    # The other kinds show their beginning, however long they are.
    first = points if points is not None else list(metric.points.order_by("step", "id")[:_SHOWN_ROWS])
    if metric.kind == MetricKind.ROW:
        _show_rows(view, first)
    elif metric.kind == MetricKind.IMAGE:
        view.images = first[-_SHOWN_IMAGES:]
    elif metric.kind == MetricKind.DOCUMENT:
        view.document = run_code.of_json(_indented(metric.latest_text)[:_DOCUMENT_CHARACTERS])
    else:
        view.texts = first[-_SHOWN_ROWS:]
    return view


def _long_chart(metric: Metric) -> run_chart.Chart:
    ends = metric.points.aggregate(low=Min("step"), high=Max("step"))
    # Divided first: steps may be nanoseconds, and a product would not fit.
    width = max(1, -(-(ends["high"] - ends["low"] + 1) // run_chart.BUCKETS))
    buckets = (
        metric.points.filter(value__isnull=False)
        .annotate(bucket=(F("step") - ends["low"]) / width)
        .values("bucket")
        .annotate(least=Min("value"), greatest=Max("value"), count=Count("id"))
        .order_by("bucket")
    )
    points = []
    for bucket in buckets:
        step = ends["low"] + bucket["bucket"] * width
        points.append(run_chart.Point(step, bucket["least"]))
        if bucket["greatest"] != bucket["least"]:
            points.append(run_chart.Point(step, bucket["greatest"]))
    marks = metric.points.filter(value__isnull=True).order_by("step", "id").values_list("step", "text")[:_MARKS]
    points += [run_chart.Point(step, None, text) for step, text in marks]
    points.sort(key=lambda point: point.x)
    return run_chart.draw(points, point_count=metric.point_count, x_label=_("Step"), is_reduced=True)


def _show_rows(view: View, points: list[MetricPoint]) -> None:
    rows = [row for row in (_parsed(point.text) for point in points) if isinstance(row, dict)]
    view.columns = list(dict.fromkeys(key for row in rows for key in row))
    view.rows = [[row.get(column) for column in view.columns] for row in rows[:_SHOWN_ROWS]]
    # Two columns of numbers are a line of two variables, as in Azure ML.
    if len(view.columns) == 2 and len(rows) > 1 and all(_is_number(cell) for row in rows for cell in row.values()):
        x, y = view.columns
        pairs = sorted((row[x], row[y]) for row in rows if x in row and y in row)
        drawn = run_chart.reduce([run_chart.Point(*pair) for pair in pairs])
        view.chart = run_chart.draw(drawn, point_count=len(pairs), x_label=x, is_reduced=len(drawn) < len(pairs))


def _is_number(cell: Any) -> bool:
    return isinstance(cell, int | float) and not isinstance(cell, bool) and abs(cell) < float("inf")


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None


def _indented(text: str) -> str:
    parsed = _parsed(text)
    return text if parsed is None else json.dumps(parsed, indent=2, ensure_ascii=False)
