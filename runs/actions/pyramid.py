"""The pyramid of a long series: of each stretch its least, greatest and last point, kept as points arrive.

A chart of a million points reads a few thousand rows, and no spike is lost. Short series
have none: their points are read themselves.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import groupby, islice
from operator import attrgetter

from runs import rows as table
from runs.models import MetricBucket, MetricPoint

# Series of more points than this have a pyramid.
BEGINS_AFTER = 5_000
_BASE, _FACTOR = 8, 4
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

# A point: its step, its time in microseconds, its value or None, and what it is if it is no finite number.
Row = tuple[int, int, float | None, str]


@dataclass(slots=True)
class Bucket:
    """A stretch of points in the order of arrival; the fields are those of MetricBucket."""

    count: int
    step_low: int
    step_high: int
    at_low: int
    at_high: int
    min_value: float | None
    min_step: int | None
    min_at: int | None
    max_value: float | None
    max_step: int | None
    max_at: int | None
    last_value: float | None
    last_step: int | None
    last_at: int | None
    odd_count: int
    odd_text: str
    odd_step: int | None
    odd_at: int | None


FIELDS = tuple(Bucket.__slots__)
_values_of = attrgetter(*FIELDS)
_COLUMNS = ("metric_id", "level", "number", "is_open", *FIELDS)


def microseconds(at: datetime) -> int:
    """Return `at` as microseconds since 1970."""
    return (at - _EPOCH) // _MICROSECOND


def size(level: int) -> int:
    """Return how many points a bucket of `level` takes."""
    return _BASE * _FACTOR**level


def root_level(count: int) -> int:
    """Return the level of which one bucket takes `count` points."""
    level = 0
    while size(level) < count:
        level += 1
    return level


def of_rows(rows: Sequence[Row]) -> Bucket:
    """Return the bucket of some points, which stand in the order of arrival. Of equals the earlier one is kept."""
    steps = [row[0] for row in rows]
    ats = [row[1] for row in rows]
    values = [row[2] for row in rows]
    finite = [value for value in values if value is not None]
    latest_odd = None
    if len(finite) < len(rows):
        latest_odd = next(row for row in reversed(rows) if row[2] is None)
    wanted = (min(finite), max(finite)) if finite else (None, None)

    def point(place: int | None) -> tuple[float | None, int | None, int | None]:
        return (None, None, None) if place is None else (values[place], steps[place], ats[place])

    least, greatest = (values.index(value) if finite else None for value in wanted)
    last = len(rows) - 1
    while last > 0 and values[last] is None:
        last -= 1
    return Bucket(
        len(rows),
        *(min(steps), max(steps), min(ats), max(ats)),
        *point(least),
        *point(greatest),
        *point(last if finite else None),
        len(rows) - len(finite),
        *((latest_odd[3][:16], latest_odd[0], latest_odd[1]) if latest_odd else ("", None, None)),
    )


def merge(early: Bucket, late: Bucket) -> Bucket:
    """Return the bucket of the points of both; those of `late` arrived later. Of equals the earlier one stays."""
    least, greatest, last = early, early, late
    if late.min_value is not None and (early.min_value is None or late.min_value < early.min_value):
        least = late
    if late.max_value is not None and (early.max_value is None or late.max_value > early.max_value):
        greatest = late
    if late.last_value is None:
        last = early
    odd = late if late.odd_count else early
    return Bucket(
        early.count + late.count,
        min(early.step_low, late.step_low),
        max(early.step_high, late.step_high),
        min(early.at_low, late.at_low),
        max(early.at_high, late.at_high),
        *(least.min_value, least.min_step, least.min_at),
        *(greatest.max_value, greatest.max_step, greatest.max_at),
        *(last.last_value, last.last_step, last.last_at),
        early.odd_count + late.odd_count,
        *(odd.odd_text, odd.odd_step, odd.odd_at),
    )


def merge_all(buckets: Sequence[Bucket]) -> Bucket:
    """Return the bucket of all of `buckets`, which stand in the order of arrival."""
    merged = buckets[0]
    for bucket in buckets[1:]:
        merged = merge(merged, bucket)
    return merged


def levels(rows: Iterable[Row], *, before: int) -> list[dict[int, Bucket]]:
    """Return for each level the parts of its buckets, by number, that `rows` make after `before` other points."""
    left, part, total = iter(rows), dict[int, Bucket](), before
    while some := list(islice(left, _BASE - total % _BASE)):
        part[total // _BASE] = of_rows(some)
        total += len(some)
    parts = [part]
    for _ in range(root_level(total)):
        part = _grouped((number // _FACTOR, bucket) for number, bucket in part.items())
        parts.append(part)
    return parts


def keep(points: Mapping[int, Sequence[tuple[int, datetime, float | None, str]]], counts: Mapping[int, int]) -> None:
    """Count the new points into the pyramids of those series that are long.

    `points` has them by series, and `counts` how many points each has now, with these.
    Three queries at most, whatever the numbers. Called where the points were stored, in
    the same transaction.
    """
    long = [pk for pk, count in counts.items() if count > BEGINS_AFTER]
    if not long:
        return
    found: dict[int, dict[int, tuple[int, Bucket]]] = {pk: {} for pk in long}
    for pk, level, number, *held in MetricBucket.objects.filter(metric__in=found, is_open=True).values_list(
        "metric", "level", "number", *FIELDS
    ):
        found[pk][level] = (number, Bucket(*held))
    # These have just become long, or are older than pyramids.
    fresh = [pk for pk in long if not found[pk]]
    stored: dict[int, list[Row]] = {pk: [] for pk in fresh}
    if fresh:
        all_points = MetricPoint.objects.filter(metric__in=fresh).order_by("metric", "id")
        for pk, step, at, value, text in all_points.values_list("metric", "step", "at", "value", "text"):
            stored[pk].append(_row(step, at, value, text))
    changed: list[tuple[object, ...]] = []
    for pk in long:
        added = stored[pk] if pk in stored else [_row(*point) for point in points[pk]]
        changed += _changed(pk, counts[pk], added, found[pk])
    table.insert(
        MetricBucket,
        _COLUMNS,
        changed,
        unique=("metric_id", "level", "number"),
        update=("is_open", *FIELDS),
    )


def bucket_of(row: MetricBucket) -> Bucket:
    """Return what a row holds."""
    return Bucket(*(getattr(row, name) for name in FIELDS))


def _changed(
    pk: int, total: int, added: Sequence[Row], held: dict[int, tuple[int, Bucket]]
) -> list[tuple[object, ...]]:
    """Return the rows that `added` changes: those that take points, and those that were open and no longer are."""
    root = root_level(total)
    if held:
        # A level that is new begins with what the old root holds.
        top = max(held)
        held = held | dict.fromkeys(range(top + 1, root + 1), held[top])
    changed: list[tuple[object, ...]] = []
    for level, part in enumerate(levels(added, before=total - len(added))):
        if level in held:
            number, bucket = held[level]
            part = {number: merge(bucket, part[number]) if number in part else bucket} | {
                key: value for key, value in part.items() if key != number
            }
        for key, value in part.items():
            is_open = level == root or (key + 1) * size(level) > total
            changed.append((pk, level, key, is_open, *_values_of(value)))
    return changed


def _grouped(parts: Iterable[tuple[int, Bucket]]) -> dict[int, Bucket]:
    return {
        number: merge_all([bucket for _, bucket in some]) for number, some in groupby(parts, key=lambda part: part[0])
    }


def _row(step: int, at: datetime, value: float | None, text: str) -> Row:
    return step, microseconds(at), value, text
