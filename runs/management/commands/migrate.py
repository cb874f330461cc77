"""`manage.py migrate`: Django's own, which may think for as long as it likes between two statements."""

from typing import Any

from django.core.management.commands import migrate
from django.db import connections


class Command(migrate.Command):
    """Migrate without the limit that elsewhere ends a transaction in which nothing happens (see settings)."""

    def handle(self, *args: Any, **options: Any) -> None:
        """Migrate."""
        connection = connections[options["database"]]
        if connection.vendor != "postgresql":
            super().handle(*args, **options)
            return
        with connection.cursor() as cursor:
            cursor.execute("SET idle_in_transaction_session_timeout = 0")
        try:
            super().handle(*args, **options)
        finally:
            connection.close()  # the next one has the limit again
