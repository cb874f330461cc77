"""All runs of a workspace, and canceling many."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from runs.models import Run
from runs.status import RunStatus
from tests import factories


@pytest.fixture
def address(workspace):
    return reverse("pipeline_list", args=[workspace.name])


@pytest.fixture
def cancel(workspace):
    return reverse("runs_cancel", args=[workspace.name])


def test_runs_of_all_experiments_are_shown(client_for, team_mate, workspace, address):
    runs = [factories.run(factories.experiment(workspace), by=team_mate) for _ in range(2)]

    page = client_for(team_mate).get(address)

    assert page.context["table"].runs == runs[::-1]


def test_ticked_runs_are_asked_to_stop_and_the_rest_is_left_alone(client_for, team_mate, experiment, address, cancel):
    ended, queued, other = (
        factories.run(experiment, by=team_mate, status=status)
        for status in (RunStatus.COMPLETED, RunStatus.QUEUED, RunStatus.QUEUED)
    )

    answer = client_for(team_mate).post(cancel, {"run": [ended.run_id, queued.run_id], "next": f"{address}?q=x"})

    statuses = dict(Run.objects.values_list("pk", "status"))
    assert statuses == {ended.pk: "Completed", queued.pk: "Canceled", other.pk: "Queued"}
    assert answer["Location"] == f"{address}?q=x"


def test_runs_of_another_workspace_cannot_be_canceled(client_for, stranger, team_mate, experiment, cancel):
    run = factories.run(experiment, by=team_mate)
    elsewhere = reverse("runs_cancel", args=["elsewhere"])
    client = client_for(stranger)

    here = client.post(cancel, {"run": [run.run_id]})
    there = client.post(elsewhere, {"run": [run.run_id]})

    run.refresh_from_db()
    assert here.status_code == 404
    assert there.status_code == 302
    assert run.status == RunStatus.QUEUED


def test_a_reader_may_not_cancel(client_for, reader, team_mate, experiment, cancel):
    run = factories.run(experiment, by=team_mate)

    answer = client_for(reader).post(cancel, {"run": [run.run_id]})

    assert answer.status_code == 403


def test_nothing_ticked_is_said(client_for, team_mate, cancel):
    answer = client_for(team_mate).post(cancel)

    assert answer.status_code == 400
    assert b"Tick at least one run." in answer.content


def test_a_stranger_finds_no_such_page(client_for, stranger, address):
    assert client_for(stranger).get(address).status_code == 404


def test_whoever_is_not_signed_in_is_sent_to_the_sign_in(client, address):
    assert client.get(address).status_code == 302


def test_the_number_of_queries_does_not_grow_with_the_rows(client_for, team_mate, workspace, address):
    client = client_for(team_mate)

    counts = []
    for rows in (3, 27):
        for _ in range(rows):
            factories.run(factories.experiment(workspace), by=team_mate)
        with CaptureQueriesContext(connection) as queries:
            client.get(address)
        counts.append(len(queries))

    assert counts[0] == counts[1]
