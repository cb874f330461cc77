"""A chart of one or more lines as SVG: what a template needs to draw it, all numbers computed.

What is no number is a mark at the edge and no gap. Where scripts run, `run-metrics.js`
draws the same document (see `document`) in its place.
"""

import math
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.utils import timezone
from django.utils.formats import date_format

from runs.templatetags.studio import duration
from runs.views.curves import Axis, CurvePoint

WIDTH, HEIGHT = 420, 200
_LEFT, _RIGHT, _TOP, _BOTTOM = 56, 14, 12, 30
_DOTS = 60
_COLORS = 8
# What one line shows at most without scripts, where a page has many of them.
SVG_POINTS = 600


@dataclass(frozen=True)
class Line:
    """A curve to draw: its name, its points in the order of x, and how many points they stand for."""

    name: str
    points: Sequence[CurvePoint]
    point_count: int
    color: int = 1
    # The same, smoothed; the points are then drawn paler.
    smooth: Sequence[CurvePoint] = ()


@dataclass(frozen=True)
class Tick:
    """A line of the grid: where it is, and what it is called."""

    at: str
    label: str


@dataclass(frozen=True)
class Mark:
    """A point that is no finite number, at the top or bottom edge."""

    x: str
    y: str
    title: str


@dataclass(frozen=True)
class Drawn:
    """One line, drawn: paths for the points and for the smoothed ones."""

    name: str
    color: int
    path: str
    smooth: str
    dots: list[tuple[str, str, str]]


@dataclass(frozen=True)
class Chart:
    """A chart, ready to draw: places are texts, so that no language writes them its own way."""

    lines: list[Drawn]
    marks: list[Mark]
    x_ticks: list[Tick]
    y_ticks: list[Tick]
    drawn_count: int
    point_count: int
    x_label: str
    width: int
    height: int
    left: int
    right: int
    top: int
    bottom: int
    # What the upper edge stands for.
    y_high: float
    # Points that a log scale cannot show.
    hidden_count: int = 0

    @property
    def is_reduced(self) -> bool:
        """Return whether points were left out."""
        return self.drawn_count < self.point_count


def draw(
    lines: Sequence[Line],
    *,
    x_label: str,
    axis: Axis = Axis.STEP,
    is_log: bool = False,
    width: int = WIDTH,
    height: int = HEIGHT,
) -> Chart:
    """Return the chart of `lines`. On a log scale, points at and below zero are left out and counted."""
    shown = [line for line in lines if line.points]
    every = [point for line in shown for point in line.points]
    finite = [(point.x, point.y) for point in every if point.y is not None]
    ys = [y for _, y in finite if y > 0] if is_log else [y for _, y in finite]
    x_low, x_high = _range(point.x for point in every)
    if is_log:
        y_ticks, y_low, y_high = _log_range(ys)
    else:
        y_ticks, y_low, y_high = _nice(*_range(ys))
    left, right, top, bottom = _LEFT, width - _RIGHT, _TOP, height - _BOTTOM

    def place_x(x: float) -> str:
        # Halved, since the range of two great doubles is more than a double holds.
        return f"{left + (x / 2 - x_low / 2) / (x_high / 2 - x_low / 2) * (right - left):.1f}"

    def place_y(y: float) -> str:
        if is_log:
            # Between the greatest doubles there is no room for an axis.
            decades = math.log10(y_high) - math.log10(y_low) or 1.0
            share = (math.log10(y) - math.log10(y_low)) / decades
        else:
            share = (y / 2 - y_low / 2) / (y_high / 2 - y_low / 2)
        return f"{bottom - share * (bottom - top):.1f}"

    def path(points: Sequence[CurvePoint]) -> list[tuple[str, str]]:
        return [
            (place_x(point.x), place_y(min(max(point.y or 0.0, y_low), y_high))) for point in _drawable(points, is_log)
        ]

    drawn = []
    for line in shown:
        placed = path(line.points)
        labels = [f"{point.x:g}: {point.y:g}" for point in _drawable(line.points, is_log)]
        dots = [(x, y, label) for (x, y), label in zip(placed, labels, strict=True)] if len(placed) <= _DOTS else []
        drawn.append(Drawn(line.name, line.color, _joined(placed), _joined(path(line.smooth)), dots))
    return Chart(
        lines=drawn,
        marks=[
            Mark(place_x(point.x), str(bottom - 5 if point.text == "-Infinity" else top + 5), _title(point))
            for point in every
            if point.y is None
        ],
        x_ticks=[
            Tick(place_x(x), _x_label(x, axis, x_high - x_low))
            for x in _steps(x_low, x_high, 5)
            if x_low <= x <= x_high
        ],
        y_ticks=[Tick(place_y(y), _label(y)) for y in y_ticks],
        drawn_count=len(every),
        point_count=sum(line.point_count for line in shown),
        x_label=x_label,
        width=width,
        height=height,
        left=left,
        right=right,
        top=top,
        bottom=bottom,
        y_high=y_high,
        hidden_count=len(finite) - len(ys),
    )


def document(lines: Sequence[Line], *, x_label: str, axis: Axis, is_log: bool, caption: str) -> dict[str, Any]:
    """Return what the script draws: series of [x, y], and the marks apart, at the edges of what is drawn."""
    finite = [point.y for line in lines for point in _drawable(line.points, is_log) if point.y is not None]
    low, high = (min(finite), max(finite)) if finite else (1.0, 1.0)
    series: list[dict[str, Any]] = []
    for line in lines:
        points = [[point.x, point.y] for point in _drawable(line.points, is_log)]
        series.append({"label": line.name, "color": line.color, "points": points, "isPale": bool(line.smooth)})
        if line.smooth:
            smooth = [[point.x, point.y] for point in _drawable(line.smooth, is_log)]
            series.append({"label": f"{line.name} ~", "color": line.color, "points": smooth})
        if odd := [point for point in line.points if point.y is None]:
            places = [[point.x, low if point.text == "-Infinity" else high] for point in odd]
            words = [point.text or "NaN" for point in odd]
            series.append({"label": f"{line.name} ×", "color": line.color, "points": places, "words": words})
    kind = {Axis.STEP: "number", Axis.TIME: "time", Axis.RELATIVE: "seconds"}[axis]
    return {
        "kind": "line",
        "x": {"label": x_label, "kind": kind},
        "log": is_log,
        "caption": caption,
        "series": series,
    }


def color_of(place: int) -> int:
    """Return the number of the color of the line at `place`."""
    return place % _COLORS + 1


def smoothed(points: Sequence[CurvePoint], weight: float) -> list[CurvePoint]:
    """Return the running mean of `points` in which each counts `weight` times as much as the next one."""
    mean, norm, kept = 0.0, 0.0, []
    for point in points:
        if point.y is None:
            continue
        mean = mean * weight + point.y * (1 - weight)
        norm = norm * weight + (1 - weight)
        # Without the norm the beginning would lean to zero.
        value = mean / norm
        if math.isfinite(value):
            kept.append(CurvePoint(point.x, value))
    return kept


def _drawable(points: Sequence[CurvePoint], is_log: bool) -> list[CurvePoint]:
    """Return those of `points` that have a place on the scale."""
    return [point for point in points if point.y is not None and not (is_log and point.y <= 0)]


def _joined(placed: Sequence[tuple[str, str]]) -> str:
    return "M" + " L".join(f"{x} {y}" for x, y in placed) if placed else ""


def _title(point: CurvePoint) -> str:
    return f"{point.x:g}: {point.text or 'NaN'}"


def _range(values: Iterable[float]) -> tuple[float, float]:
    values = list(values)
    if not values:
        return 0.0, 1.0
    low, high = float(min(values)), float(max(values))
    if low == high:
        pad = abs(low) * 0.05 or 0.5
        # The greatest double has nothing above it.
        return max(low - pad, -sys.float_info.max), min(high + pad, sys.float_info.max)
    return low, high


def _log_range(values: Sequence[float]) -> tuple[list[float], float, float]:
    """Return powers of ten around `values`, all above zero, and the range that they span."""
    if not values:
        return [1.0, 10.0], 1.0, 10.0
    low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
    low, high = max(low, -307), min(max(high, low + 1), 308)
    stride = max(1, -(-(high - low) // 5))
    return [10.0**power for power in range(low, high + 1, stride)], 10.0**low, 10.0**high


def _nice(low: float, high: float) -> tuple[list[float], float, float]:
    """Return round ticks around `low` to `high`, and the range that they span."""
    ticks = _steps(low, high, 5)
    if len(ticks) < 2 or not all(map(math.isfinite, ticks)) or ticks[0] == ticks[-1]:
        return [low, high], low, high
    return ticks, min(low, ticks[0]), max(high, ticks[-1])


def _steps(low: float, high: float, count: int) -> list[float]:
    span = high / count - low / count
    if not math.isfinite(span) or span <= 0:
        return [low, high]
    # Below the smallest normal double there is nothing round.
    power = 10.0 ** max(-300, math.floor(math.log10(span)))
    step = next((factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= span), 10 * power)
    first = math.floor(low / step)
    return [round((first + place) * step, 12) if step > 1e-9 else (first + place) * step for place in range(count + 3)][
        : math.ceil(high / step) - first + 1
    ]


def _x_label(value: float, axis: Axis, span: float) -> str:
    if axis is Axis.RELATIVE:
        return duration(value) if value >= 0 else _label(value)
    if axis is Axis.TIME:
        try:
            at = timezone.localtime(datetime.fromtimestamp(value, UTC))
        except (ValueError, OverflowError, OSError):
            return _label(value)
        return date_format(at, "j M H:i" if span > 86_400 else "H:i" if span > 600 else "H:i:s")
    return _label(value)


def _label(value: float) -> str:
    return f"{value:.4g}" if abs(value) < 1e5 or abs(value) >= 1e15 or value != int(value) else _short(value)


def _short(value: float) -> str:
    """Return a great whole number with its thousand, million or billion as a letter."""
    for unit, letter in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= unit:
            return f"{value / unit:.4g}{letter}"
    return f"{value:.4g}"
