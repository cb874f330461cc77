"""A schedule's page: made, changed, paused and deleted by a form that says beside each field what is wrong."""

import uuid
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from runs.actions import scheduling
from runs.models import Schedule, ScheduleTick, TickOutcome
from tests import factories

DEFINITION = {
    "name": "nightly",
    "parameters": {"seed": {"type": "integer", "default": 7}, "fast": {"type": "boolean", "default": False}},
    "steps": {"hello": {"command": ["echo", "${{ parameters.seed }}"]}},
}
# As a browser sends the form with which one begins.
FILLED = {
    "name": "morning",
    "rule": "recurrence",
    "cron": "",
    "interval": "1",
    "frequency": "Day",
    "hours": "6, 18",
    "minutes": "30",
    "time_zone": "Europe/Rome",
    "starts_at": "2030-01-01T00:00",
    "ends_at": "",
    "experiment": "reports",
    "parameter-seed": "7",
    "parameter-fast": "false",
    "description": "",
}


@pytest.fixture
def pipeline(workspace, team_mate, local):
    return factories.published_pipeline(workspace, by=team_mate, definition=DEFINITION)


@pytest.fixture
def hourly(pipeline, team_mate):
    return factories.schedule(pipeline, by=team_mate, parameters={"seed": 9, "fast": True}, time_zone="Europe/Rome")


@pytest.fixture
def new(workspace, pipeline):
    return reverse("schedule_new", args=[workspace.name, pipeline.pipeline_id])


def page_of(schedule, name="schedule_edit"):
    return reverse(name, args=[schedule.schedule_id])


def shown(form):
    """Return what a browser would send of a form that nobody touched."""
    fields = {name: form[name].value() for name in form.fields}
    return {name: value for name, value in fields.items() if value not in (None, False, [])}


def test_a_schedule_is_made_in_the_clock_of_its_zone(client_for, team_mate, new):
    answer = client_for(team_mate).post(new, FILLED)

    schedule = Schedule.objects.get()
    assert answer["Location"] == page_of(schedule)
    assert schedule.recurrence == {"frequency": "Day", "interval": 1, "hours": [6, 18], "minutes": [30]}
    assert (schedule.time_zone, schedule.starts_at) == ("Europe/Rome", datetime(2029, 12, 31, 23, 0, tzinfo=UTC))
    assert schedule.next_at == datetime(2030, 1, 1, 5, 30, tzinfo=UTC)
    assert (schedule.experiment_name, schedule.parameters) == ("reports", {"seed": 7, "fast": False})
    assert (schedule.created_by, schedule.catches_up) == (team_mate, False)


def test_a_cron_expression_is_taken_and_what_belongs_to_a_recurrence_is_not(client_for, team_mate, new):
    client_for(team_mate).post(new, {**FILLED, "rule": "cron", "cron": "0 9 * * MON", "catches_up": "on"})

    schedule = Schedule.objects.get()
    assert (schedule.cron, schedule.recurrence, schedule.catches_up) == ("0 9 * * MON", None, True)


def test_a_double_click_makes_one_schedule(client_for, team_mate, new):
    client, key = client_for(team_mate), str(uuid.uuid4())

    answers = [client.post(new, {**FILLED, "schedule_id": key})["Location"] for _ in range(2)]

    assert answers == [reverse("schedule_edit", args=[key])] * 2
    assert Schedule.objects.count() == 1


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"name": " "}, "name"),
        ({"rule": ""}, "rule"),
        ({"rule": "cron", "cron": "every day"}, "cron"),
        ({"rule": "cron", "cron": ""}, "cron"),
        ({"interval": "0"}, "interval"),
        ({"interval": "5000"}, "interval"),
        ({"frequency": "Year"}, "frequency"),
        ({"hours": "25"}, "hours"),
        ({"minutes": "half past"}, "minutes"),
        ({"frequency": "Week", "week_days": ["Moonday"]}, "week_days"),
        ({"time_zone": "Mars/Olympus"}, "time_zone"),
        ({"starts_at": "tomorrow"}, "starts_at"),
        ({"ends_at": "2029-01-01T00:00"}, "ends_at"),
        ({"ends_at": "2030-01-01T00:01"}, "ends_at"),
        ({"experiment": "a\tb"}, "experiment"),
        ({"parameter-seed": "x"}, "parameter-seed"),
    ],
)
def test_what_is_wrong_is_said_beside_its_field_and_what_was_typed_stays(client_for, team_mate, new, changed, field):
    answer = client_for(team_mate).post(new, {**FILLED, **changed})

    form = answer.context["form"]
    assert answer.status_code == 422
    assert list(form.errors) == [field]
    assert form["hours"].value() == {**FILLED, **changed}["hours"]
    assert not Schedule.objects.exists()


def test_the_next_times_are_shown_before_anything_is_saved(client_for, team_mate, new):
    answer = client_for(team_mate).post(new, {**FILLED, "preview": "1"})

    assert answer.context["times"] == [
        datetime(2030, 1, 1, 5, 30, tzinfo=UTC) + timedelta(hours=12 * number) for number in range(5)
    ]
    assert "1 Jan 2030 06:30 CET" in answer.content.decode()
    assert not Schedule.objects.exists()


def test_htmx_is_told_the_next_times_only_also_of_a_form_that_is_not_whole(client_for, team_mate, new):
    asked = {"HX-Request": "true", "HX-Request-Type": "partial"}

    answer = client_for(team_mate).post(new, {**FILLED, "name": "", "experiment": ""}, headers=asked)
    wrong = client_for(team_mate).post(new, {**FILLED, "time_zone": "Rome"}, headers=asked)

    assert answer.content.count(b"<time") == 5
    assert b"<html" not in answer.content
    assert (answer.status_code, wrong.status_code) == (200, 422)
    assert b"There is no such time zone" in wrong.content
    assert not Schedule.objects.exists()


def test_a_form_that_nobody_touched_changes_nothing(client_for, team_mate, hourly):
    before = Schedule.objects.values().get()
    client = client_for(team_mate)

    answer = client.post(page_of(hourly), shown(client.get(page_of(hourly)).context["form"]))

    assert answer.status_code == 302
    assert Schedule.objects.values().get() == before


def test_a_new_rule_counts_from_now(client_for, team_mate, hourly):
    client = client_for(team_mate)
    fields = shown(client.get(page_of(hourly)).context["form"])
    before = timezone.now()

    client.post(page_of(hourly), {**fields, "rule": "recurrence", "frequency": "Minute", "interval": "5"})

    hourly.refresh_from_db()
    assert (hourly.cron, hourly.recurrence) == ("", {"frequency": "Minute", "interval": 5})
    assert before < hourly.next_at <= timezone.now() + timedelta(minutes=5)


def test_it_is_paused_goes_on_and_is_deleted(client_for, team_mate, hourly, pipeline):
    client = client_for(team_mate)

    client.post(page_of(hourly, "schedule_pause"))
    paused = client.get(page_of(hourly))
    client.post(page_of(hourly, "schedule_pause"))
    hourly.refresh_from_db()
    deleted = client.post(page_of(hourly, "schedule_delete"))

    assert "It is paused." in paused.content.decode()
    assert hourly.next_at is not None
    assert deleted["Location"] == pipeline.get_absolute_url()
    assert not Schedule.objects.exists()


def test_what_became_of_its_times_is_shown(client_for, reader, hourly, noon):
    scheduling.run_due(at=noon)
    ScheduleTick.objects.create(
        schedule=hourly, at=noon - timedelta(hours=1), created_at=noon, outcome=TickOutcome.REFUSED, reason="Disabled."
    )

    text = client_for(reader).get(page_of(hourly)).content.decode()

    run = hourly.ticks.get(outcome=TickOutcome.SUBMITTED).run
    assert reverse("run_graph", args=[run.run_id]) in text
    assert "Disabled." in text


def test_a_disabled_pipeline_gets_no_schedule(client_for, team_mate, pipeline, new):
    type(pipeline).objects.update(is_enabled=False)

    answer = client_for(team_mate).post(new, FILLED)

    assert answer.status_code == 422
    assert not Schedule.objects.exists()


@pytest.mark.parametrize("name", ["schedule_edit", "schedule_pause", "schedule_delete"])
def test_a_reader_looks_and_may_not_change(client_for, reader, hourly, name):
    client = client_for(reader)

    assert client.get(page_of(hourly)).status_code == 200
    assert client.post(page_of(hourly, name), FILLED).status_code == 403
    assert Schedule.objects.filter(is_paused=False, name="hourly").exists()


def test_a_reader_makes_none(client_for, reader, new):
    assert client_for(reader).post(new, FILLED).status_code == 403


def test_a_stranger_finds_nothing(client_for, stranger, hourly, new):
    client = client_for(stranger)

    assert client.get(page_of(hourly)).status_code == 404
    assert client.post(page_of(hourly, "schedule_delete")).status_code == 404
    assert client.post(new, FILLED).status_code == 404


def test_whoever_is_not_signed_in_is_sent_to_the_sign_in(client, hourly):
    assert client.get(page_of(hourly)).status_code == 302


def test_pausing_and_deleting_take_a_post(client_for, team_mate, hourly):
    client = client_for(team_mate)

    assert client.get(page_of(hourly, "schedule_pause")).status_code == 405
    assert client.get(page_of(hourly, "schedule_delete")).status_code == 405


def test_the_number_of_queries_does_not_grow_with_the_ticks(client_for, team_mate, hourly, noon):
    client, counts = client_for(team_mate), []
    client.get(page_of(hourly))

    for rows in (3, 15):
        for number in range(rows):
            scheduling.run_due(at=noon + timedelta(hours=rows + number))
        with CaptureQueriesContext(connection) as queries:
            client.get(page_of(hourly))
        counts.append(len(queries))

    assert counts[0] == counts[1]
