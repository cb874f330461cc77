"""Where Django looks for a backend's class."""

import select
import time
from typing import Any

from django.db.backends.postgresql import base, operations

# Whoever was heard of so lately is not asked.
_FRESH_SECONDS = 1.0


class DatabaseOperations(operations.DatabaseOperations):
    """Says what was asked also of what the server got in parts (`runs.statements`): with marks for the values."""

    def last_executed_query(self, cursor: Any, sql: str, params: Any) -> str:
        """Return a statement as logs of queries show it."""
        return super().last_executed_query(cursor, sql, params) or sql


class DatabaseWrapper(base.DatabaseWrapper):
    """PostgreSQL, without the question before each request whether it is there, where the socket says so.

    A server that goes away says good-bye, or its system does: then there is something to read. Only a connection that
    was quiet for a while is asked, as what lies between may have dropped it without a word.
    """

    ops_class = DatabaseOperations
    _usable_at = 0.0

    def is_usable(self) -> bool:
        """Return whether the connection works. Asks the server if that may be doubted."""
        now = time.monotonic()
        is_doubtful = self.errors_occurred or now - self._usable_at > _FRESH_SECONDS or self._has_word()
        if is_doubtful and not super().is_usable():
            return False
        self._usable_at = now
        return True

    def _has_word(self) -> bool:
        """Return whether something came over the connection that nobody asked for."""
        if self.connection is None or self.connection.closed:
            return True
        poll = select.poll()
        poll.register(self.connection.fileno(), select.POLLIN)
        return bool(poll.poll(0))
