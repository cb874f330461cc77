"""One hot statement on its way to the database, by the shortest way that its driver knows."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from django.db import connection as _connection

connection: Any = _connection  # each backend has its own attributes


def ask(statement: str, values: Sequence[Any]) -> list[tuple[Any, ...]]:
    """Send a statement and return the rows that it finds, or that it changed and returns."""
    with _cursor() as cursor:
        cursor.execute(statement, values)
        return cursor.fetchall()


def tell(statement: str, values: Sequence[Any]) -> None:
    """Send a statement that returns nothing."""
    with _cursor() as cursor:
        cursor.execute(statement, values)


@contextmanager
def together() -> Iterator[None]:
    """Let what is told inside go to PostgreSQL in one go, instead of each waiting for the answer to the one before.

    Inside a transaction, and for what this module sends alone. What one of the statements
    raises comes at the end of the block, if not sooner.
    """
    if connection.vendor != "postgresql" or not connection.Database.Pipeline.is_supported():
        yield
        return
    connection.ensure_connection()
    with connection.wrap_database_errors, connection.connection.pipeline():
        yield


def _cursor() -> Any:
    if connection.vendor != "postgresql":
        return connection.cursor()
    # Django's own binds values on this side, so that each statement is a new one; with this one PostgreSQL
    # parses and plans a statement that comes again only once in a connection: see `prepare_threshold`.
    cursor = connection.cursor()
    cursor.cursor = connection.Database.Cursor(connection.connection)
    return cursor
