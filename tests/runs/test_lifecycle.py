"""Status has one writer: each move is checked, raced, recorded and counted."""

import itertools
from datetime import timedelta

import pytest

from runs import lifecycle
from runs.models import Run, RunEvent, StatusCount
from runs.status import TERMINAL, TRANSITIONS, RunStatus
from tests import factories


def counts(experiment):
    rows = StatusCount.objects.filter(experiment=experiment, is_child=False, count__gt=0)
    return {row.status: row.count for row in rows}


@pytest.mark.parametrize(("origin", "to"), list(itertools.product(RunStatus, RunStatus)))
def test_a_move_is_made_if_and_only_if_the_table_allows_it(origin, to, experiment, owner, noon):
    run = factories.run(experiment, by=owner, status=origin)
    allowed = to in TRANSITIONS[origin]

    refused = None
    try:
        lifecycle.move(run, to, at=noon)
    except lifecycle.IllegalTransition as error:
        refused = error

    assert (refused is None) is allowed
    assert Run.objects.get().status == (to if allowed else origin)
    assert counts(experiment) == {(to if allowed else origin): 1}


def test_a_move_leaves_an_event_with_who_and_why(experiment, owner, noon):
    run = factories.run(experiment, by=owner)

    lifecycle.move(run, RunStatus.PREPARING, at=noon, reason="A slot is free.", by=owner, actor="worker h:1")

    event = RunEvent.objects.latest("id")
    assert (event.from_status, event.to_status) == ("Queued", "Preparing")
    assert (event.by, event.actor, event.reason, event.at) == (owner, "worker h:1", "A slot is free.", noon)


def test_of_two_moves_from_the_same_status_one_wins(experiment, owner, noon):
    mine = factories.run(experiment, by=owner)
    yours = Run.objects.get(pk=mine.pk)
    lifecycle.move(mine, RunStatus.PREPARING, at=noon)

    with pytest.raises(lifecycle.LostRace):
        lifecycle.move(yours, RunStatus.CANCEL_REQUESTED, at=noon)

    assert Run.objects.get().status == RunStatus.PREPARING
    assert RunEvent.objects.count() == 2


def test_a_stale_attempt_can_move_nothing(experiment, owner, noon):
    run = factories.run(experiment, by=owner, status=RunStatus.RUNNING, attempt_number=2)

    with pytest.raises(lifecycle.LostRace):
        lifecycle.move(run, RunStatus.FINALIZING, at=noon, attempt=1)

    assert Run.objects.get().status == RunStatus.RUNNING


def test_the_end_is_stamped_once_and_final(experiment, owner, noon):
    run = factories.run(experiment, by=owner, status=RunStatus.RUNNING)
    end = noon + timedelta(minutes=1)

    lifecycle.move(run, RunStatus.COMPLETED, at=end, exit_code=0)

    stored = Run.objects.get()
    assert (stored.ended_at, stored.exit_code) == (end, 0)
    with pytest.raises(lifecycle.IllegalTransition):
        lifecycle.move(stored, RunStatus.FAILED, at=end)


def test_children_count_apart(experiment, owner, noon):
    parent = factories.run(experiment, by=owner, status=RunStatus.RUNNING)
    child = factories.run(experiment, by=owner, parent=parent, status=RunStatus.RUNNING)

    lifecycle.move(child, RunStatus.COMPLETED, at=noon)

    assert counts(experiment) == {"Running": 1}
    assert StatusCount.objects.get(experiment=experiment, is_child=True, status="Completed").count == 1


def test_nothing_leaves_a_terminal_status_and_everything_active_can_fail_or_be_canceled():
    assert all(not TRANSITIONS[status] for status in TERMINAL)
    assert all(RunStatus.FAILED in TRANSITIONS[status] for status in set(RunStatus) - TERMINAL)
    assert [status for status in RunStatus if RunStatus.CANCELED in TRANSITIONS[status]] == [RunStatus.CANCEL_REQUESTED]
