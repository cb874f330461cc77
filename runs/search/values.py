"""What a value in a query means: a number, an instant, a duration. Pure."""

import math
import re
from collections.abc import Callable
from datetime import datetime, time, timedelta

from runs.search.grammar import QuerySyntaxError
from runs.search.nodes import Span
from runs.wording import say

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 7 * 86_400}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|[smhdw])", re.IGNORECASE)


def number(text: str, span: Span) -> float:
    """Return `text` as a finite number. Raises QuerySyntaxError."""
    try:
        parsed = float(text)
    except ValueError:
        parsed = math.nan
    if not math.isfinite(parsed):
        raise QuerySyntaxError(
            say("'{text}' is no number", text=text), span=span, expected=[say("a number such as 0.001")]
        )
    return parsed


def whole_number(text: str, span: Span) -> int:
    """Return `text` as a whole number that a database can hold. Raises QuerySyntaxError."""
    if not re.fullmatch(r"-?[0-9]{1,18}", text):
        raise QuerySyntaxError(
            say("'{text}' is no whole number", text=text), span=span, expected=[say("a number such as 3")]
        )
    return int(text)


def seconds(text: str, span: Span) -> float:
    """Return the duration `text` (`90`, `90s`, `1h30m`) in seconds. Raises QuerySyntaxError."""
    if re.fullmatch(r"\d{1,18}(\.\d+)?", text):
        return float(text)
    parts = _DURATION.findall(text)
    if not parts or "".join(amount + unit for amount, unit in parts) != text:
        raise QuerySyntaxError(
            say("'{text}' is no duration", text=text), span=span, expected=[say("a duration such as 90s, 10m or 1h30m")]
        )
    return sum(float(amount) * (0.001 if unit.lower() == "ms" else _UNITS[unit.lower()]) for amount, unit in parts)


def instants(text: str, span: Span, *, at: datetime) -> tuple[datetime, datetime]:
    """Return the first instant that `text` means, and the first after it. Raises QuerySyntaxError.

    `2026-11-23` is that whole day, `2026-11-23T10:00` that minute, `today` and `yesterday`
    are days, and `7d` is the instant seven days before `at`; days are those of the time
    zone of `at`.
    """
    word = text.lower()
    if word in ("today", "yesterday"):
        day = at.date() - timedelta(days=word == "yesterday")
        return _day(day.isoformat(), at), _day((day + timedelta(days=1)).isoformat(), at)
    if re.fullmatch(r"\d{1,6}(\.\d{1,6})?[smhdw]", word):
        return _guarded(lambda: (at - timedelta(seconds=seconds(word, span)),) * 2, text, span)
    return _guarded(lambda: _calendar(text, at), text, span)


def _calendar(text: str, at: datetime) -> tuple[datetime, datetime]:
    if re.fullmatch(r"\d{4}-\d\d-\d\d", text):
        first = _day(text, at)
        return first, _day((first.date() + timedelta(days=1)).isoformat(), at)
    if not re.match(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d", text):
        raise ValueError(text)
    first = datetime.fromisoformat(text)
    first = first if first.tzinfo else first.replace(tzinfo=at.tzinfo)
    if re.match(r".{19}\.\d{3}(?!\d)", text):
        return first, first + timedelta(milliseconds=1)
    step = timedelta(minutes=1) if re.match(r".{10}.\d\d:\d\d(?!:)", text) else timedelta(seconds=1)
    return first, first + step


def _day(text: str, at: datetime) -> datetime:
    return datetime.combine(datetime.fromisoformat(text).date(), time.min, tzinfo=at.tzinfo)


def _guarded(read: Callable[[], tuple[datetime, datetime]], text: str, span: Span) -> tuple[datetime, datetime]:
    try:
        first, after = read()
        if first.year < 1900 or after.year > 9000:  # a database would not take every one of them
            raise ValueError(text)
        return first, after
    except (ValueError, OverflowError):
        expected = [say("a date such as 2026-11-23, 2026-11-23T10:00, today or 7d (seven days ago)")]
        raise QuerySyntaxError(say("'{text}' is no time", text=text), span=span, expected=expected) from None
