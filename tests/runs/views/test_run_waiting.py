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


def test_who_holds_fewer_slots_goes_first(experiment, team_mate, owner, local, run, noon):
    factories.worker(at=noon)
    busy = factories.run(experiment, by=team_mate, compute_target=local, status=RunStatus.RUNNING, attempt_number=1)
    factories.attempt(busy)
    newest = factories.run(experiment, by=owner, compute_target=local)

    assert run_waiting.sentence(newest, at=noon) == "Next in line on local: 1 of 2 slots busy."
    assert run_waiting.sentence(run, at=noon).startswith("3rd in line")


def test_what_a_slot_is_lent_for_goes_first_and_the_lent_slot_is_not_busy(experiment, team_mate, local, run, noon):
    factories.worker(at=noon)
    parent = factories.run(experiment, by=team_mate, compute_target=local, status=RunStatus.RUNNING, attempt_number=1)
    child = factories.run(experiment, by=team_mate, compute_target=local, parent=parent)
    factories.attempt(parent, lent_until=noon + timedelta(seconds=60), waits_for=child)

    assert run_waiting.sentence(child, at=noon) == "Next in line on local: 0 of 2 slots busy."
    assert run_waiting.sentence(run, at=noon).startswith("3rd in line")


def test_who_waits_for_a_child_says_so(experiment, team_mate, local, noon):
    parent = factories.run(experiment, by=team_mate, compute_target=local, status=RunStatus.RUNNING, attempt_number=1)
    child = factories.run(experiment, by=team_mate, parent=parent, display_name="fold 3")
    factories.attempt(parent, lent_until=noon + timedelta(seconds=60), waits_for=child)

    assert (
        run_waiting.sentence(parent, at=noon) == "It waits for its child fold 3 and lends its slot on local meanwhile."
    )
    assert run_waiting.sentence(parent, at=noon + timedelta(seconds=60)) == ""


def test_a_worker_that_starts_nothing_says_why(run, noon):
    factories.worker(at=noon, refusal="The disk of host1 is full.")

    assert run_waiting.sentence(run, at=noon) == "No worker starts it now. The disk of host1 is full."


def test_a_disabled_target(run, local, noon):
    local.is_enabled = False
    run.compute_target = local

    assert "is disabled" in run_waiting.sentence(run, at=noon)


@pytest.mark.parametrize("status", [RunStatus.RUNNING, RunStatus.COMPLETED])
def test_who_has_started_waits_no_more(experiment, team_mate, local, noon, status):
    started = factories.run(experiment, by=team_mate, compute_target=local, status=status)

    assert run_waiting.sentence(started, at=noon) == ""
