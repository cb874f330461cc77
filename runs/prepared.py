"""Queries compiled once: the ORM takes longer to write most of the hot ones than the database to answer them."""

import json
import threading
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any, Generic, TypeVar

from django.db import DEFAULT_DB_ALIAS, connections, transaction
from django.db.models import Lookup, Model, QuerySet, Value
from django.db.models.sql import UpdateQuery

from runs import statements

Row = TypeVar("Row")


class Prepared(Generic[Row]):
    """A queryset made of a few values, which `build` gets as expressions: to compare columns with, and for no more.

    It is compiled on its first use in a thread, and then asked with
    any others: `Prepared(lambda name: User.objects.filter(username=name))("ada")`. For
    lists there is `AnyOf`.
    """

    def __init__(self, build: Callable[..., QuerySet[Any, Row]], *, is_raw: bool = False) -> None:
        self._build = build
        # Rows of values as the driver gives them: an instant may be text, see `as_instant`.
        self._is_raw = is_raw
        self._compiled = threading.local()

    def __call__(self, *values: Any) -> list[Row]:
        """Return the rows for these values."""
        return self.later(*values)()

    def later(self, *values: Any) -> Callable[[], list[Row]]:
        """Ask for the rows for these values; return what returns them, after others were asked (`together`)."""
        compiled: _Compiled | None = getattr(self._compiled, "found", None)
        if compiled is None or compiled.connection is not connections[DEFAULT_DB_ALIAS]:
            compiled = self._compiled.found = _Compiled(self._build, len(values), self._is_raw)
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
        statement, parameters = self._for(len(values))
        statements.tell(statement, parameters.of(values))

    def _for(self, count: int) -> tuple[str, "_Parameters"]:
        """Return the statement for so many values, on the connection of this thread."""
        connection = connections[DEFAULT_DB_ALIAS]
        found = getattr(self._compiled, "found", None)
        if found is None or found[0] is not connection:
            marks = [object() for _ in range(count)]
            rows, changes = self._build(*map(Value, marks))
            query: Any = rows.query.chain(UpdateQuery)
            query.add_update_values(changes)
            statement, parameters = query.get_compiler(DEFAULT_DB_ALIAS).as_sql()
            found = self._compiled.found = (connection, statement, _Parameters(parameters, marks))
        return found[1], found[2]


class PreparedAddition(PreparedUpdate):
    """An update compiled once that also adds a row of `model` for the row that it changes: both or nothing.

    `columns` are those of the new row. The first refers to the row that was changed.
    """

    def __init__(
        self,
        build: Callable[..., tuple[QuerySet[Any, Any], dict[str, Any]]],
        model: type[Model],
        columns: Sequence[str],
    ) -> None:
        super().__init__(build)
        self._model, self._columns = model, columns

    def add(self, values: Sequence[Any], row: Sequence[Any]) -> bool:
        """Change the row for `values` and add `row`, which has no nulls; return whether there was one to change."""
        connection = connections[DEFAULT_DB_ALIAS]
        if not connection.features.can_return_columns_from_insert:
            return False  # a SQLite of before 2021: the long way is right, too
        statement, parameters = self._for(len(values))
        quoted, given = connection.ops.quote_name, parameters.of(values)
        into = f"INSERT INTO {quoted(self._model._meta.db_table)} ({', '.join(map(quoted, self._columns))})"
        row = [_adapted(value) for value in row]
        if connection.vendor == "postgresql":
            marks = ", ".join(["%s"] * len(row))
            added = f"{into} SELECT id, {marks} FROM changed RETURNING 1"  # noqa: S608
            both = f"WITH changed AS ({statement} RETURNING id) {added}"
            return bool(statements.ask(both, [*given, *row]))
        with transaction.atomic():
            changed = statements.ask(f"{statement} RETURNING id", given)
            for (pk,) in changed:
                statements.tell(f"{into} VALUES (%s, {', '.join(['%s'] * len(row))})", [pk, *row])
        return bool(changed)


def raw(queryset: QuerySet[Any, Row]) -> list[Row]:
    """Return the rows of a queryset of values as the driver gives them: for thousands of them."""
    return Prepared(lambda: queryset, is_raw=True)()


def as_instant(value: Any) -> datetime:
    """Return the instant that a raw row has, without its zone, which is UTC: SQLite keeps it as text."""
    return datetime.fromisoformat(value) if isinstance(value, str) else value.replace(tzinfo=None)


class AnyOf(Lookup):
    """Whether a column is one of a list, which is one value: the statement is the same for lists of any length."""

    lookup_name = "any_of"
    prepare_rhs = False

    def as_sql(self, compiler: Any, connection: Any) -> Any:
        """Write it as each database reads a list."""
        column, before = self.process_lhs(compiler, connection)
        values, after = self.process_rhs(compiler, connection)
        if connection.vendor == "postgresql":
            return f"{column} = ANY({values})", [*before, *after]
        return f"{column} IN (SELECT value FROM json_each({values}))", [*before, *after]  # noqa: S608


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
            parameters[at] = _adapted(values[place])
        return parameters


def _adapted(value: Any) -> Any:
    """Return a value as the driver takes it."""
    if isinstance(value, datetime):
        return connections[DEFAULT_DB_ALIAS].ops.adapt_datetimefield_value(value)
    if isinstance(value, list) and connections[DEFAULT_DB_ALIAS].vendor == "sqlite":
        return json.dumps(value)
    return value


class _Compiled:
    """The statement for a number of values, on one connection."""

    def __init__(self, build: Callable[..., QuerySet[Any, Any]], count: int, is_raw: bool) -> None:
        marks = [object() for _ in range(count)]
        self._queryset = build(*map(Value, marks))
        self.connection = connections[DEFAULT_DB_ALIAS]
        self._is_raw = is_raw
        compiler = self._queryset.query.get_compiler(DEFAULT_DB_ALIAS)
        self._statement, parameters = compiler.as_sql()
        self._parameters = _Parameters(parameters, marks)
        columns = [column for column, _, _ in compiler.select]
        converters = {} if is_raw else compiler.get_converters(columns)
        has_composite = compiler.has_composite_fields(columns)
        compiler.get_converters = lambda _: converters
        compiler.has_composite_fields = lambda _: has_composite
        self._queryset.query.get_compiler = lambda *_, **__: compiler  # type: ignore[method-assign]
        self._compiler = compiler

    def ask(self, values: tuple[Any, ...]) -> Callable[[], list[Any]]:
        answer = statements.ask_for(self._statement, self._parameters.of(values), is_raw=self._is_raw)

        def rows() -> list[Any]:
            found = answer()
            if not found:
                return []
            self._compiler.execute_sql = lambda *_, **__: [found]
            made: Any = self._queryset._iterable_class(self._queryset)
            return list(made)

        return rows
