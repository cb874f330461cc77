"""A chart of several series as SVG, and as the document from which chart.js draws the same: numbers only, no rows."""

import json
import math
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from django.utils import timezone

from runs.templatetags.studio import duration

WIDTH, HEIGHT = 420, 200
_LEFT, _RIGHT, _TOP, _BOTTOM = 58, 14, 10, 34
_DOTS = 300
COLORS = 8


@dataclass(frozen=True)
class Series:
    """A named series in the order of x; `run` is whose it is, or `runs` whose each of its points is."""

    name: str
    points: Sequence[tuple[float, float]]
    color: int = 1
    run: str = ""
    runs: Sequence[str] = ()
    # How many of its values are no finite numbers, and so have no place.
    odd_count: int = 0


@dataclass(frozen=True)
class Shape:
    """One series, drawn."""

    name: str
    color: int
    path: str = ""
    dots: Sequence[tuple[str, str, str]] = ()
    bars: Sequence[tuple[str, str, str, str, str]] = ()


@dataclass(frozen=True)
class Plot:
    """A chart, ready for a template; `data` is the document of chart.js."""

    kind: str
    x_label: str
    x_kind: str
    series: Sequence[Series]
    shapes: Sequence[Shape] = ()
    x_ticks: Sequence[tuple[str, str]] = ()
    y_ticks: Sequence[tuple[str, str]] = ()
    width: int = WIDTH
    height: int = HEIGHT
    left: int = _LEFT
    right: int = WIDTH - _RIGHT
    bottom: int = HEIGHT - _BOTTOM
    middle: int = field(default=(WIDTH + _LEFT - _RIGHT) // 2)

    @property
    def data(self) -> str:
        """Return what chart.js draws."""
        series = [
            {"label": one.name, "run": one.run, "color": one.color, "points": list(one.points)}
            | ({"runs": list(one.runs)} if one.runs else {})
            for one in self.series
        ]
        x: dict[str, Any] = {"label": self.x_label, "kind": self.x_kind}
        return json.dumps({"kind": self.kind, "x": x, "series": series}, ensure_ascii=False, separators=(",", ":"))

    @property
    def odd_count(self) -> int:
        """Return how many values are no finite numbers."""
        return sum(series.odd_count for series in self.series)


def draw(series: Sequence[Series], *, kind: str, x_label: str, x_kind: str = "number") -> Plot:
    """Return the chart of `series`: a line, scatter or bar chart, over numbers, seconds or the time of day."""
    xs = [x for one in series for x, _y in one.points]
    ys = [y for one in series for _x, y in one.points]
    if not xs:
        return Plot(kind, x_label, x_kind, series)
    x_low, x_high = _range(xs)
    if kind == "bar":
        ys = [*ys, 0.0]
    y_low, y_high = _range(ys)
    y_marks = _steps(y_low, y_high, 5)
    y_low, y_high = min(y_low, *y_marks), max(y_high, *y_marks)
    # Bars need room beside the first and the last.
    pad = (WIDTH - _LEFT - _RIGHT) / (2 * len(set(xs)) + 2) if kind == "bar" else 4

    def place_x(x: float) -> float:
        return _LEFT + pad + (x - x_low) / (x_high - x_low) * (WIDTH - _LEFT - _RIGHT - 2 * pad)

    def place_y(y: float) -> float:
        # Halved, since the range of two great doubles is more than a double holds.
        share = (y / 2 - y_low / 2) / (y_high / 2 - y_low / 2)
        return HEIGHT - _BOTTOM - share * (HEIGHT - _TOP - _BOTTOM)

    width = max(1.0, min(24.0, 1.4 * pad / max(1, len(series))))
    floor = place_y(max(y_low, min(0.0, y_high)))
    shapes = []
    for number, one in enumerate(series):
        placed = [(place_x(x), place_y(y)) for x, y in one.points]
        labels = [f"{one.name}, {_x_label(x, x_kind)}: {y:.6g}" for x, y in one.points]
        if kind == "bar":
            left = (number - len(series) / 2) * width
            bars = [
                (f"{x + left:.1f}", f"{min(y, floor):.1f}", f"{width * 0.9:.1f}", f"{abs(floor - y):.1f}", label)
                for (x, y), label in zip(placed, labels, strict=True)
            ]
            shapes.append(Shape(one.name, one.color, bars=bars))
            continue
        dots = [(f"{x:.1f}", f"{y:.1f}", label) for (x, y), label in zip(placed, labels, strict=True)]
        path = "M" + " L".join(f"{x:.1f} {y:.1f}" for x, y in placed) if kind == "line" and placed else ""
        is_dotted = kind == "scatter" or len(xs) <= _DOTS // 4
        shapes.append(Shape(one.name, one.color, path, dots[:_DOTS] if is_dotted else ()))
    return Plot(
        kind,
        x_label,
        x_kind,
        series,
        shapes,
        [(f"{place_x(x):.1f}", _x_label(x, x_kind)) for x in _x_marks(x_low, x_high, x_kind, min(xs), max(xs))],
        [(f"{place_y(y):.1f}", f"{y:.4g}") for y in y_marks],
    )


def _x_marks(low: float, high: float, kind: str, first: float, latest: float) -> list[float]:
    marks = [mark for mark in _steps(low, high, 4) if low <= mark <= high]
    if kind == "number" and first.is_integer() and latest.is_integer():
        return [mark for mark in marks if float(mark).is_integer()] or [first]
    return marks


def _x_label(x: float, kind: str) -> str:
    if kind == "seconds":
        return duration(x)
    if kind == "time":
        return timezone.localtime(datetime.fromtimestamp(x, UTC)).strftime("%m-%d %H:%M")
    return f"{x:.6g}" if abs(x) < 1e6 else f"{x:.4g}"


def _range(values: Iterable[float]) -> tuple[float, float]:
    values = list(values)
    low, high = min(values), max(values)
    if low == high:
        pad = abs(low) * 0.05 or 0.5
        # The greatest double has nothing above it.
        return max(low - pad, -sys.float_info.max), min(high + pad, sys.float_info.max)
    return low, high


def _steps(low: float, high: float, count: int) -> list[float]:
    """Return about `count` round numbers around `low` to `high`."""
    span = high / count - low / count
    if not math.isfinite(span) or span <= 0:
        return [low, high]
    # Below the smallest normal double there is nothing round.
    power = 10.0 ** max(-300, math.floor(math.log10(span)))
    step = next((factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= span), 10 * power)
    first, after = math.floor(low / step), math.ceil(high / step)
    marks = [number * step for number in range(first, after + 1)]
    return marks if all(map(math.isfinite, marks)) and len(marks) <= 2 * count + 2 else [low, high]
