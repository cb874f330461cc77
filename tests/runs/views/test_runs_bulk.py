"""What is done to many runs at once, and stars."""

import pytest
from django.urls import reverse

from runs.models import Favorite, Run, Tag
from runs.status import RunStatus
from tests import factories


@pytest.fixture
def address(workspace):
    return reverse("runs_bulk", args=[workspace.name])


@pytest.fixture
def runs(experiment, team_mate):
    """A completed, a queued and another queued run."""
    statuses = (RunStatus.COMPLETED, RunStatus.QUEUED, RunStatus.QUEUED)
    return [factories.run(experiment, by=team_mate, status=status) for status in statuses]


def statuses():
    return list(Run.objects.order_by("number").values_list("status", flat=True))


def test_ticked_runs_are_asked_to_stop_and_the_rest_is_left_alone(client_for, team_mate, runs, address):
    ids = [run.run_id for run in runs[:2]]

    answer = client_for(team_mate).post(
        address, {"verb": "cancel", "run": ids, "reason": "Wrong data.", "next": "/w/default/pipelines/?q=x"}
    )

    assert statuses() == ["Completed", "Canceled", "Queued"]
    assert Run.objects.get(pk=runs[1].pk).reason == "Wrong data."
    assert answer["Location"] == "/w/default/pipelines/?q=x"


def test_all_that_match_are_changed_and_no_others(client_for, team_mate, owner, workspace, runs, address):
    elsewhere = factories.run(factories.experiment(workspace), by=owner)
    theirs = factories.run(runs[0].experiment, by=owner)
    asked = {"all": "1", "experiment": runs[0].experiment.name, "state": "mine=1&q=status:queued"}
    client = client_for(team_mate)

    client.post(address, {"verb": "tag", "key": "seen", "value": "", **asked})
    client.post(address, {"verb": "cancel", **asked})

    assert set(Tag.objects.values_list("run", "key", "value")) == {(run.pk, "seen", None) for run in runs[1:]}
    assert set(Run.objects.filter(status="Queued")) == {elsewhere, theirs}


def test_only_what_has_ended_is_archived(client_for, team_mate, runs, address):
    client_for(team_mate).post(address, {"verb": "archive", "run": [run.run_id for run in runs]})

    assert list(Run.objects.filter(archived_at__isnull=False)) == runs[:1]


def test_only_what_has_ended_goes_to_the_trash(client_for, team_mate, runs, address):
    client_for(team_mate).post(address, {"verb": "delete", "run": [run.run_id for run in runs]})

    assert list(Run.objects.order_by("number")) == runs[1:]


def test_too_many_at_once_are_refused_before_any_is_changed(client_for, team_mate, runs, address, monkeypatch):
    monkeypatch.setattr("runs.limits.BULK_SLOW_RUNS", 1)

    page = client_for(team_mate).post(address, {"verb": "cancel", "all": "1", "next": "/w/default/"}, follow=True)

    assert b"narrow the search" in page.content
    assert statuses() == ["Completed", "Queued", "Queued"]


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        ({"verb": "cancel"}, b"Tick at least one run."),
        ({"verb": "tag", "all": "1"}, b"A tag needs a name."),
        ({"verb": "explode", "all": "1"}, b"no button"),
        ({"verb": "compare", "run": "one"}, b"Tick two to 20 runs"),
        ({"verb": "cancel", "all": "1", "state": "q=status:nope"}, b"unknown status"),
    ],
)
def test_a_mistake_is_said(client_for, team_mate, runs, address, sent, said):
    page = client_for(team_mate).post(address, {"next": "/w/default/", **sent}, follow=True)

    assert said in page.content


def test_a_reader_may_change_nothing(client_for, reader, runs, address):
    answer = client_for(reader).post(address, {"verb": "cancel", "all": "1"})

    assert answer.status_code == 403


def test_runs_of_another_workspace_are_out_of_reach(client_for, stranger, runs, address):
    client, ids = client_for(stranger), [run.run_id for run in runs]

    here = client.post(address, {"verb": "cancel", "run": ids})
    client.post(reverse("runs_bulk", args=["elsewhere"]), {"verb": "cancel", "run": ids})

    assert here.status_code == 404
    assert statuses() == ["Completed", "Queued", "Queued"]


def test_a_star_comes_and_goes_for_oneself_and_filters(client_for, reader, team_mate, runs, experiment):
    client = client_for(reader)

    client.post(reverse("run_star"), {"run": runs[1].run_id})
    mine = client.get(experiment.get_absolute_url(), {"favorites": "1"}).context["table"]
    theirs = client_for(team_mate).get(experiment.get_absolute_url(), {"q": "is:favorite"}).context["table"]
    client.post(reverse("run_star"), {"run": runs[1].run_id})

    assert mine.runs == [runs[1]]
    assert mine.rows[0].is_favorite
    assert theirs.runs == []
    assert not Favorite.objects.exists()


def test_a_stranger_cannot_star(client_for, stranger, runs):
    assert client_for(stranger).post(reverse("run_star"), {"run": runs[0].run_id}).status_code == 404
