"""Why a run is waiting, in a sentence."""

from datetime import timedelta

import pytest

from runs.status import RunStatus
from runs.views import run_waiting
from tests import factories


@pytest.fixture
def run(experiment, team_mate, local):
    factories.run(experiment, by=team_mate, compute_target=local)
    return factories.run(experiment, by=team_mate, compute_target=local)


def test_nobody_listens(run, noon):
    assert run_waiting.sentence(run, at=noon) == (
        "No worker is listening on local: start one with python manage.py up --only worker --targets local"
    )


def test_a_worker_that_fell_silent_does_not_listen(run, noon):
    factories.worker(at=noon - timedelta(minutes=5))

    assert "No worker is listening" in run_waiting.sentence(run, at=noon)


def test_its_place_in_line(run, noon):
    factories.worker(at=noon)

    assert run_waiting.sentence(run, at=noon) == "2nd in line on local: 0 of 2 slots busy."


def test_priority_goes_first(experiment, team_mate, local, run, noon):
    factories.worker(at=noon)
    urgent = factories.run(experiment, by=team_mate, compute_target=local, priority=5)

    assert run_waiting.sentence(urgent, at=noon) == "Next in line on local: 0 of 2 slots busy."
    assert run_waiting.sentence(run, at=noon).startswith("3rd in line")


def test_a_disabled_target(run, local, noon):
    local.is_enabled = False
    run.compute_target = local

    assert "is disabled" in run_waiting.sentence(run, at=noon)


@pytest.mark.parametrize("status", [RunStatus.RUNNING, RunStatus.COMPLETED])
def test_who_has_started_waits_no_more(experiment, team_mate, local, noon, status):
    started = factories.run(experiment, by=team_mate, compute_target=local, status=status)

    assert run_waiting.sentence(started, at=noon) == ""
