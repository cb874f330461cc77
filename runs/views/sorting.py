"""Sortable headings: links that turn the order around, with `aria-sort`."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Column:
    """A column's name and heading; `order` is what it sorts by, if it does."""

    name: str
    label: Any
    order: str = ""


@dataclass(frozen=True)
class Heading:
    """A heading as one page shows it: `aria_sort` if the page is sorted by it, and the order that a click asks for."""

    name: str
    label: Any
    aria_sort: str | None = None
    next_order: str = ""


def headings(columns: Iterable[Column], order: str) -> list[Heading]:
    """Return the headings of `columns` on a page in `order`."""
    return [_heading(column, order) for column in columns]


def _heading(column: Column, order: str) -> Heading:
    if not column.order:
        return Heading(column.name, column.label)
    if order == f"-{column.order}":
        return Heading(column.name, column.label, "descending", column.order)
    # The first click shows the greatest first, as one wants it of times and numbers.
    aria_sort = "ascending" if order == column.order else None
    return Heading(column.name, column.label, aria_sort, f"-{column.order}")
