"""The Details tab: what a person is warned of."""

import pytest

from runs.actions import completion
from runs.models import Property
from runs.status import RunStatus
from tests import factories


@pytest.fixture
def run(experiment, team_mate, local):
    return factories.run(experiment, by=team_mate, compute_target=local, status=RunStatus.RUNNING)


def test_what_was_asked_for_and_is_not_given_is_a_warning(client_for, reader, run):
    Property.objects.create(run=run, key="requested.docker", value="enabled")

    page = client_for(reader).get(run.get_absolute_url()).content.decode()

    assert "Docker is recorded only, and the run goes on without it (asked for: enabled)." in page
    assert "tone-warning" in page


def test_nothing_asked_for_is_no_warning(client_for, reader, run):
    assert "tone-warning" not in client_for(reader).get(run.get_absolute_url()).content.decode()


def test_an_error_that_the_script_reported_shows_while_it_runs_and_when_it_completed(client_for, reader, run):
    before = client_for(reader).get(run.get_absolute_url()).context["version"]
    completion.report_error(run=run, error="<no data>")

    running = client_for(reader).get(run.get_absolute_url())
    type(run).objects.update(status=RunStatus.COMPLETED, ended_at=run.created_at)
    completed = client_for(reader).get(run.get_absolute_url())

    assert running.context["version"] != before
    assert [page.context["reported_error"] for page in (running, completed)] == ["<no data>"] * 2
    assert "&lt;no data&gt;" in completed.content.decode()


@pytest.mark.parametrize("status", [RunStatus.QUEUED, RunStatus.FAILED])
def test_an_error_that_ended_an_attempt_is_no_report(client_for, reader, run, status):
    ended_at = run.created_at if status == RunStatus.FAILED else None
    type(run).objects.update(status=status, error="Traceback", ended_at=ended_at)

    assert client_for(reader).get(run.get_absolute_url()).context["reported_error"] == ""
