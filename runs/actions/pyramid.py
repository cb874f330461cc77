"""The pyramid of a long series: of each stretch its least, greatest and last point, kept as points arrive.

A chart of a million points reads a few thousand rows, and no spike is lost. Short series
have none: their points are read themselves.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta

from runs.models import Metric, MetricBucket, MetricPoint

# Series of more points than this have a pyramid.
BEGINS_AFTER = 5_000
_BASE, _FACTOR = 8, 4
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

# A point: its step, its time in microseconds, its value or None, and what it is if it is no finite number.
Row = tuple[int, int, float | None, str]


@dataclass(frozen=True, slots=True)
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


def of_point(row: Row) -> Bucket:
    """Return the bucket of one point."""
    step, at, value, text = row
    if value is None:
        nothing = (None, None, None)
        return Bucket(1, step, step, at, at, *nothing, *nothing, *nothing, 1, text[:16], step, at)
    point = (value, step, at)
    return Bucket(1, step, step, at, at, *point, *point, *point, 0, "", None, None)


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
    part = _grouped((((before + place) // _BASE, of_point(row)) for place, row in enumerate(rows)))
    total = before + sum(bucket.count for bucket in part.values())
    parts = [part]
    for _ in range(root_level(total)):
        part = _grouped((number // _FACTOR, bucket) for number, bucket in part.items())
        parts.append(part)
    return parts


def keep(rows: Mapping[int, list[MetricPoint]], series: Sequence[Metric]) -> None:
    """Count the new points into the pyramids of those of `series` that are long; `rows` has them by series.

    Three queries at most, whatever the numbers. Called where the points were stored, in
    the same transaction.
    """
    long = [metric for metric in series if metric.point_count > BEGINS_AFTER]
    if not long:
        return
    found: dict[int, dict[int, MetricBucket]] = {metric.pk: {} for metric in long}
    for row in MetricBucket.objects.filter(metric__in=found, is_open=True):
        found[row.metric_id][row.level] = row
    # These have just become long, or are older than pyramids.
    fresh = [metric.pk for metric in long if not found[metric.pk]]
    stored: dict[int, list[Row]] = {pk: [] for pk in fresh}
    if fresh:
        points = MetricPoint.objects.filter(metric__in=fresh).order_by("metric", "id")
        found_points = points.values_list("metric", "step", "at", "value", "text").iterator(chunk_size=5_000)
        for pk, step, at, value, text in found_points:
            stored[pk].append(_row(step, at, value, text))
    changed: list[MetricBucket] = []
    for metric in long:
        added = stored[metric.pk] if metric.pk in stored else [_of(point) for point in rows[metric.pk]]
        changed += _changed(metric, added, found[metric.pk])
    MetricBucket.objects.bulk_create(
        changed,
        update_conflicts=True,
        unique_fields=["metric", "level", "number"],
        update_fields=["is_open", *FIELDS],
    )


def bucket_of(row: MetricBucket) -> Bucket:
    """Return what a row holds."""
    return Bucket(*(getattr(row, name) for name in FIELDS))


def _changed(metric: Metric, added: list[Row], is_open: dict[int, MetricBucket]) -> list[MetricBucket]:
    """Return the rows that `added` change: those that take points, and those that were open and no longer are."""
    total = metric.point_count
    root = root_level(total)
    held = {level: (row.number, bucket_of(row)) for level, row in is_open.items()}
    if held:
        # A level that is new begins with what the old root holds.
        top = max(held)
        held |= dict.fromkeys(range(top + 1, root + 1), held[top])
    rows = []
    for level, part in enumerate(levels(added, before=total - len(added))):
        number, bucket = held.get(level, (None, None))
        if number is not None and bucket is not None:
            part = {number: merge(bucket, part[number]) if number in part else bucket} | {
                key: value for key, value in part.items() if key != number
            }
        rows += [
            MetricBucket(
                metric=metric,
                level=level,
                number=key,
                is_open=level == root or (key + 1) * size(level) > total,
                **asdict(value),
            )
            for key, value in part.items()
        ]
    return rows


def _grouped(parts: Iterable[tuple[int, Bucket]]) -> dict[int, Bucket]:
    grouped: dict[int, Bucket] = {}
    for number, bucket in parts:
        known = grouped.get(number)
        grouped[number] = bucket if known is None else merge(known, bucket)
    return grouped


def _of(point: MetricPoint) -> Row:
    return _row(point.step, point.at, point.value, point.text)


def _row(step: int, at: datetime, value: float | None, text: str) -> Row:
    return step, microseconds(at), value, text
