"""Sortable headings: links that turn the order around, with `aria-sort`."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Protocol


class Sortable(Protocol):
    """What a heading is made of."""

    @property
    def name(self) -> str: ...  # noqa: D102 - see Column
    @property
    def label(self) -> Any: ...  # noqa: D102
    @property
    def order(self) -> str: ...  # noqa: D102
    @property
    def css(self) -> str: ...  # noqa: D102


@dataclass(frozen=True)
class Column:
    """A column's name and heading; `order` is what it sorts by, if it does; `css` are the classes of its cells."""

    name: str
    label: Any
    order: str = ""
    css: str = ""


@dataclass(frozen=True)
class Heading:
    """A heading as one page shows it: `aria_sort` if the page is sorted by it, and the order that a click asks for."""

    name: str
    label: Any
    aria_sort: str | None = None
    next_order: str = ""
    css: str = ""


def headings(columns: Iterable[Sortable], order: str) -> list[Heading]:
    """Return the headings of `columns` on a page in `order`."""
    return [_heading(column, order) for column in columns]


def _heading(column: Sortable, order: str) -> Heading:
    if not column.order:
        return Heading(column.name, column.label, css=column.css)
    if order == f"-{column.order}":
        return Heading(column.name, column.label, "descending", column.order, column.css)
    # The first click shows the greatest first, as one wants it of times and numbers.
    aria_sort = "ascending" if order == column.order else None
    return Heading(column.name, column.label, aria_sort, f"-{column.order}", column.css)
