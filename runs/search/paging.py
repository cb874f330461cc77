"""Pages by key, never by OFFSET or COUNT: a page costs the same at any depth."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar

from django.core import signing
from django.db.models import DateTimeField, F, Model, QuerySet
from django.db.models.lookups import Exact, GreaterThan, IsNull, LessThan

from runs import limits
from runs.errors import InvalidInput
from runs.search import metric_order
from runs.search.metric_order import MetricOrder
from runs.search.plan import Unindexed, is_narrowed
from runs.wording import say

Row = TypeVar("Row", bound=Model)

DEFAULT_ORDER = "-created"

# The orders of runs. Each has an index for a workspace and for an experiment, newest first among
# equals, so that a million runs are never sorted. Ids rise as runs are created. Beside these there
# is `metric:loss` for every metric, see `metric_order`.
ORDERS: Mapping[str, str] = {
    "created": "id",
    "number": "number",
    "status": "status",
    "ended": "ended_at",
    "duration": "duration_seconds",
}
# The orders of experiments, of which there are thousands at most.
EXPERIMENT_ORDERS: Mapping[str, str] = {"created": "id", "name": "name", "submitted": "latest_submitted_at"}


@dataclass(frozen=True)
class Page(Generic[Row]):
    """The rows of one page, and the cursors of its neighbors; an empty cursor is no neighbor."""

    items: list[Row]
    next: str
    previous: str


@dataclass(frozen=True)
class _Place:
    """A place in an order: beside the row `id`, whose column holds `value`, going forth or back."""

    order: str
    is_back: bool
    value: Any
    id: int


# What rows are sorted by: a column of theirs, or a metric of a run.
_Key = str | MetricOrder


def paginate(
    queryset: QuerySet[Row],
    *,
    order: str = DEFAULT_ORDER,
    cursor: str = "",
    limit: int = 50,
    orders: Mapping[str, str] = ORDERS,
) -> Page[Row]:
    """Return one page of `queryset`: the first, or the one that `cursor` stands for.

    `order` is a name of `orders`, with `-` for falling. Rows without a value come last
    either way. Raises InvalidInput that names the field at fault.
    """
    key = _key_of(order, orders)
    if not 1 <= limit <= limits.PAGE_ROWS:
        raise InvalidInput(
            say("limit is {limit}; expected 1 to {most}.", limit=limit, most=limits.PAGE_ROWS), field="limit"
        )
    place = _read(cursor, order, queryset.model, key) if cursor else None
    is_back = place is not None and place.is_back
    rows, values = _rows(queryset, key, order.startswith("-"), place, limit + 1)
    if is_back and len(rows) <= limit:
        # The start is reached: show the first page whole rather than a part of it.
        place, is_back = None, False
        rows, values = _rows(queryset, key, order.startswith("-"), None, limit + 1)
    has_more, rows = len(rows) > limit, rows[:limit]
    if is_back:
        rows.reverse()
    has_next, has_previous = (True, has_more) if is_back else (has_more, place is not None)
    return Page(
        rows,
        next=_write(order, False, rows[-1], values) if rows and has_next else "",
        previous=_write(order, True, rows[0], values) if rows and has_previous else "",
    )


def check_order(order: str, *, orders: Mapping[str, str] = ORDERS) -> str:
    """Return `order` if lists can be sorted so, else raise InvalidInput."""
    _key_of(order, orders)
    return order


def _key_of(order: str, orders: Mapping[str, str]) -> _Key:
    name = order.removeprefix("-")
    metric = metric_order.read(name) if orders is ORDERS else None
    if metric is None and name not in orders:
        names = [*orders, *(f"{summary}:NAME" for summary in metric_order.SUMMARIES if orders is ORDERS)]
        raise InvalidInput(
            say("{order!r} is no order; expected one of {names}, or -name.", order=order, names=", ".join(names)),
            field="order",
        )
    return metric or orders[name]


def _rows(
    queryset: QuerySet[Row], key: _Key, is_falling: bool, place: _Place | None, count: int
) -> tuple[list[Row], dict[Any, Any]]:
    """Return up to `count` rows from `place` on, and by key what they are sorted by.

    The order is cut into stretches that an index reads one after the other: the rest of
    the equals, the rows beyond, the rows without a value. One condition with OR would
    read all equals again.
    """
    found: list[tuple[Any, Any]] = []
    if isinstance(key, MetricOrder):
        is_back, beside = (place.is_back, metric_order.Beside(place.value, place.id)) if place else (False, None)
        found += metric_order.find(queryset, key, is_falling=is_falling, is_back=is_back, beside=beside, count=count)
    else:
        for stretch in _stretches(queryset, key, is_falling, place):
            if len(found) < count:
                found += stretch.values_list("pk", key)[: count - len(found)]
    # The rows come by their keys: together with the tables that a list joins, planners sort everything.
    keys = [pk for pk, _ in found]
    rows = {row.pk: row for row in queryset.filter(pk__in=keys).order_by()} if keys else {}
    return [rows[pk] for pk in keys if pk in rows], dict(found)


def _stretches(queryset: QuerySet[Row], column: str, is_falling: bool, place: _Place | None) -> list[QuerySet[Row]]:
    is_back = place is not None and place.is_back
    if column == "id":
        goes_down = is_falling != is_back
        rest = queryset if place is None else queryset.filter(**{"id__lt" if goes_down else "id__gt": place.id})
        return [rest.order_by("-id" if goes_down else "id")]
    # Few rows are sorted; an index would walk through all others in search of them.
    key = Unindexed(F(column)) if is_narrowed(queryset) else F(column)
    # Of equals, the newest come first in a rising order and last in a falling one: one index serves both.
    goes_down = is_falling != is_back
    is_nullable = queryset.model._meta.get_field(column).null
    valued = queryset.filter(IsNull(key, False)) if is_nullable else queryset
    valued = valued.order_by(key.desc(), "id") if goes_down else valued.order_by(key.asc(), "-id")
    # Rows without a value are last in both directions, newest first.
    empty = queryset.filter(IsNull(key, True)).order_by("id" if is_back else "-id")
    if place is None:
        return [valued, empty] if is_nullable else [valued]
    if place.value is None:
        same = empty.filter(**{"id__gt" if is_back else "id__lt": place.id})
        return [same, valued] if is_back else [same]
    equals = valued.filter(Exact(key, place.value), **{"id__gt" if goes_down else "id__lt": place.id})
    beyond = valued.filter((LessThan if goes_down else GreaterThan)(key, place.value))
    return [equals, beyond] if is_back or not is_nullable else [equals, beyond, empty]


# --- Cursors: signed, so that what comes back is what was given out ----------------------

_SALT = "runs.search.paging"


def _write(order: str, is_back: bool, row: Model, values: Mapping[Any, Any]) -> str:
    value = values[row.pk]
    written = value.isoformat() if isinstance(value, datetime) else value
    return signing.Signer(salt=_SALT).sign_object([order, is_back, written, row.pk])


def _read(cursor: str, order: str, model: type[Model], key: _Key) -> _Place:
    try:
        written_order, is_back, value, row_id = signing.Signer(salt=_SALT).unsign_object(cursor)
    except (signing.BadSignature, ValueError, TypeError):
        raise InvalidInput(
            say("This cursor is not one that was given out; leave it out to start anew."), field="cursor"
        ) from None
    if written_order != order:
        raise InvalidInput(
            say(
                "This cursor belongs to the order {written_order}, not to {order}.",
                written_order=written_order,
                order=order,
            ),
            field="cursor",
        )
    if value is not None and isinstance(key, str) and isinstance(model._meta.get_field(key), DateTimeField):
        value = datetime.fromisoformat(value)
    return _Place(order, is_back, value, row_id)
