"""The Metrics tab: a tick list of the series, and a chart, table, text, image or figure for each chosen one."""

import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from django.http import HttpResponse, JsonResponse
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from runs import permissions, shapes
from runs.models import Metric, MetricPoint, Run
from runs.models.metric import MetricKind
from runs.views import curves, live, metric_documents, metric_options, run_chart, run_code, run_page
from runs.views.metric_options import Options
from runs.views.request import SignedInRequest

_LISTED = 500
# So many series are drawn at first, and at most.
_DRAWN, _DRAWN_AT_MOST = 12, 50
_SHOWN_ROWS = 200
_SHOWN_IMAGES = 24
_TABLE_POINTS = 200
_DOCUMENT_CHARACTERS = 20_000


@dataclass
class View:
    """How one series, or several in one chart, are shown: a chart, a table, texts, images or a document."""

    metric: Metric
    latest: Any
    chart: run_chart.Chart | None = None
    curves_url: str = ""
    columns: list[str] = field(default_factory=list)
    rows: list[list[Any]] = field(default_factory=list)
    texts: list[MetricPoint] = field(default_factory=list)
    images: list[MetricPoint] = field(default_factory=list)
    figure: metric_documents.Figure | None = None
    document: run_code.Code | None = None


@require_GET
def run_metrics(request: SignedInRequest, run_id: str) -> HttpResponse:
    """Show the series of the run. `?name=`, any number of times, chooses which; see Options for the rest."""
    run = permissions.get_run(request.user, run_id)

    options = metric_options.of_query(request.GET)
    series = list(_series(run, options.find)[:_LISTED])
    chosen = _chosen(run, options) if options.names else series[:_DRAWN]
    context = run_page.frame(request, run, tab="run_metrics")

    version = live.version_of(
        [(metric.name, metric.point_count, metric.latest_at) for metric in [*series, *chosen]], run.is_terminal, options
    )
    if live.is_partial(request) and request.GET.get("v") == version:
        # Before the points are read: a quiet page costs two queries.
        return live.respond(request, "run/run_metrics.html", {}, fragment="run-metrics", version=version)
    views = views_of(run, chosen, options)
    context |= {
        "version": version,
        "options": options,
        "axes": metric_options.AXES.items(),
        "series": [(metric, shapes.latest(metric)) for metric in series],
        "chosen_names": {metric.name for metric in chosen},
        "summaries": [(metric, shapes.latest(metric)) for metric in chosen],
        "views": views,
        "together": _together(run, chosen, options) if options.is_together else None,
        "is_cut": len(series) == _LISTED,
    }
    return live.respond(request, "run/run_metrics.html", context, fragment="run-metrics", version=version)


@require_GET
def run_curves(request: SignedInRequest, run_id: str) -> HttpResponse:
    """Answer the script of the page: the chosen series of numbers, or the part of them that is zoomed into."""
    run = permissions.get_run(request.user, run_id)

    options = metric_options.of_query(request.GET)
    series = [metric for metric in _chosen(run, options) if metric.kind == MetricKind.NUMBER]
    lines = _lines(run, series, options, points=curves.DRAWN_POINTS)
    return JsonResponse(
        run_chart.document(
            lines,
            x_label=metric_options.axis_label(options.axis),
            axis=options.axis,
            is_log=options.is_log,
            caption=_caption(lines),
        )
    )


def views_of(run: Run, series: Sequence[Metric], options: Options = Options()) -> list[View]:  # noqa: B008 - frozen
    """Return how each of `series` is shown. Short series are read together, each long one by itself."""
    views = [View(metric, shapes.latest(metric)) for metric in series]
    numbers = [view for view in views if view.metric.kind == MetricKind.NUMBER]
    if options.is_table:
        _list_points(numbers)
    elif not options.is_together:
        _draw(run, [view for view in numbers if view.metric.point_count > 1], options)
    others = [view for view in views if view.metric.kind != MetricKind.NUMBER]
    points: dict[int, list[MetricPoint]] = defaultdict(list)
    small = [view.metric for view in others if view.metric.point_count <= _SHOWN_ROWS]
    for point in MetricPoint.objects.filter(metric__in=small).order_by("metric", "step", "id"):
        points[point.metric_id].append(point)
    for view in others:
        # The other kinds show their beginning, however long they are.
        is_small = view.metric.point_count <= _SHOWN_ROWS
        _show(
            view, points[view.metric.pk] if is_small else list(view.metric.points.order_by("step", "id")[:_SHOWN_ROWS])
        )
    return views


def _series(run: Run, find: str) -> Any:
    """Return the series to list. Those of the machine are on the Monitoring tab, and here if they are looked for."""
    found = Metric.objects.filter(run=run).order_by("name")
    return found.filter(name__icontains=find) if find else found.of_training()


def _chosen(run: Run, options: Options) -> list[Metric]:
    return list(Metric.objects.filter(run=run, name__in=options.names[:_DRAWN_AT_MOST]).order_by("name"))


def _draw(run: Run, views: list[View], options: Options) -> None:
    points = curves.DRAWN_POINTS if len(views) <= 3 else run_chart.SVG_POINTS
    lines = _lines(run, [view.metric for view in views], options, points=points)
    for view, line in zip(views, lines, strict=True):
        view.chart = _chart([line], options)
        view.curves_url = _curves_url(run, [view.metric], options)


def _together(run: Run, chosen: Sequence[Metric], options: Options) -> View | None:
    """Return all chosen series of numbers in one chart."""
    series = [metric for metric in chosen if metric.kind == MetricKind.NUMBER]
    if not series or options.is_table:
        return None
    lines = _lines(run, series, options, points=run_chart.SVG_POINTS)
    chart = _chart(lines, options, width=900, height=320)
    return View(series[0], None, chart=chart, curves_url=_curves_url(run, series, options))


def _chart(lines: list[run_chart.Line], options: Options, **sizes: int) -> run_chart.Chart:
    label = metric_options.axis_label(options.axis)
    return run_chart.draw(lines, x_label=label, axis=options.axis, is_log=options.is_log, **sizes)


def _lines(run: Run, series: Sequence[Metric], options: Options, *, points: int) -> list[run_chart.Line]:
    read = curves.read(series, window=options.window(began_at=run.started_at or run.created_at), points=points)
    return [
        run_chart.Line(
            metric.name,
            read[metric.pk].points,
            read[metric.pk].point_count,
            run_chart.color_of(place if options.is_together else 0),
            run_chart.smoothed(read[metric.pk].points, options.smooth) if options.smooth else (),
        )
        for place, metric in enumerate(series)
    ]


def _caption(lines: Sequence[run_chart.Line]) -> str:
    drawn, total = sum(len(line.points) for line in lines), sum(line.point_count for line in lines)
    words = _("%(drawn)s of %(total)s points") % {"drawn": f"{drawn:,}", "total": f"{total:,}"}
    return words + "; " + _("least, greatest and last of each stretch") if drawn < total else words


def _curves_url(run: Run, series: Sequence[Metric], options: Options) -> str:
    query = [*(("name", metric.name) for metric in series), *options.pairs()]
    return f"{reverse('run_curves', args=[run.run_id])}?{urlencode(query)}"


def _list_points(views: list[View]) -> None:
    """Give series of numbers as tables of their latest points."""
    for view in views:
        latest = view.metric.points.order_by("-step", "-id")[:_TABLE_POINTS]
        view.columns = [_("Step"), _("Time"), _("Value")]
        view.rows = [[point.step, point.at, point.text if point.value is None else point.value] for point in latest]


def _show(view: View, points: list[MetricPoint]) -> None:
    if view.metric.kind == MetricKind.ROW:
        _show_rows(view, points)
    elif view.metric.kind == MetricKind.IMAGE:
        view.images = points[-_SHOWN_IMAGES:]
    elif view.metric.kind == MetricKind.DOCUMENT:
        document = _parsed(view.metric.latest_text)
        view.figure = metric_documents.figure_of(document)
        if view.figure is None:
            view.document = run_code.of_json(_indented(view.metric.latest_text)[:_DOCUMENT_CHARACTERS])
    else:
        view.texts = points


def _show_rows(view: View, points: list[MetricPoint]) -> None:
    rows = [row for row in (_parsed(point.text) for point in points) if isinstance(row, dict)]
    view.columns = list(dict.fromkeys(key for row in rows for key in row))
    view.rows = [[row.get(column) for column in view.columns] for row in rows[:_SHOWN_ROWS]]
    # Two columns of numbers are a line of two variables, as in Azure ML.
    if len(view.columns) == 2 and len(rows) > 1 and all(_is_number(cell) for row in rows for cell in row.values()):
        x, y = view.columns
        pairs = [curves.CurvePoint(*pair) for pair in sorted((row[x], row[y]) for row in rows if x in row and y in row)]
        view.chart = run_chart.draw([run_chart.Line(y, pairs, view.metric.point_count)], x_label=x)


def _is_number(cell: Any) -> bool:
    return isinstance(cell, int | float) and not isinstance(cell, bool) and abs(cell) < float("inf")


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _indented(text: str) -> str:
    parsed = _parsed(text)
    return text if parsed is None else json.dumps(parsed, indent=2, ensure_ascii=False)
