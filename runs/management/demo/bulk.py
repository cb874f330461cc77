"""Rows by the million: COPY on PostgreSQL, prepared inserts on SQLite, past Django's own costs per row."""

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from django.core.management.color import no_style
from django.db import connection
from django.db.models import AutoField, JSONField, Max, Model


class Table:
    """Gathers rows of one model and writes them at once. Columns that are not named get the field's default.

    Instants are naive and in UTC. The ids are given out here, from the greatest on: the
    table has no other writer meanwhile.
    """

    def __init__(self, model: type[Model], *columns: str) -> None:
        self.model = model
        fields: dict[str, Any] = {str(field.column): field for field in model._meta.concrete_fields}
        numbered = [column for column, field in fields.items() if isinstance(field, AutoField)]
        self._numbers_itself = bool(numbered)
        self.latest_id: int = model._default_manager.aggregate(top=Max("pk"))["top"] or 0
        given = [*numbered, *columns]
        constant = [column for column in fields if column not in given]
        self._columns = given + constant
        self._constants = tuple(_constant(fields[column]) for column in constant)
        self._instants = [number for number, column in enumerate(given) if _is_instant(fields[column])]
        self._rows: list[tuple[Any, ...]] = []

    def add(self, *values: Any) -> int:
        """Gather a row with `values` in the order of the columns, and return its id."""
        if self._numbers_itself:
            self.latest_id += 1
            self._rows.append((self.latest_id, *values))
        else:
            self._rows.append(values)
        return self.latest_id

    def flush(self) -> None:
        """Write what was gathered."""
        rows, self._rows = self._rows, []
        if connection.vendor == "sqlite":
            self._insert(rows)
        else:
            self._copy(rows)

    def finish(self) -> None:
        """Let the database go on with the next id."""
        self.flush()
        with connection.cursor() as cursor:
            for statement in connection.ops.sequence_reset_sql(no_style(), [self.model]):
                cursor.execute(statement)

    def _names(self) -> str:
        quote = connection.ops.quote_name
        return f"{quote(self.model._meta.db_table)} ({', '.join(map(quote, self._columns))})"

    def _insert(self, rows: Iterable[tuple[Any, ...]]) -> None:
        marks = ", ".join("?" * len(self._columns))
        connection.ensure_connection()
        connection.connection.executemany(
            f"INSERT INTO {self._names()} VALUES ({marks})",  # noqa: S608
            ((*self._written(row), *self._constants) for row in rows),
        )

    def _written(self, row: tuple[Any, ...]) -> Iterable[Any]:
        if not self._instants:
            return row
        values = list(row)
        for number in self._instants:
            if values[number] is not None:
                values[number] = str(values[number])
        return values

    def _copy(self, rows: Iterable[tuple[Any, ...]]) -> None:
        with connection.cursor() as cursor, cursor.copy(f"COPY {self._names()} FROM STDIN") as copy:
            for row in rows:
                copy.write_row(row + self._constants)


def _constant(field: Any) -> Any:
    value = field.get_default()
    return json.dumps(value) if isinstance(field, JSONField) and value is not None else value


def _is_instant(field: Any) -> bool:
    return field.get_internal_type() == "DateTimeField"


def utc(at: datetime) -> datetime:
    """Return the aware instant `at` as tables take it."""
    return at.astimezone(UTC).replace(tzinfo=None)
