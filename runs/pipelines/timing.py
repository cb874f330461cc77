"""When a schedule is due: the times of a cron expression or a recurrence, in a time zone. Knows no rows.

Clocks that are set forward leave no day out: what falls into the gap comes right after it. Those that are
set back do nothing twice: of two equal times of day the first one counts.
"""

import calendar
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

from runs.errors import InvalidInput
from runs.wording import say

FREQUENCIES = ("Minute", "Hour", "Day", "Week", "Month")
WEEK_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
LONGEST_INTERVAL = 1_000

_SECONDS = {"Minute": 60, "Hour": 3600}
_FIELDS = {"frequency", "interval", "hours", "minutes", "week_days"}


@dataclass(frozen=True)
class Recurrence:
    """Every so many minutes, hours, days, weeks or months; on some days of the week, at some times of day."""

    frequency: str
    interval: int = 1
    hours: tuple[int, ...] = ()
    minutes: tuple[int, ...] = ()
    week_days: tuple[str, ...] = ()

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> "Recurrence":
        """Return the recurrence that an object with its fields describes. Raises InvalidInput naming the field."""
        if unknown := set(document) - _FIELDS:
            raise _bad(
                "recurrence",
                say("has no field {name!r}; it has {names}", name=min(unknown), names=", ".join(sorted(_FIELDS))),
            )
        frequency = _word(document.get("frequency"), FREQUENCIES, "frequency")
        interval = document.get("interval", 1)
        if not isinstance(interval, int) or isinstance(interval, bool) or not 1 <= interval <= LONGEST_INTERVAL:
            raise _bad(
                "interval",
                say("is {value!r}; expected a whole number from 1 to {most}", value=interval, most=LONGEST_INTERVAL),
            )
        recurrence = cls(
            frequency,
            interval,
            hours=_numbers(document.get("hours"), 23, "hours"),
            minutes=_numbers(document.get("minutes"), 59, "minutes"),
            week_days=_week_days(document.get("week_days")),
        )
        if recurrence.week_days and frequency != "Week":
            raise _bad("week_days", say("goes with the frequency Week only, not with {frequency}", frequency=frequency))
        if (recurrence.hours or recurrence.minutes) and frequency in _SECONDS:
            raise _bad(
                "hours" if recurrence.hours else "minutes", say("goes with the frequencies Day, Week and Month only")
            )
        return recurrence

    def to_document(self) -> dict[str, Any]:
        """Return it as an object, without what is not set."""
        lists = {"hours": self.hours, "minutes": self.minutes, "week_days": self.week_days}
        given = {name: list(values) for name, values in lists.items() if values}
        return {"frequency": self.frequency, "interval": self.interval, **given}


def check_cron(text: str) -> str:
    """Return a cron expression of five fields, or raise InvalidInput."""
    parts = text.split()
    try:
        if len(parts) != 5:
            raise CronSimError(say("it has {count} fields", count=len(parts)))
        next(CronSim(text, datetime(2026, 1, 1, tzinfo=UTC)))
    except (CronSimError, StopIteration) as error:
        why = error.args[0] if error.args else say("no such day ever comes")
        raise InvalidInput(
            say(
                "{text!r} is no cron expression ({why}): expected minute, hour, day of month, month "
                "and day of week, such as `30 6 * * MON-FRI`.",
                text=text[:100],
                why=why,
            ),
            field="cron",
        ) from None
    return " ".join(parts)


def next_after(rule: str | Recurrence, *, zone: ZoneInfo, starts_at: datetime, after: datetime) -> datetime | None:
    """Return the first time of `rule` after `after` and not before `starts_at`; None where there is none any more.

    The rule is a cron expression, or a recurrence, which counts from `starts_at`.
    """
    if isinstance(rule, str):
        begin = max(after, starts_at - timedelta(seconds=1)).astimezone(zone)
        try:
            found = next(CronSim(rule, begin))
        except (StopIteration, OverflowError):
            return None
        return found.astimezone(UTC)
    if rule.frequency in _SECONDS:
        # Elapsed time: an hour is an hour, whatever is done to the clocks.
        step = timedelta(seconds=_SECONDS[rule.frequency] * rule.interval)
        passed = 0 if after < starts_at else (after - starts_at) // step + 1
        return starts_at.astimezone(UTC) + passed * step
    try:
        times = (at for day in _days(rule, zone, starts_at, after) for at in _times(rule, zone, starts_at, day))
        return next(at for at in times if at > after and at >= starts_at)
    except (OverflowError, ValueError):  # the end of the calendar
        return None


def _days(rule: Recurrence, zone: ZoneInfo, starts_at: datetime, after: datetime) -> Iterator[date]:
    """Yield the days of a recurrence, from a little before `after` on."""
    first, near = starts_at.astimezone(zone).date(), max(after, starts_at).astimezone(zone).date()
    if rule.frequency == "Month":
        passed = (near.year - first.year) * 12 + near.month - first.month
        count = max(0, passed // rule.interval - 1)
        while True:
            year, month = divmod(first.year * 12 + first.month - 1 + count * rule.interval, 12)
            # A month that is too short has its last day.
            yield date(year, month + 1, min(first.day, calendar.monthrange(year, month + 1)[1]))
            count += 1
    weekly = rule.frequency == "Week"
    begin = first - timedelta(days=first.weekday()) if weekly else first
    within = sorted(WEEK_DAYS.index(name) for name in rule.week_days) or [first.weekday()] if weekly else [0]
    step = timedelta(days=rule.interval * (7 if weekly else 1))
    day = begin + step * max(0, (near - begin) // step - 1)
    while True:
        yield from (day + timedelta(days=number) for number in within)
        day += step


def _times(rule: Recurrence, zone: ZoneInfo, starts_at: datetime, day: date) -> list[datetime]:
    """Return the instants of one day."""
    own = starts_at.astimezone(zone)
    if rule.hours or rule.minutes:
        clock = [time(hour, minute) for hour in rule.hours or (own.hour,) for minute in rule.minutes or (0,)]
    else:
        clock = [own.time().replace(fold=0)]
    # A time in the gap is read with the offset from before it, which puts it as long after the gap.
    return sorted(datetime.combine(day, each, zone).astimezone(UTC) for each in clock)


def _word(value: Any, words: tuple[str, ...], field: str) -> str:
    found = next((word for word in words if str(value).lower() == word.lower()), None)
    if found is None:
        raise _bad(field, say("is {value!r}; expected one of {names}", value=value, names=", ".join(words)))
    return found


def _numbers(values: Any, last: int, field: str) -> tuple[int, ...]:
    if values is None:
        return ()
    if not isinstance(values, (list, tuple)) or not all(type(each) is int and 0 <= each <= last for each in values):
        raise _bad(
            field, say("is {value!r}; expected a list of whole numbers from 0 to {most}", value=values, most=last)
        )
    return tuple(sorted(set(values)))


def _week_days(values: Any) -> tuple[str, ...]:
    if values is None:
        return ()
    if not isinstance(values, (list, tuple)):
        raise _bad(
            "week_days", say("is {value!r}; expected a list of {names}", value=values, names=", ".join(WEEK_DAYS))
        )
    given = {_word(each, WEEK_DAYS, "week_days") for each in values}
    return tuple(sorted(given, key=WEEK_DAYS.index))


def _bad(field: str, problem: str) -> InvalidInput:
    named = field if field == "recurrence" else f"recurrence.{field}"
    return InvalidInput(say("{named} {problem}.", named=named, problem=problem), field=named)
