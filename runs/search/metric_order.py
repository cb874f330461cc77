"""Runs in the order of a metric: `metric:loss`, `metric.min:loss`, `metric.max:loss`.

The index of the metrics is walked, not that of the runs: a stretch of it at a time, of
which the runs that the list shows are kept. So it costs the same whatever the planners
think, and a list of few runs is sorted by itself.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.db.models.expressions import Col
from django.db.models.lookups import Exact

from runs.models import Metric
from runs.search.plan import is_narrowed

SUMMARIES = {"metric": "latest_value", "metric.min": "min_value", "metric.max": "max_value"}
# The first stretch is enough for a page of what is frequent; the last one is what a database takes as a list.
_SHORTEST, _LONGEST = 500, 16_000

Found = tuple[int, float | None]


@dataclass(frozen=True)
class MetricOrder:
    """Which metric, and which of its summaries."""

    name: str
    column: str


@dataclass(frozen=True)
class Beside:
    """The place beside the run `id`, whose metric is `value`."""

    value: float | None
    id: int


def read(order: str) -> MetricOrder | None:
    """Return what `order`, without its sign, means; None if it is no order of a metric."""
    summary, colon, name = order.partition(":")
    return MetricOrder(name, SUMMARIES[summary]) if colon and name and summary in SUMMARIES else None


def find(
    queryset: QuerySet[Any], order: MetricOrder, *, is_falling: bool, is_back: bool, beside: Beside | None, count: int
) -> list[Found]:
    """Return up to `count` runs of `queryset` from `beside` on, each with its value, without those that have none last.

    Of equals the newest come first in a rising order and last in a falling one.
    """
    if is_narrowed(queryset):
        return _sorted(queryset, order, is_falling=is_falling, is_back=is_back, beside=beside)[:count]
    goes_down = is_falling != is_back
    found: list[Found] = []
    if is_back:
        if beside is None or beside.value is None:
            found += _without(queryset, order, is_back=True, beside=beside, count=count)
            beside = None
        return found + _take(_with(queryset, order, goes_down, beside, count), count - len(found))
    if beside is None or beside.value is not None:
        found += _take(_with(queryset, order, goes_down, beside, count), count)
        beside = None
    if len(found) < count:
        found += _without(queryset, order, is_back=False, beside=beside, count=count - len(found))
    return found


def _take(found: Iterator[Found], count: int) -> list[Found]:
    return [pair for _, pair in zip(range(count), found, strict=False)]


def _with(
    queryset: QuerySet[Any], order: MetricOrder, goes_down: bool, beside: Beside | None, count: int
) -> Iterator[Found]:
    """Walk the runs that have a value."""
    metrics = Metric.objects.filter(name=order.name, **{f"{order.column}__isnull": False})
    experiment = _experiment_of(queryset)
    if experiment is not None:
        metrics = metrics.filter(experiment_id=experiment)
    key = F(order.column)
    metrics = metrics.order_by(key.desc(), "run_id") if goes_down else metrics.order_by(key.asc(), "-run_id")
    size = max(_SHORTEST, 2 * count)
    while True:
        pairs = _stretch(metrics, order.column, goes_down, beside, size)
        if pairs:
            shown = set(queryset.filter(pk__in=[pk for pk, _ in pairs]).order_by().values_list("pk", flat=True))
            yield from (pair for pair in pairs if pair[0] in shown)
        if len(pairs) < size:
            return
        beside = Beside(pairs[-1][1], pairs[-1][0])
        size = min(4 * size, _LONGEST)


def _stretch(
    metrics: QuerySet[Metric], column: str, goes_down: bool, beside: Beside | None, size: int
) -> list[tuple[int, float]]:
    if beside is None:
        return list(metrics.values_list("run_id", column)[:size])
    # The rest of the equals, then those beyond: one condition with OR would read all equals again.
    equals = metrics.filter(**{column: beside.value, "run_id__gt" if goes_down else "run_id__lt": beside.id})
    pairs = list(equals.values_list("run_id", column)[:size])
    if len(pairs) < size:
        beyond = metrics.filter(**{f"{column}__lt" if goes_down else f"{column}__gt": beside.value})
        pairs += beyond.values_list("run_id", column)[: size - len(pairs)]
    return pairs


def _without(
    queryset: QuerySet[Any], order: MetricOrder, *, is_back: bool, beside: Beside | None, count: int
) -> list[Found]:
    """Return runs that have no value, newest first."""
    valued = Metric.objects.filter(run=OuterRef("pk"), name=order.name, **{f"{order.column}__isnull": False})
    runs = queryset.filter(~Q(Exists(valued))).order_by("pk" if is_back else "-pk")
    if beside is not None:
        runs = runs.filter(**{"pk__gt" if is_back else "pk__lt": beside.id})
    return [(pk, None) for pk in runs.values_list("pk", flat=True)[:count]]


def _sorted(
    queryset: QuerySet[Any], order: MetricOrder, *, is_falling: bool, is_back: bool, beside: Beside | None
) -> list[Found]:
    keys = list(queryset.order_by().values_list("pk", flat=True))
    values = dict(Metric.objects.filter(run__in=keys, name=order.name).values_list("run_id", order.column))

    def place(pair: Found) -> tuple[bool, float, int]:
        pk, value = pair
        if value is None:
            return True, 0.0, -pk
        return (False, -value, pk) if is_falling else (False, value, -pk)

    pairs = sorted(((pk, values.get(pk)) for pk in keys), key=place)
    if beside is not None:
        here = place((beside.id, beside.value))
        pairs = [pair for pair in pairs if (place(pair) < here if is_back else place(pair) > here)]
    return pairs[::-1] if is_back else pairs


def _experiment_of(queryset: QuerySet[Any]) -> int | None:
    """Return the experiment to which `queryset` is limited, if it is."""
    for part in queryset.query.where.children:
        if isinstance(part, Exact) and isinstance(part.lhs, Col) and part.lhs.target.attname == "experiment_id":
            return part.rhs if isinstance(part.rhs, int) else None
    return None
