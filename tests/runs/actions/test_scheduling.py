"""Schedules: each time makes one run, whoever looks, how often and how late."""

import threading
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runs.actions import publishing, scheduling
from runs.actions.scheduling import Plan
from runs.errors import InvalidInput
from runs.models import Experiment, Membership, Run, RunType, Schedule, ScheduleTick
from tests import factories

HOUR = timedelta(hours=1)


@pytest.fixture
def pipeline(workspace, owner, local):
    """A published pipeline of one step."""
    return factories.published_pipeline(workspace, by=owner)


@pytest.fixture
def hourly(pipeline, owner):
    """A schedule that is due at noon and every hour after it."""
    return factories.schedule(pipeline, by=owner)


def outcomes(schedule):
    return list(ScheduleTick.objects.filter(schedule=schedule).order_by("at").values_list("at", "outcome"))


def test_a_time_that_came_makes_one_run_however_often_one_looks(hourly, noon):
    for seconds in (-1, 0, 5, 10):
        scheduling.run_due(at=noon + timedelta(seconds=seconds))

    run = Run.objects.get(run_type=RunType.PIPELINE)
    hourly.refresh_from_db()
    assert outcomes(hourly) == [(noon, "submitted")]
    assert (run.experiment.name, run.display_name) == ("explore-runs", "hourly, 2026-11-23 12:00")
    assert dict(run.properties.values_list("key", "value"))["azureml.scheduleid"] == hourly.schedule_id
    assert hourly.next_at == noon + HOUR


def test_what_was_missed_is_skipped(hourly, noon):
    scheduling.run_due(at=noon + 5 * HOUR + timedelta(minutes=30))

    hourly.refresh_from_db()
    assert outcomes(hourly) == [(noon, "skipped")]
    assert hourly.next_at == noon + 6 * HOUR


def test_after_a_gap_the_time_that_is_due_now_is_run(hourly, noon):
    scheduling.run_due(at=noon + 5 * HOUR + timedelta(seconds=10))

    assert outcomes(hourly) == [(noon, "skipped"), (noon + 5 * HOUR, "submitted")]


def test_what_was_missed_is_made_up_for_where_it_is_wanted(pipeline, owner, noon):
    schedule = factories.schedule(pipeline, by=owner, catches_up=True)

    scheduling.run_due(at=noon + 2 * HOUR + timedelta(minutes=30))

    assert outcomes(schedule) == [(noon + number * HOUR, "submitted") for number in range(3)]


def test_a_refused_run_is_noted_leaves_nothing_and_the_schedule_goes_on(hourly, pipeline, noon):
    publishing.set_enabled(pipeline=pipeline, is_enabled=False)

    [tick] = scheduling.run_due(at=noon)

    hourly.refresh_from_db()
    assert (tick.outcome, tick.run) == ("refused", None)
    assert "disabled" in tick.reason
    assert not Experiment.objects.exists()
    assert hourly.next_at == noon + HOUR


def test_who_may_no_longer_submit_runs_gets_none(hourly, owner, noon):
    Membership.objects.filter(user=owner).delete()

    [tick] = scheduling.run_due(at=noon)

    assert (tick.outcome, tick.run) == ("refused", None)


def test_a_crash_leaves_neither_tick_nor_run_and_the_other_schedules_run(hourly, pipeline, owner, noon, monkeypatch):
    other = factories.schedule(pipeline, by=owner, name="other")
    real = publishing.run

    def crash_for_one(**given):
        run = real(**given)
        if given["display_name"].startswith("hourly"):
            raise RuntimeError("the machine went away")
        return run

    with monkeypatch.context() as patched:
        patched.setattr(publishing, "run", crash_for_one)
        scheduling.run_due(at=noon)
    left, runs_then = outcomes(hourly), Run.objects.filter(run_type=RunType.PIPELINE).count()
    scheduling.run_due(at=noon + timedelta(seconds=5))

    assert (left, runs_then) == ([], 1)
    assert outcomes(hourly) == outcomes(other) == [(noon, "submitted")]


def test_a_paused_schedule_is_never_due_and_goes_on_with_its_next_time(hourly, noon):
    scheduling.pause(schedule=hourly)
    scheduling.run_due(at=noon + HOUR)

    resumed = scheduling.resume(schedule=hourly, at=noon + 3 * HOUR + timedelta(minutes=1))

    assert outcomes(hourly) == []
    assert (resumed.is_paused, resumed.next_at) == (False, noon + 4 * HOUR)


def test_it_ends_with_its_end(pipeline, owner, noon):
    schedule = factories.schedule(pipeline, by=owner, ends_at=noon + HOUR)

    scheduling.run_due(at=noon)
    scheduling.run_due(at=noon + HOUR)

    schedule.refresh_from_db()
    assert len(outcomes(schedule)) == 2
    assert schedule.next_at is None


def test_the_time_zone_is_that_of_the_schedule(pipeline, owner, noon):
    schedule = scheduling.create(
        pipeline=pipeline,
        plan=Plan("morning", "nightly", cron="30 6 * * *", time_zone="Europe/Rome"),
        by=owner,
        at=noon,
    )

    assert schedule.next_at == datetime(2026, 11, 24, 5, 30, tzinfo=UTC)


def test_a_new_rule_counts_from_now(hourly, noon):
    changed = scheduling.change(
        schedule=hourly,
        changes={"recurrence": {"frequency": "Day", "hours": [15], "minutes": [0]}},
        at=noon + timedelta(minutes=5),
    )

    assert (changed.cron, changed.next_at) == ("", noon + 3 * HOUR)


@pytest.mark.parametrize(
    ("plan", "field"),
    [
        ({}, "cron"),
        ({"cron": "0 * * * *", "recurrence": {"frequency": "Day"}}, "cron"),
        ({"cron": "every day"}, "cron"),
        ({"recurrence": {"frequency": "Never"}}, "recurrence.frequency"),
        ({"cron": "0 * * * *", "time_zone": "Mars/Olympus"}, "time_zone"),
        ({"cron": "0 * * * *", "ends_at": factories.NOON - HOUR}, "ends_at"),
        ({"cron": "0 0 1 1 *", "ends_at": factories.NOON + HOUR}, "ends_at"),
        ({"cron": "0 * * * *", "parameters": {"seed": 1}}, "parameters.seed"),
        ({"cron": "0 * * * *", "experiment_name": " "}, "experiment"),
        ({"cron": "0 * * * *", "name": " "}, "name"),
    ],
)
def test_what_is_no_plan_is_refused_by_its_field(pipeline, owner, noon, plan, field):
    with pytest.raises(InvalidInput) as refused:
        scheduling.create(
            pipeline=pipeline, plan=Plan(**{"name": "x", "experiment_name": "y", **plan}), by=owner, at=noon
        )

    assert refused.value.field == field
    assert not Schedule.objects.exists()


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    looks=st.lists(st.integers(-30, 6 * 60), min_size=1, max_size=6),
    catches_up=st.booleans(),
    pauses_at=st.none() | st.integers(0, 5),
)
def test_whatever_the_order_of_looks_a_time_has_one_run_at_most(pipeline, owner, noon, looks, catches_up, pauses_at):
    schedule = factories.schedule(pipeline, by=owner, catches_up=catches_up, cron="*/20 * * * *")

    for number, minutes in enumerate(looks):
        scheduling.run_due(at=noon + timedelta(minutes=minutes))
        if number == pauses_at:
            scheduling.pause(schedule=schedule)
            scheduling.resume(schedule=schedule, at=noon - timedelta(minutes=1))

    ticks = list(ScheduleTick.objects.filter(schedule=schedule).order_by("at"))
    submitted = [tick for tick in ticks if tick.outcome == "submitted"]
    schedule.refresh_from_db()
    latest = max(looks)
    assert len({tick.run_id for tick in submitted}) == len(submitted)
    assert all(tick.at <= noon + timedelta(minutes=latest) for tick in ticks)
    assert schedule.next_at is not None
    assert latest < 0 or bool(ticks)
    assert not catches_up or len(ticks) == len(submitted)
    schedule.delete()


@pytest.mark.django_db(transaction=True)
def test_two_beats_at_once_make_one_run_for_each_time(workspace, owner, local, noon):
    pipeline = factories.published_pipeline(workspace, by=owner)
    schedules = [factories.schedule(pipeline, by=owner, name=f"s{number}", catches_up=True) for number in range(4)]
    begin, faults = threading.Barrier(3), []

    def beat():
        try:
            begin.wait(60)
            for number in range(3):
                scheduling.run_due(at=noon + number * HOUR)
        except Exception as error:
            faults.append(error)
        finally:
            connection.close()

    beats = [threading.Thread(target=beat) for _ in range(3)]
    [each.start() for each in beats]
    [each.join(60) for each in beats]

    assert faults == []
    assert [outcomes(each) for each in schedules] == [[(noon + number * HOUR, "submitted") for number in range(3)]] * 4
    assert Run.objects.filter(run_type=RunType.PIPELINE).count() == 12
