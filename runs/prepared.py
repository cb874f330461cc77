"""Queries compiled once: the ORM takes longer to write most of the hot ones than the database to answer them."""

import threading
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any, Generic, TypeVar

from django.db import DEFAULT_DB_ALIAS, connections
from django.db.models import QuerySet, Value
from django.db.models.sql import UpdateQuery

Row = TypeVar("Row")


class Prepared(Generic[Row]):
    """A queryset made of a few values, which `build` gets as expressions: to compare columns with, and for no more.

    It is compiled on its first use with so many values in a thread, and then asked with
    any others: `Prepared(lambda name: User.objects.filter(username=name))("ada")`.
    """

    def __init__(self, build: Callable[..., QuerySet[Any, Row]], *, is_raw: bool = False) -> None:
        self._build = build
        # Rows of values as the driver gives them: an instant may be text, see `as_instant`.
        self._is_raw = is_raw
        self._compiled = threading.local()

    def __call__(self, *values: Any) -> list[Row]:
        """Return the rows for these values."""
        by_count = self._compiled.__dict__
        compiled = by_count.get(str(len(values)))
        if compiled is None or compiled.connection is not connections[DEFAULT_DB_ALIAS]:
            compiled = by_count[str(len(values))] = _Compiled(self._build, len(values), self._is_raw)
        return compiled.ask(values)

    def first(self, *values: Any) -> Row | None:
        """Return the first of the rows, or None."""
        found = self(*values)
        return found[0] if found else None


class PreparedUpdate:
    """An update compiled once: `build` returns the rows to change and their changes, made of a few values."""

    def __init__(self, build: Callable[..., tuple[QuerySet[Any, Any], dict[str, Any]]]) -> None:
        self._build = build
        self._compiled = threading.local()

    def __call__(self, *values: Any) -> None:
        """Change the rows for these values."""
        connection = connections[DEFAULT_DB_ALIAS]
        found = getattr(self._compiled, "found", None)
        if found is None or found[0] is not connection:
            marks = [object() for _ in values]
            rows, changes = self._build(*map(Value, marks))
            query: Any = rows.query.chain(UpdateQuery)
            query.add_update_values(changes)
            statement, parameters = query.get_compiler(DEFAULT_DB_ALIAS).as_sql()
            found = self._compiled.found = (connection, statement, _Parameters(parameters, marks))
        with connection.cursor() as cursor:
            cursor.execute(found[1], found[2].of(values))


def raw(queryset: QuerySet[Any, Row]) -> list[Row]:
    """Return the rows of a queryset of values as the driver gives them: for thousands of them."""
    return Prepared(lambda: queryset, is_raw=True)()


def as_instant(value: Any) -> datetime:
    """Return the instant that a raw row has, without its zone, which is UTC: SQLite keeps it as text."""
    return datetime.fromisoformat(value) if isinstance(value, str) else value.replace(tzinfo=None)


def repeated(values: Sequence[Any]) -> Sequence[Any]:
    """Return `values` with the last of them again, up to a power of two: so that few lengths are compiled."""
    length = 1 << (len(values) - 1).bit_length() if values else 0
    return [*values, *(values[-1] for _ in range(length - len(values)))]


class _Parameters:
    """The parameters of a statement, some of which are marks in the place of values."""

    def __init__(self, parameters: Iterable[Any], marks: Sequence[object]) -> None:
        self._parameters = list(parameters)
        self._places = [(at, marks.index(mark)) for at, mark in enumerate(self._parameters) if mark in marks]
        # Nothing of what is asked may be built in: it would be asked for by everybody.
        if {place for _, place in self._places} != set(range(len(marks))):
            raise ValueError("Each value of a prepared statement has to be one of its parameters.")

    def of(self, values: Sequence[Any]) -> list[Any]:
        parameters = list(self._parameters)
        for at, place in self._places:
            value = values[place]
            if isinstance(value, datetime):
                value = connections[DEFAULT_DB_ALIAS].ops.adapt_datetimefield_value(value)
            parameters[at] = value
        return parameters


class _Compiled:
    """The statement for a number of values, on one connection."""

    def __init__(self, build: Callable[..., QuerySet[Any, Any]], count: int, is_raw: bool) -> None:
        marks = [object() for _ in range(count)]
        self._queryset = build(*map(Value, marks))
        self.connection = connections[DEFAULT_DB_ALIAS]
        compiler = self._queryset.query.get_compiler(DEFAULT_DB_ALIAS)
        self._statement, parameters = compiler.as_sql()
        self._parameters = _Parameters(parameters, marks)
        converters = {} if is_raw else compiler.get_converters([column for column, _, _ in compiler.select])
        compiler.get_converters = lambda _: converters
        self._queryset.query.get_compiler = lambda *_, **__: compiler  # type: ignore[method-assign]
        self._compiler = compiler

    def ask(self, values: tuple[Any, ...]) -> list[Any]:
        self._compiler.as_sql = lambda: (self._statement, self._parameters.of(values))
        rows: Any = self._queryset._iterable_class(self._queryset)
        return list(rows)
