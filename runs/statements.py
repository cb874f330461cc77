"""One hot statement on its way to the database, by the shortest way that its driver knows."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any

from django.db import DEFAULT_DB_ALIAS, connections


def ask(statement: str, values: Sequence[Any]) -> list[tuple[Any, ...]]:
    """Send a statement and return the rows that it finds, or that it changed and returns."""
    return ask_for(statement, values)()


def ask_for(statement: str, values: Sequence[Any], *, is_raw: bool = False) -> Callable[[], list[tuple[Any, ...]]]:
    """Send a statement and return what returns its rows, once; raw ones as the driver makes them the fastest."""
    cursor = _cursor()
    if is_raw and cursor.db.vendor == "postgresql":
        # Its own loader, in C, instead of Django's: the session's zone is UTC either way.
        cursor.cursor.adapters.register_loader("timestamptz", _loader_of_instants())
    cursor.execute(statement, values)

    def rows() -> list[tuple[Any, ...]]:
        with cursor:
            found: list[tuple[Any, ...]] = cursor.fetchall()
        return found

    return rows


def tell(statement: str, values: Sequence[Any]) -> None:
    """Send a statement that returns nothing."""
    with _cursor() as cursor:
        cursor.execute(statement, values)


@contextmanager
def together() -> Iterator[None]:
    """Let statements inside go to PostgreSQL without waiting for the answers to those before, until one is read.

    For reads, or inside a transaction. What one of them raises comes when something is read, or
    at the end of the block: nothing inside may catch it and go on, or read by a server-side cursor.
    """
    connection = _connection()
    if connection.vendor != "postgresql" or not connection.Database.Pipeline.is_supported():
        yield
        return
    connection.ensure_connection()
    with connection.wrap_database_errors, connection.connection.pipeline():
        yield


@cache
def _loader_of_instants() -> Any:
    from psycopg import adapters
    from psycopg.pq import Format

    return adapters.get_loader(adapters.types["timestamptz"].oid, Format.TEXT)


def _connection() -> Any:  # each backend has its own attributes
    return connections[DEFAULT_DB_ALIAS]


def _cursor() -> Any:
    connection = _connection()
    if connection.vendor != "postgresql":
        return connection.cursor()
    # Django's own binds values on this side, so that each statement is a new one; with this one PostgreSQL
    # parses and plans a statement that comes again only once in a connection: see `prepare_threshold`.
    # It comes by the steps of `connection.cursor()`, which would make Django's own first.
    connection.close_if_health_check_failed()
    connection.ensure_connection()
    return connection._prepare_cursor(connection.Database.Cursor(connection.connection))
