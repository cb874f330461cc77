"""Pages by key, never by OFFSET or COUNT: a page costs the same at any depth."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from django.db.models import F, Model, QuerySet

from runs import limits
from runs.errors import InvalidInput
from runs.search import signed, walk
from runs.search.walk import Place, Stretch
from runs.wording import say

Row = TypeVar("Row", bound=Model)

# The orders of experiments, of which there are thousands at most; `orders` has those of runs.
EXPERIMENT_ORDERS: Mapping[str, str] = {"created": "id", "name": "name", "submitted": "latest_submitted_at"}


@dataclass(frozen=True)
class Page(Generic[Row]):
    """The rows of one page, and the cursors of its neighbors; an empty cursor is no neighbor.

    `onward` is that of the two on which the search goes on, where so many rows were looked
    through that the page ended before it was full: `looked_through`.
    """

    items: list[Row]
    next: str
    previous: str
    onward: str = ""
    looked_through: int = 0


def paginate(
    queryset: QuerySet[Row], *, order: str, orders: Mapping[str, str], cursor: str = "", limit: int = 50
) -> Page[Row]:
    """Return one page of `queryset`: the first, or the one that `cursor` stands for.

    `order` is a name of `orders`, with `-` for falling. Rows without a value come last
    either way. Raises InvalidInput that names the field at fault.
    """
    column = orders.get(order.removeprefix("-"))
    if column is None:
        raise InvalidInput(
            say("{order!r} is no order; expected one of {names}, or -name.", order=order, names=", ".join(orders)),
            field="order",
        )
    # The rows come by their keys: together with the tables that a list joins, planners sort everything.
    return page_of(
        queryset.order_by(), stretches_of(queryset.order_by(), column), order=order, cursor=cursor, limit=limit
    )


def stretches_of(rows: QuerySet[Any], column: str, **more: Any) -> list[Stretch]:
    """Return the stretches of `rows` in the order of a column of their own."""
    if column == "id":
        return [Stretch(rows, "pk", None, "pk", by_id=True, **more)]
    if not rows.model._meta.get_field(column).null:
        return [Stretch(rows, "pk", F(column), "pk", **more)]
    empty = Stretch(rows.filter(**{f"{column}__isnull": True}), "pk", None, "pk", **more)
    return [Stretch(rows.filter(**{f"{column}__isnull": False}), "pk", F(column), "pk", **more), empty]


def page_of(rows: QuerySet[Row], stretches: Sequence[Stretch], *, order: str, cursor: str, limit: int) -> Page[Row]:
    """Return a page of what `stretches` hold one after the other; `rows` are read by the ids that they name."""
    if not 1 <= limit <= limits.PAGE_ROWS:
        raise InvalidInput(
            say("limit is {limit}; expected 1 to {most}.", limit=limit, most=limits.PAGE_ROWS), field="limit"
        )
    falls = order.startswith("-")
    start, is_back = _read(cursor, order, len(stretches)) if cursor else (None, False)
    found, end, looked = walk.take(stretches, falls=falls, is_back=is_back, place=start, count=limit + 1)
    if is_back and len(found) <= limit and end is None:
        # The start is reached: show the first page whole rather than a part of it.
        start, is_back = None, False
        found, end, looked = walk.take(stretches, falls=falls, is_back=False, place=None, count=limit + 1)
    # Where it goes on, and where it came from.
    onward, shown = (found[limit - 1], found[:limit]) if len(found) > limit else (end, found)
    backward = shown[0] if shown else start and walk.including(stretches, start, falls=falls, is_back=not is_back)
    if start is None:
        backward = None
    if is_back:
        shown.reverse()
    items = {row.pk: row for row in rows.filter(pk__in=[place.row for place in shown])} if shown else {}
    written = {
        is_back: _write(order, is_back, onward) if onward else "",
        not is_back: _write(order, not is_back, backward) if backward else "",
    }
    return Page(
        [items[place.row] for place in shown if place.row in items],
        next=written[False],
        previous=written[True],
        onward=written[is_back] if end else "",
        looked_through=looked,
    )


# --- Cursors ----------------------------------------------------------------------------

_SALT = "runs.search.paging"


def _write(order: str, is_back: bool, place: Place) -> str:
    return signed.write([order, is_back, place.stretch, place.value, place.tie], salt=_SALT)


def _read(cursor: str, order: str, stretch_count: int) -> tuple[Place, bool]:
    try:
        written_order, is_back, stretch, value, tie = signed.read(cursor, salt=_SALT)
    except ValueError:
        raise InvalidInput(
            say("This cursor is not one that was given out; leave it out to start anew."), field="cursor"
        ) from None
    if written_order != order or stretch >= stretch_count:
        raise InvalidInput(
            say(
                "This cursor belongs to the order {written_order}, not to {order}.",
                written_order=written_order,
                order=order,
            ),
            field="cursor",
        )
    return Place(stretch, value, tie), is_back
