"""Why a run is waiting, in a sentence."""

from datetime import timedelta

import pytest
from django.utils import timezone

from runs.status import RunStatus
from runs.views import run_waiting
from tests import factories


def sentence(run, *, at):
    return run_waiting.explain(run, at=at).sentence


@pytest.fixture
def run(experiment, team_mate, local):
    factories.run(experiment, by=team_mate, compute_target=local)
    return factories.run(experiment, by=team_mate, compute_target=local)


def test_nobody_listens(run, noon):
    waiting = run_waiting.explain(run, at=noon)

    assert waiting.sentence == "No worker is listening on local: start one with"
    assert waiting.command == "python manage.py up --only worker --targets local"


def test_a_worker_that_fell_silent_does_not_listen(run, noon):
    factories.worker(at=noon - timedelta(minutes=5))

    assert "No worker is listening" in sentence(run, at=noon)


def test_its_place_in_line(run, noon):
    factories.worker(at=noon)

    assert sentence(run, at=noon) == "2nd in line on local: 0 of 2 slots busy."


def test_priority_goes_first(experiment, team_mate, local, run, noon):
    factories.worker(at=noon)
    urgent = factories.run(experiment, by=team_mate, compute_target=local, priority=5)

    assert sentence(urgent, at=noon) == "Next in line on local: 0 of 2 slots busy."
    assert sentence(run, at=noon).startswith("3rd in line")


def test_who_holds_fewer_slots_goes_first(experiment, team_mate, owner, local, run, noon):
    factories.worker(at=noon)
    busy = factories.run(experiment, by=team_mate, compute_target=local, status=RunStatus.RUNNING, attempt_number=1)
    factories.attempt(busy)
    newest = factories.run(experiment, by=owner, compute_target=local)

    assert sentence(newest, at=noon) == "Next in line on local: 1 of 2 slots busy."
    assert sentence(run, at=noon).startswith("3rd in line")


def test_what_a_slot_is_lent_for_goes_first_and_the_lent_slot_is_not_busy(experiment, team_mate, local, run, noon):
    factories.worker(at=noon)
    parent = factories.run(experiment, by=team_mate, compute_target=local, status=RunStatus.RUNNING, attempt_number=1)
    child = factories.run(experiment, by=team_mate, compute_target=local, parent=parent)
    factories.attempt(parent, lent_until=noon + timedelta(seconds=60), waits_for=child)

    assert sentence(child, at=noon) == "Next in line on local: 0 of 2 slots busy."
    assert sentence(run, at=noon).startswith("3rd in line")


def test_who_waits_for_a_child_says_so(experiment, team_mate, local, noon):
    parent = factories.run(experiment, by=team_mate, compute_target=local, status=RunStatus.RUNNING, attempt_number=1)
    child = factories.run(experiment, by=team_mate, parent=parent, display_name="fold 3")
    factories.attempt(parent, lent_until=noon + timedelta(seconds=60), waits_for=child)

    assert sentence(parent, at=noon) == "It waits for its child fold 3 and lends its slot on local meanwhile."
    assert sentence(parent, at=noon + timedelta(seconds=60)) == ""


def test_a_worker_that_starts_nothing_says_why(run, noon):
    factories.worker(at=noon, refusal="The disk of host1 is full.")

    assert sentence(run, at=noon) == "No worker starts it now. The disk of host1 is full."


def test_a_disabled_target(run, local, noon):
    local.is_enabled = False
    run.compute_target = local

    assert "is disabled" in sentence(run, at=noon)


@pytest.mark.parametrize("status", [RunStatus.RUNNING, RunStatus.COMPLETED])
def test_who_has_started_waits_no_more(experiment, team_mate, local, noon, status):
    started = factories.run(experiment, by=team_mate, compute_target=local, status=status)

    assert sentence(started, at=noon) == ""


def test_it_names_who_holds_the_slots_and_reckons_by_the_median(experiment, team_mate, local, run, noon):
    factories.worker(at=noon)
    for seconds in (100.0, 600.0, 9000.0):
        factories.run(experiment, by=team_mate, status=RunStatus.COMPLETED, duration_seconds=seconds)
    holders = [
        factories.run(experiment, by=team_mate, compute_target=local, status=RunStatus.RUNNING, attempt_number=1)
        for _ in range(2)
    ]
    for minutes, holder in zip((1, 4), holders, strict=True):
        factories.attempt(holder, started_at=noon - timedelta(minutes=minutes))

    waiting = run_waiting.explain(run, at=noon)

    assert waiting.sentence == "2nd in line on local: 2 of 2 slots busy."
    # The second slot to come free: ten minutes but one.
    assert waiting.estimate == "About 9m 0s more, from the median of the last 3 runs of this script (10m 0s)."
    assert list(waiting.holders) == holders


def test_two_runs_are_no_median(experiment, team_mate, run, noon):
    factories.worker(at=noon)
    for _ in range(2):
        factories.run(experiment, by=team_mate, status=RunStatus.COMPLETED, duration_seconds=5.0)

    assert run_waiting.explain(run, at=noon).estimate == ""


def test_the_page_links_the_holders_of_this_workspace_only(
    client_for, experiment, team_mate, stranger, local, run, noon
):
    factories.worker(at=timezone.now() + timedelta(hours=1))  # the machine may be slow
    elsewhere = factories.experiment(stranger.workspaces.get(), "theirs")
    for place, by in ((experiment, team_mate), (elsewhere, stranger)):
        holder = factories.run(
            place, by=by, compute_target=local, status=RunStatus.RUNNING, attempt_number=1, display_name=f"by {by}"
        )
        factories.attempt(holder)

    page = client_for(team_mate).get(run.get_absolute_url()).content.decode()

    assert "by tom</a>" in page
    assert "a run of another workspace" in page
    assert "by stan" not in page
