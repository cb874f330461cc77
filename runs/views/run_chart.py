"""A line chart of one series as SVG: what a template needs to draw it, all numbers computed.

A long series is cut into buckets, of each of which the least and the greatest value are
drawn, so that no spike is lost; the caption says how many points that is. What is no
number is a mark at the edge.
"""

import math
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

WIDTH, HEIGHT = 420, 200
_LEFT, _RIGHT, _TOP, _BOTTOM = 56, 14, 12, 30
BUCKETS = 500
_DOTS = 60


@dataclass(frozen=True)
class Point:
    """A point: `y` is None where it is no finite number, and `text` then says what it is."""

    x: float
    y: float | None
    text: str = ""


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
class Chart:
    """A chart, ready to draw: places are texts, so that no language writes them its own way."""

    path: str
    dots: list[tuple[str, str, str]]
    marks: list[Mark]
    x_ticks: list[Tick]
    y_ticks: list[Tick]
    drawn_count: int
    point_count: int
    x_label: str
    width: int = WIDTH
    height: int = HEIGHT
    left: int = _LEFT
    right: int = WIDTH - _RIGHT
    top: int = _TOP
    bottom: int = HEIGHT - _BOTTOM
    is_reduced: bool = field(default=False)


def draw(points: Sequence[Point], *, point_count: int, x_label: str, is_reduced: bool = False) -> Chart:
    """Return the chart of `points`, in the order of their x; `point_count` is how many they stand for."""
    finite = [(point.x, point.y) for point in points if point.y is not None]
    x_low, x_high = _range(point.x for point in points)
    y_low, y_high = _range(y for _, y in finite)
    y_ticks, y_low, y_high = _nice(y_low, y_high)

    def place_x(x: float) -> str:
        return f"{_LEFT + (x - x_low) / (x_high - x_low) * (WIDTH - _LEFT - _RIGHT):.1f}"

    def place_y(y: float) -> str:
        # Halved, since the range of two great doubles is more than a double holds.
        share = (y / 2 - y_low / 2) / (y_high / 2 - y_low / 2)
        return f"{HEIGHT - _BOTTOM - share * (HEIGHT - _TOP - _BOTTOM):.1f}"

    placed = [(place_x(x), place_y(y)) for x, y in finite]
    labels = [f"{x:g}: {y:g}" for x, y in finite]
    return Chart(
        path="M" + " L".join(f"{x} {y}" for x, y in placed) if placed else "",
        dots=[(x, y, label) for (x, y), label in zip(placed, labels, strict=True)] if len(placed) <= _DOTS else [],
        marks=[_mark(point, place_x(point.x)) for point in points if point.y is None],
        x_ticks=[Tick(place_x(x), _label(x)) for x in _steps(x_low, x_high, 6) if x_low <= x <= x_high],
        y_ticks=[Tick(place_y(y), _label(y)) for y in y_ticks],
        drawn_count=len(points),
        point_count=point_count,
        x_label=x_label,
        is_reduced=is_reduced,
    )


def reduce(points: Sequence[Point], *, buckets: int = BUCKETS) -> list[Point]:
    """Return at most about two points for each of `buckets`: the least and the greatest, in their order."""
    if len(points) <= 2 * buckets:
        return list(points)
    kept: list[Point] = []
    size = math.ceil(len(points) / buckets)
    for start in range(0, len(points), size):
        bucket = points[start : start + size]
        numbers = [(point.y, place) for place, point in enumerate(bucket) if point.y is not None]
        places = {place for place, point in enumerate(bucket) if point.y is None}
        if numbers:
            places |= {min(numbers)[1], max(numbers)[1]}
        kept += [bucket[place] for place in sorted(places)]
    return kept


def _mark(point: Point, x: str) -> Mark:
    is_low = point.text == "-Infinity"
    y = HEIGHT - _BOTTOM - 5 if is_low else _TOP + 5
    return Mark(x, str(y), f"{point.x:g}: {point.text or 'NaN'}")


def _range(values: Iterable[float]) -> tuple[float, float]:
    values = list(values)
    if not values:
        return 0.0, 1.0
    low, high = min(values), max(values)
    if low == high:
        pad = abs(low) * 0.05 or 0.5
        # The greatest double has nothing above it.
        return max(low - pad, -sys.float_info.max), min(high + pad, sys.float_info.max)
    return low, high


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


def _label(value: float) -> str:
    return f"{value:.4g}"
