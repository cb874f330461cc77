"""Series as curves: few enough points to draw, whatever the length, with no spike lost.

Of a short series every point is read; of a long one some level of its pyramid, and of a
part that one zooms into again every point, once they are few.
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from itertools import pairwise
from operator import itemgetter
from typing import Any, TypeVar

from django.db.models import Max, Min

from runs.actions import pyramid
from runs.models import Metric, MetricBucket, MetricPoint

# So many points of a series are drawn at most, about: three of each stretch, and the marks.
DRAWN_POINTS = 2_000
_BUCKETS_READ = 4 * DRAWN_POINTS // 3
_SECOND = 1_000_000

Item = TypeVar("Item")


class Axis(StrEnum):
    """What a curve is drawn over."""

    STEP = "step"
    TIME = "time"
    RELATIVE = "relative"


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """A point of a curve: `y` is None where it is no finite number, and `text` then says what it is."""

    x: float
    y: float | None
    text: str = ""


@dataclass(frozen=True)
class Curve:
    """A series as it is drawn: `point_count` says how many points the drawn ones stand for."""

    metric: Metric
    points: list[CurvePoint]
    point_count: int

    @property
    def is_reduced(self) -> bool:
        """Return whether points were left out."""
        return len(self.points) < self.point_count


@dataclass(frozen=True)
class Window:
    """The part of the axis that is looked at, in its own unit: a step, or seconds."""

    axis: Axis = Axis.STEP
    low: float | None = None
    high: float | None = None
    # The zero of relative time.
    began_at: datetime | None = None

    @property
    def is_whole(self) -> bool:
        """Return whether nothing is left out."""
        return self.low is None and self.high is None

    def bounds(self) -> tuple[int, int]:
        """Return the lowest and highest step or microsecond that is looked at."""
        unit, zero = (1, 0) if self.axis is Axis.STEP else (_SECOND, self._zero)
        low = -(2**63) if self.low is None else math.ceil(self.low * unit) + zero
        high = 2**63 - 1 if self.high is None else math.floor(self.high * unit) + zero
        return max(low, -(2**63)), min(high, 2**63 - 1)

    def x(self, step: int, at: int) -> float:
        """Return where a point stands on the axis."""
        return step if self.axis is Axis.STEP else (at - self._zero) / _SECOND

    @property
    def _zero(self) -> int:
        return pyramid.microseconds(self.began_at) if self.axis is Axis.RELATIVE and self.began_at else 0


def read(series: Sequence[Metric], *, window: Window, points: int = DRAWN_POINTS) -> dict[int, Curve]:
    """Return the curve of each of `series`, by its key. Short series are read together, each long one by itself."""
    short = [metric for metric in series if metric.point_count <= pyramid.BEGINS_AFTER]
    rows: dict[int, list[pyramid.Row]] = defaultdict(list)
    found = MetricPoint.objects.filter(metric__in=short).order_by("metric", "step", "id")
    for pk, step, at, value, text in found.values_list("metric", "step", "at", "value", "text"):
        rows[pk].append((step, pyramid.microseconds(at), value, text))
    curves = {}
    for metric in series:
        if metric.point_count <= pyramid.BEGINS_AFTER:
            curves[metric.pk] = of_rows(metric, _inside(rows[metric.pk], window), window=window, points=points)
        else:
            curves[metric.pk] = _long(metric, window, points)
    return curves


def of_rows(metric: Metric, rows: list[pyramid.Row], *, window: Window, points: int = DRAWN_POINTS) -> Curve:
    """Return the curve of points that were read."""
    rows.sort(key=itemgetter(0 if window.axis is Axis.STEP else 1))
    kept = rows
    if len(rows) > points:
        kept = [row for part in _parts(rows, points // 3) for row in _kept(part)]
    return Curve(metric, [CurvePoint(window.x(step, at), value, text) for step, at, value, text in kept], len(rows))


def _parts(items: list[Item], count: int) -> list[list[Item]]:
    """Return `items` in at most `count` parts of nearly one size, in their order."""
    count = min(count, len(items))
    places = [place * len(items) // count for place in range(count + 1)] if count else [0]
    return [items[start:end] for start, end in pairwise(places)]


def _kept(rows: list[pyramid.Row]) -> list[pyramid.Row]:
    """Return the least, the greatest and the last of `rows`, and the last that is no number, in their order."""
    numbers = [(row[2], place) for place, row in enumerate(rows) if row[2] is not None]
    odd = [place for place, row in enumerate(rows) if row[2] is None]
    places = {min(numbers)[1], max(numbers)[1], numbers[-1][1]} if numbers else set()
    return [rows[place] for place in sorted(places | set(odd[-1:]))]


def _inside(rows: list[pyramid.Row], window: Window) -> list[pyramid.Row]:
    if window.is_whole:
        return rows
    low, high = window.bounds()
    return [row for row in rows if low <= (row[0] if window.axis is Axis.STEP else row[1]) <= high]


def _long(metric: Metric, window: Window, points: int) -> Curve:
    """Return the curve of a series that has a pyramid, in three queries at most."""
    total = metric.point_count
    all_buckets = MetricBucket.objects.filter(metric=metric)
    coarse = _level_for(total)
    buckets = all_buckets.filter(level=coarse)
    if not window.is_whole:
        low, high = window.bounds()
        names = ("step_low", "step_high") if window.axis is Axis.STEP else ("at_low", "at_high")
        overlap: dict[str, Any] = {f"{names[0]}__lte": high, f"{names[1]}__gte": low}
        span = buckets.filter(**overlap).aggregate(
            first=Min("number"), last=Max("number"), low=Min("step_low"), high=Max("step_high")
        )
        if span["first"] is None:
            return Curve(metric, [], 0)
        arrived = (span["last"] + 1 - span["first"]) * pyramid.size(coarse)
        if arrived <= pyramid.BEGINS_AFTER:
            return _of_part(metric, window, (span["low"], span["high"]), points)
        level = min(coarse, _level_for(arrived))
        factor = pyramid.size(coarse) // pyramid.size(level)
        first, last = span["first"] * factor, (span["last"] + 1) * factor - 1
        buckets = all_buckets.filter(level=level, number__range=(first, last), **overlap)
    rows = [pyramid.Bucket(*row) for row in buckets.order_by("number").values_list(*pyramid.FIELDS)]
    if not rows and window.is_whole:
        return _without_pyramid(metric, window, points)
    return _of_buckets(metric, rows, window, points)


def _level_for(count: int) -> int:
    level = 0
    while -(-count // pyramid.size(level)) > _BUCKETS_READ:
        level += 1
    return level


def _of_part(metric: Metric, window: Window, steps: tuple[int, int], points: int) -> Curve:
    """Return the curve of every point in a part that is short."""
    low, high = window.bounds()
    if window.axis is Axis.STEP:
        steps = max(low, steps[0]), min(high, steps[1])
    found = metric.points.filter(step__range=steps).order_by("step", "id")[: 4 * pyramid.BEGINS_AFTER]
    rows = [
        (step, pyramid.microseconds(at), value, text)
        for step, at, value, text in found.values_list("step", "at", "value", "text")
    ]
    return of_rows(metric, _inside(rows, window), window=window, points=points)


def _of_buckets(metric: Metric, buckets: list[pyramid.Bucket], window: Window, points: int) -> Curve:
    count = sum(bucket.count for bucket in buckets)
    rows: list[pyramid.Row] = []
    for part in _parts(buckets, points // 3):
        rows += _rows_of(pyramid.merge_all(part))
    rows = _inside(rows, window)
    rows.sort(key=itemgetter(0 if window.axis is Axis.STEP else 1))
    return Curve(metric, [CurvePoint(window.x(step, at), value, text) for step, at, value, text in rows], count)


def _rows_of(bucket: pyramid.Bucket) -> Iterable[pyramid.Row]:
    """Return the points that a bucket kept, each once."""
    rows: dict[tuple[int, int, float | None], pyramid.Row] = {}
    for value, step, at, text in (
        (bucket.min_value, bucket.min_step, bucket.min_at, ""),
        (bucket.max_value, bucket.max_step, bucket.max_at, ""),
        (bucket.last_value, bucket.last_step, bucket.last_at, ""),
        (None, bucket.odd_step, bucket.odd_at, bucket.odd_text),
    ):
        if step is not None and at is not None and (value is not None or text or bucket.odd_count):
            rows.setdefault((step, at, value), (step, at, value, text))
    return rows.values()


def _without_pyramid(metric: Metric, window: Window, points: int) -> Curve:
    """Return the curve of a long series that is older than pyramids: its points are read, once per look."""
    found = metric.points.order_by("id").values_list("step", "at", "value", "text").iterator(chunk_size=5_000)
    rows = ((step, pyramid.microseconds(at), value, text) for step, at, value, text in found)
    levels = pyramid.levels(rows, before=0)
    chosen = levels[min(_level_for(metric.point_count), len(levels) - 1)]
    return _of_buckets(metric, list(chosen.values()), window, points)
