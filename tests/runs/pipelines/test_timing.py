"""When schedules are due, also on the days on which clocks are changed."""

from datetime import UTC, datetime, timedelta
from itertools import islice
from zoneinfo import ZoneInfo

import pytest
from dateutil import rrule
from hypothesis import given
from hypothesis import strategies as st

from runs.errors import InvalidInput
from runs.pipelines import timing
from runs.pipelines.timing import Recurrence

ROME = ZoneInfo("Europe/Rome")
UTC_ZONE = ZoneInfo("UTC")
# Clocks went forward on 29 March 2026 at 2:00, and back on 25 October 2026 at 3:00.
BEFORE_SPRING, BEFORE_AUTUMN = datetime(2026, 3, 28, 12, tzinfo=ROME), datetime(2026, 10, 24, 12, tzinfo=ROME)


def times(rule, *, starts_at, zone=ROME, count=3):
    def walk():
        after = starts_at - timedelta(seconds=1)
        while True:
            after = timing.next_after(rule, zone=zone, starts_at=starts_at, after=after)
            yield after.astimezone(zone).isoformat()

    return list(islice(walk(), count))


@pytest.mark.parametrize("rule", ["30 2 * * *", Recurrence("Day", hours=(2,), minutes=(30,))])
def test_what_falls_into_the_gap_of_spring_is_due_right_after_it_and_once(rule):
    first, second = times(rule, starts_at=BEFORE_SPRING, count=2)

    assert first in ("2026-03-29T03:00:00+02:00", "2026-03-29T03:30:00+02:00")
    assert second == "2026-03-30T02:30:00+02:00"


@pytest.mark.parametrize("rule", ["30 2 * * *", Recurrence("Day", hours=(2,), minutes=(30,))])
def test_what_comes_twice_in_autumn_is_due_once(rule):
    assert times(rule, starts_at=BEFORE_AUTUMN, count=2) == ["2026-10-25T02:30:00+02:00", "2026-10-26T02:30:00+01:00"]


def test_an_hour_is_an_hour_when_clocks_are_set_back():
    after_midnight = datetime(2026, 10, 25, 1, 30, tzinfo=ROME)

    assert times(Recurrence("Hour"), starts_at=after_midnight) == [
        "2026-10-25T01:30:00+02:00",
        "2026-10-25T02:30:00+02:00",
        "2026-10-25T02:30:00+01:00",
    ]


def test_every_second_week_counts_from_the_week_of_the_start():
    wednesday = datetime(2026, 1, 7, 9, 30, tzinfo=UTC)

    fortnightly = Recurrence("Week", 2, week_days=("Monday", "Wednesday"))

    assert times(fortnightly, starts_at=wednesday, zone=UTC_ZONE) == [
        "2026-01-07T09:30:00+00:00",
        "2026-01-19T09:30:00+00:00",
        "2026-01-21T09:30:00+00:00",
    ]


def test_a_month_that_is_too_short_has_its_last_day():
    assert times(Recurrence("Month"), starts_at=datetime(2026, 1, 31, 6, tzinfo=UTC), zone=UTC_ZONE) == [
        "2026-01-31T06:00:00+00:00",
        "2026-02-28T06:00:00+00:00",
        "2026-03-31T06:00:00+00:00",
    ]


recurrences = st.one_of(
    st.builds(Recurrence, st.sampled_from(["Minute", "Hour"]), st.integers(1, 50)),
    st.builds(
        Recurrence,
        st.sampled_from(["Day", "Month"]),
        st.integers(1, 20),
        hours=st.lists(st.integers(0, 23), min_size=1, max_size=3, unique=True).map(lambda held: tuple(sorted(held))),
        minutes=st.lists(st.integers(0, 59), min_size=1, max_size=3, unique=True).map(lambda held: tuple(sorted(held))),
    ),
    st.builds(
        Recurrence,
        st.just("Week"),
        st.integers(1, 5),
        hours=st.just((7, 19)),
        minutes=st.just((15,)),
        week_days=st.lists(st.sampled_from(timing.WEEK_DAYS), min_size=1, unique=True).map(
            lambda names: tuple(sorted(names, key=timing.WEEK_DAYS.index))
        ),
    ),
)


@given(
    rule=recurrences,
    starts_at=st.datetimes(datetime(2025, 1, 1), datetime(2026, 1, 28)).map(
        lambda at: at.replace(day=min(at.day, 28), second=0, microsecond=0, tzinfo=UTC)
    ),
    waited=st.timedeltas(timedelta(0), timedelta(days=300)),
)
def test_in_utc_the_times_are_those_of_the_calendar_standard(rule, starts_at, waited):
    standard = rrule.rrule(
        {"Minute": 5, "Hour": 4, "Day": 3, "Week": 2, "Month": 1}[rule.frequency],
        dtstart=starts_at,
        interval=rule.interval,
        byhour=rule.hours or None,
        byminute=rule.minutes or None,
        byweekday=[timing.WEEK_DAYS.index(name) for name in rule.week_days] or None,
        wkst=0,
    )

    found = timing.next_after(rule, zone=UTC_ZONE, starts_at=starts_at, after=starts_at + waited)

    assert found == standard.after(starts_at + waited)


@given(rule=recurrences, waited=st.timedeltas(timedelta(0), timedelta(days=800)))
def test_times_rise_and_none_between_is_left_out(rule, waited):
    first = timing.next_after(rule, zone=ROME, starts_at=BEFORE_SPRING, after=BEFORE_SPRING + waited)
    second = timing.next_after(rule, zone=ROME, starts_at=BEFORE_SPRING, after=first)
    middle = first + (second - first) / 2

    assert BEFORE_SPRING + waited < first < second
    assert timing.next_after(rule, zone=ROME, starts_at=BEFORE_SPRING, after=middle) == second


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("* * * *", "4 fields"),
        ("*/5 * * * * *", "6 fields"),
        ("61 * * * *", "Bad minute"),
        ("0 0 30 2 *", "day"),
        ("@daily", "1 fields"),
    ],
)
def test_what_is_no_cron_expression_is_refused(text, words):
    with pytest.raises(InvalidInput, match=words) as refused:
        timing.check_cron(text)

    assert refused.value.field == "cron"


@pytest.mark.parametrize(
    ("document", "field"),
    [
        ({}, "recurrence.frequency"),
        ({"frequency": "Fortnight"}, "recurrence.frequency"),
        ({"frequency": "Day", "interval": 0}, "recurrence.interval"),
        ({"frequency": "Day", "hours": [24]}, "recurrence.hours"),
        ({"frequency": "Day", "hours": 7}, "recurrence.hours"),
        ({"frequency": "Hour", "minutes": [5]}, "recurrence.minutes"),
        ({"frequency": "Day", "week_days": ["Monday"]}, "recurrence.week_days"),
        ({"frequency": "Week", "week_days": ["Funday"]}, "recurrence.week_days"),
        ({"frequency": "Day", "every": 3}, "recurrence"),
    ],
)
def test_what_is_no_recurrence_is_refused_by_its_field(document, field):
    with pytest.raises(InvalidInput) as refused:
        Recurrence.from_document(document)

    assert refused.value.field == field


def test_a_recurrence_is_read_back_as_it_was_written():
    document = {"frequency": "Week", "interval": 2, "hours": [7], "minutes": [15], "week_days": ["Monday", "Friday"]}

    assert Recurrence.from_document({**document, "week_days": ["friday", "MONDAY"]}).to_document() == document
