"""The pictures of a comparison: curves laid over each other, a scatter plot, parallel coordinates. SVG by templates."""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Case, F, IntegerField, Max, Min, Q, Value, When
from django.utils.translation import gettext as _

from runs.actions import pyramid
from runs.models import Metric, MetricBucket, MetricPoint, Run
from runs.models.metric import MetricKind
from runs.views import run_chart
from runs.views.compare_facts import Row
from runs.views.curves import CurvePoint

COLORS = 8
# Stretches of a curve, of each of which the least and the greatest are drawn.
_STRETCHES = 80
_AXES = 8
_WIDTH, _HEIGHT, _SIDE, _TOP, _BOTTOM = 900, 260, 60, 28, 20


@dataclass(frozen=True)
class Axis:
    """One axis of the parallel coordinates."""

    name: str
    x: str
    low: str
    high: str


@dataclass(frozen=True)
class Strand:
    """One run across all axes."""

    title: str
    color: int
    path: str


@dataclass(frozen=True)
class Parallel:
    """Parallel coordinates, ready to draw."""

    axes: list[Axis]
    strands: list[Strand]
    width: int = _WIDTH
    height: int = _HEIGHT
    top: int = _TOP
    bottom: int = _HEIGHT - _BOTTOM


def color(place: int) -> int:
    """Return the color of the run at `place`: there are eight, and names tell those apart that share one."""
    return place % COLORS + 1


def curves(runs: Sequence[Run], metrics: Sequence[Metric], names: Sequence[str]) -> list[tuple[str, run_chart.Chart]]:
    """Return a chart for each of `names` that has a curve, with one line for each run; three queries in all."""
    series = [metric for metric in metrics if metric.name in names and metric.kind == MetricKind.NUMBER]
    points = _short([metric for metric in series if metric.point_count <= pyramid.BEGINS_AFTER])
    points |= _long([metric for metric in series if metric.point_count > pyramid.BEGINS_AFTER])
    charts = []
    for name in names:
        own = {metric.run_id: metric for metric in series if metric.name == name}
        lines = [
            run_chart.Line(run.title, points[own[run.pk].pk], own[run.pk].point_count, color(place))
            for place, run in enumerate(runs)
            if run.pk in own and points.get(own[run.pk].pk)
        ]
        if lines:
            charts.append((name, run_chart.draw(lines, x_label=_("Step"))))
    return charts


def _short(series: Sequence[Metric]) -> dict[int, list[CurvePoint]]:
    """Read series point by point, in stretches that the database makes."""
    found = MetricPoint.objects.filter(metric__in=series).order_by()
    ends = {
        name: (low, high) for name, low, high in found.values_list("metric__name").annotate(Min("step"), Max("step"))
    }
    # Divided before multiplied: steps may be nanoseconds, and a product would not fit.
    widths = {name: max(1, -(-(high - low + 1) // _STRETCHES)) for name, (low, high) in ends.items()}
    cases = [When(metric__name=name, then=(F("step") - ends[name][0]) / widths[name]) for name in ends]
    if not cases:
        return {}
    stretches = (
        found.annotate(stretch=Case(*cases, default=Value(0), output_field=IntegerField()))
        .values_list("metric", "stretch")
        .annotate(least=Min("value"), greatest=Max("value"), text=Max("text"))
        .order_by("metric", "stretch")
    )
    names = {metric.pk: metric.name for metric in series}
    points: dict[int, list[CurvePoint]] = defaultdict(list)
    for pk, stretch, least, greatest, text in stretches:
        x = ends[names[pk]][0] + stretch * widths[names[pk]]
        points[pk] += _points(x, least, greatest, text)
    return points


def _long(series: Sequence[Metric]) -> dict[int, list[CurvePoint]]:
    """Read long series from the level of their pyramids that is short enough."""
    wanted = Q(pk__in=[])
    for metric in series:
        level = max(0, math.ceil(math.log(metric.point_count / 8 / _STRETCHES, 4)))
        wanted |= Q(metric=metric, level=level)
    buckets = MetricBucket.objects.filter(wanted).order_by("metric", "number")
    points: dict[int, list[CurvePoint]] = defaultdict(list)
    for pk, x, least, greatest, text in buckets.values_list("metric", "step_low", "min_value", "max_value", "odd_text"):
        points[pk] += _points(x, least, greatest, text)
    return points


def _points(x: float, least: float | None, greatest: float | None, text: str) -> list[CurvePoint]:
    points = [CurvePoint(x, y) for y in dict.fromkeys((least, greatest)) if y is not None]
    return [*points, CurvePoint(x, None, text)] if text or not points else points


def numeric(rows: Sequence[Row], *, only_differing: bool = True) -> dict[str, list[float | None]]:
    """Return those of `rows` that are numbers, and differ, by name."""
    return {
        row.name: row.cells
        for row in rows
        if (row.differs or not only_differing)
        and all(cell is None or _is_number(cell) for cell in row.cells)
        and sum(cell is not None for cell in row.cells) > 1
    }


def scatter(
    runs: Sequence[Run], xs: Sequence[float | None], ys: Sequence[float | None], *, x_label: str
) -> run_chart.Chart:
    """Return a point for each run that has both numbers."""
    lines = [
        run_chart.Line(run.title, [CurvePoint(x, y)], 1, color(place))
        for place, (run, x, y) in enumerate(zip(runs, xs, ys, strict=True))
        if x is not None and y is not None
    ]
    return run_chart.draw(lines, x_label=x_label, width=640, height=260)


def parallel(runs: Sequence[Run], numbers: Mapping[str, Sequence[float | None]]) -> Parallel | None:
    """Return a line for each run across up to eight axes; None if there are not two."""
    names = list(numbers)[:_AXES]
    if len(names) < 2:
        return None
    step = (_WIDTH - 2 * _SIDE) / (len(names) - 1)
    axes, heights = [], []
    for place, name in enumerate(names):
        known = [value for value in numbers[name] if value is not None]
        low, high = min(known), max(known)
        axes.append(Axis(name, f"{_SIDE + place * step:.1f}", f"{low:.4g}", f"{high:.4g}"))
        heights.append([None if value is None else _height(value, low, high) for value in numbers[name]])
    strands = []
    for place, run in enumerate(runs):
        path, pen = "", "M"
        for axis, column in zip(axes, heights, strict=True):
            height = column[place]
            # What has no value on an axis breaks the line.
            path, pen = (path, "M") if height is None else (f"{path}{pen}{axis.x} {height} ", "L")
        strands.append(Strand(run.title, color(place), path.strip()))
    return Parallel(axes, strands)


def _height(value: float, low: float, high: float) -> str:
    share = 0.5 if low == high else (value / 2 - low / 2) / (high / 2 - low / 2)
    return f"{_HEIGHT - _BOTTOM - share * (_HEIGHT - _BOTTOM - _TOP):.1f}"


def _is_number(cell: Any) -> bool:
    return isinstance(cell, int | float) and not isinstance(cell, bool) and math.isfinite(cell)
