"""What every line of the server's own logs says of the run it is about. Pure: knows no Django.

A supervisor is about one attempt for all its life and in all its threads; a request, or a
duty of a worker, is about a run for a while.
"""

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any

_process: dict[str, Any] = {}
_current: ContextVar[dict[str, Any] | None] = ContextVar("log_context", default=None)


def set_for_process(**fields: Any) -> None:
    """Say `fields` in every line of this process from now on."""
    _process.update(fields)


@contextmanager
def about(**fields: Any) -> Iterator[None]:
    """Say `fields` in every line of the block, in this thread, beside those of the blocks around it."""
    token = _current.set({**(_current.get() or {}), **fields})
    try:
        yield
    finally:
        _current.reset(token)


def begin() -> None:
    """Say nothing in the lines of this thread, until `add`: it takes up something new."""
    _current.set({})


def add(**fields: Any) -> None:
    """Say `fields` in what follows, until the block ends or something else begins; before either it does nothing."""
    if (current := _current.get()) is not None:
        current.update(fields)


class ContextFilter(logging.Filter):
    """Gives each record `fields`, and `context`: the same as text, with a space before it."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Let every record pass."""
        fields = {**_process, **(_current.get() or {})}
        record.fields = fields
        record.context = "".join(f" {name}={value}" for name, value in fields.items())
        return True


class JsonFormatter(logging.Formatter):
    """A line of JSON for each record."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line; a traceback is a field of it."""
        fields = dict(getattr(record, "fields", {}))
        if record.exc_info:
            fields["exception"] = self.formatException(record.exc_info)
        at = datetime.fromtimestamp(record.created, UTC)
        return json_line(at=at, level=record.levelname, logger=record.name, message=record.getMessage(), **fields)


def json_line(*, at: datetime, level: str, logger: str, message: str, **fields: Any) -> str:
    """Return one line of JSON."""
    line = {"at": at.isoformat(timespec="milliseconds"), "level": level, "logger": logger, "message": message, **fields}
    return json.dumps(line, ensure_ascii=False, default=str)
