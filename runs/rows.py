"""Rows written by the thousand, past the ORM's own costs per row. For the hot ways only: what scripts log.

Which columns there are and what they hold is the models' to say; nothing here decides anything.
"""

import json
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from functools import cache
from typing import Any

from django.db import connection
from django.db.models import DateTimeField, JSONField, Model

from runs import statements

Rows = Iterable[tuple[Any, ...]]


def insert(
    model: type[Model],
    columns: Sequence[str],
    rows: Rows,
    *,
    unique: Sequence[str] = (),
    update: Sequence[str] = (),
    returning: Sequence[str] = (),
) -> list[tuple[Any, ...]]:
    """Insert `rows`, whose values stand in the order of `columns`, in one statement.

    All columns but the row's own number and those that may be null are named. Where the
    `unique` columns of a row are there already, its columns `update` are changed instead,
    or nothing is. Instants know their zone; JSON comes as what it says. Return the columns `returning`, which are for
    PostgreSQL, of what was inserted or changed.
    """
    rows = list(rows)
    names = (tuple(columns), tuple(unique), tuple(update), tuple(returning))
    statement = _insertion(connection.vendor, model, *names, is_one=len(rows) == 1)
    return _write(statement, model, columns, rows, is_one=len(rows) == 1, is_asked=bool(returning))


def update(model: type[Model], columns: Sequence[str], rows: Rows) -> None:
    """Change `columns` of rows in one statement; the first of them is the row's number, which says which it is."""
    if connection.vendor == "sqlite":
        # In the order of the marks.
        columns, rows = [*columns[1:], columns[0]], [(*values, key) for key, *values in rows]
    _write(_change(connection.vendor, model, tuple(columns)), model, columns, rows, is_one=False, is_asked=False)


def _write(
    statement: str, model: type[Model], columns: Sequence[str], rows: Rows, *, is_one: bool, is_asked: bool
) -> list[tuple[Any, ...]]:
    by_column = list(zip(*rows, strict=True))
    if not by_column:
        return []
    for number, column in enumerate(columns):
        if isinstance(_field(model, column), JSONField):
            by_column[number] = tuple(None if value is None else json.dumps(value) for value in by_column[number])
    if connection.vendor != "sqlite":
        values = [column[0] if is_one else list(column) for column in by_column]
        if is_asked:
            return statements.ask(statement, values)
        statements.tell(statement, values)
        return []
    for number, column in enumerate(columns):
        if isinstance(_field(model, column), DateTimeField):
            by_column[number] = tuple(map(_as_text, by_column[number]))
    with connection.cursor() as cursor:
        cursor.executemany(statement, list(zip(*by_column, strict=True)))
    return []


@cache
def _insertion(
    vendor: str,
    model: type[Model],
    columns: tuple[str, ...],
    unique: tuple[str, ...],
    update: tuple[str, ...],
    returning: tuple[str, ...],
    *,
    is_one: bool,
) -> str:
    values = f"VALUES ({', '.join(['%s'] * len(columns))})"
    # For one row the driver would take longer to write the arrays than for all else.
    if vendor == "postgresql" and not is_one:
        values = f"SELECT * FROM {_arrays(model, columns)}"  # noqa: S608
    statement = f"INSERT INTO {_quoted(model._meta.db_table)} ({_names(columns)}) {values}"
    if unique:
        changes = ", ".join(f"{_quoted(column)} = EXCLUDED.{_quoted(column)}" for column in update)
        statement += f" ON CONFLICT ({_names(unique)}) DO {f'UPDATE SET {changes}' if update else 'NOTHING'}"
    return f"{statement} RETURNING {_names(returning)}" if returning else statement


@cache
def _change(vendor: str, model: type[Model], columns: tuple[str, ...]) -> str:
    table = _quoted(model._meta.db_table)
    if vendor == "sqlite":
        *others, key = map(_quoted, columns)
        return f"UPDATE {table} SET {', '.join(f'{column} = %s' for column in others)} WHERE {key} = %s"  # noqa: S608
    key, *others = map(_quoted, columns)
    changes = ", ".join(f"{column} = fresh.{column}" for column in others)
    fresh = f"{_arrays(model, columns)} AS fresh ({_names(columns)})"
    return f"UPDATE {table} SET {changes} FROM {fresh} WHERE {table}.{key} = fresh.{key}"  # noqa: S608


def _arrays(model: type[Model], columns: Iterable[str]) -> str:
    """Return the table that PostgreSQL makes of an array for each column: the same statement for any number of rows."""
    types = []
    for column in columns:
        kind = str(_field(model, column).db_type(connection))
        # A cast would cut what is too long, where the column refuses it.
        types.append("text" if kind.startswith("varchar") else kind)
    return f"unnest({', '.join(f'%s::{kind}[]' for kind in types)})"


@cache
def _field(model: type[Model], column: str) -> Any:
    return next(field for field in model._meta.concrete_fields if field.column == column)


def _as_text(at: datetime | None) -> str | None:
    """Return an instant as SQLite's columns hold it."""
    return None if at is None else str((at if at.tzinfo is UTC else at.astimezone(UTC)).replace(tzinfo=None))


def _names(columns: Iterable[str]) -> str:
    return ", ".join(map(_quoted, columns))


_quoted: Callable[[str], str] = connection.ops.quote_name
