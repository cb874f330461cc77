"""What the buttons of a run's page do."""

import pytest
from django.urls import reverse

from runs.models import Run, RunType, Tag
from runs.status import RunStatus
from tests import factories


@pytest.fixture
def run(experiment, team_mate, local):
    return factories.run(experiment, by=team_mate, compute_target=local, script="", command=["true"])


@pytest.fixture
def client(client_for, team_mate):
    return client_for(team_mate)


def post(client, name, run, **fields):
    return client.post(reverse(name, args=[run.run_id]), fields, follow=True)


def test_cancel_ends_a_queued_run_at_once(client, run, team_mate):
    page = post(client, "run_cancel", run)

    run.refresh_from_db()
    assert (run.status, run.cancel_requested_by) == ("Canceled", team_mate)
    assert "Asked for by tom" in page.content.decode()


def test_a_reason_for_a_cancel_stands_in_the_details(client, run):
    page = post(client, "run_cancel", run, reason=" Wrong data. ")

    run.refresh_from_db()
    assert run.reason == "Wrong data."
    assert page.content.decode().count("Wrong data.") >= 2  # with the status, and among the events


def test_a_reason_that_no_database_can_hold_is_refused(client, run):
    page = post(client, "run_cancel", run, reason="a\0b")

    run.refresh_from_db()
    assert run.status == "Queued"
    assert "reason" in str(next(iter(page.context["messages"])))


def test_cancel_of_an_ended_run_says_so(client, run):
    post(client, "run_cancel", run)

    page = post(client, "run_cancel", run)

    assert [message.level_tag for message in page.context["messages"]] == ["warning"]


def test_stop_now_leaves_no_time_to_clean_up(client, experiment, team_mate, local):
    run = factories.run(experiment, by=team_mate, compute_target=local, status=RunStatus.RUNNING)
    page = post(client, "run_cancel", run)
    assert "Stop now" in page.content.decode()

    post(client, "run_cancel", run, now="1")

    run.refresh_from_db()
    assert (run.status, run.cancel_grace_seconds) == ("CancelRequested", 0)


def test_resubmit_makes_a_new_run_and_goes_there(client, run):
    page = post(client, "run_resubmit", run)

    new = Run.objects.get(resubmitted_from=run)
    assert page.request["PATH_INFO"] == new.get_absolute_url()
    assert "Resubmitted from" in page.content.decode()


def test_a_double_click_on_resubmit_is_one_run(client, run):
    post(client, "run_resubmit", run, idempotency_key="key1")
    post(client, "run_resubmit", run, idempotency_key="key1")

    assert Run.objects.filter(resubmitted_from=run).count() == 1


def test_an_interactive_run_is_not_resubmitted(client, experiment, team_mate):
    run = factories.run(experiment, by=team_mate, run_type=RunType.INTERACTIVE, status=RunStatus.RUNNING)

    page = post(client, "run_resubmit", run)

    assert [message.level_tag for message in page.context["messages"]] == ["error"]
    assert "there is nothing to submit again" in page.content.decode()


@pytest.mark.parametrize(("value", "stored"), [("good", "good"), ("", None)])
def test_a_tag_is_added_changed_and_taken_off(client, run, value, stored):
    post(client, "run_tags", run, key="mood", value="old")
    post(client, "run_tags", run, key="mood", value=value)
    assert Tag.objects.get(run=run, key="mood").value == stored

    post(client, "run_tags", run, key="mood", value=value, remove="mood")
    assert not Tag.objects.filter(run=run).exists()


def test_a_tag_needs_a_key(client, run):
    page = post(client, "run_tags", run, key=" ", value="x")

    assert [str(message) for message in page.context["messages"]] == ["A tag needs a name."]


def test_a_tag_that_htmx_sends_is_answered_with_the_fragment_or_a_line(client, run):
    headers = {"HX-Request": "true", "HX-Request-Type": "partial"}
    address = reverse("run_tags", args=[run.run_id])

    added = client.post(address, {"key": "mood"}, headers=headers, follow=True)
    refused = client.post(address, {"key": ""}, headers=headers)

    assert b"<html" not in added.content
    assert refused.status_code == 400
    assert refused.content == b"A tag needs a name."


def test_name_and_description_are_changed(client, run):
    page = post(client, "run_describe", run, display_name="Best", description="*so* good")

    run.refresh_from_db()
    assert (run.display_name, run.description) == ("Best", "*so* good")
    assert "<em>so</em>" in page.content.decode()
