"""A slot is lent while a script waits for a run below its own, and held again afterwards."""

from datetime import timedelta

import pytest

from runs.actions import lending
from runs.errors import InvalidInput
from runs.models import Attempt
from runs.status import RunStatus
from tests import factories


@pytest.fixture
def parent(experiment, owner, local):
    run = factories.run(experiment, by=owner, status=RunStatus.RUNNING, compute_target=local, attempt_number=1)
    factories.attempt(run)
    return run


@pytest.fixture
def child(experiment, owner, local, parent):
    return factories.run(experiment, by=owner, parent=parent, compute_target=local)


def lend(parent, child, noon, seconds=60.0):
    return lending.lend_slot(run=parent, waits_for=child, seconds=seconds, at=noon)


def test_a_slot_is_lent_for_a_time_and_taken_back(parent, child, noon):
    assert lend(parent, child, noon) == noon + timedelta(seconds=60)
    [attempt] = Attempt.objects.lending(at=noon)
    assert attempt.waits_for == child
    assert not Attempt.objects.holding(at=noon).exists()

    lending.take_back_slot(run=parent)
    lending.take_back_slot(run=parent)

    assert Attempt.objects.holding(at=noon).exists()


def test_a_lent_slot_is_held_again_by_itself_when_its_time_is_over(parent, child, noon):
    lend(parent, child, noon)

    assert Attempt.objects.holding(at=noon + timedelta(seconds=60)).exists()


def test_the_workers_are_told_once_that_a_slot_is_free(
    parent, child, noon, monkeypatch, django_capture_on_commit_callbacks
):
    told = []
    monkeypatch.setattr("runs.dispatch.hint", lambda **target: told.append(target["compute_target_name"]))

    with django_capture_on_commit_callbacks(execute=True):
        lend(parent, child, noon)
        lend(parent, child, noon + timedelta(seconds=20))

    assert told == ["local"]


def test_nothing_is_lent_for_a_run_that_has_ended_or_by_one_without_a_slot(parent, child, noon, experiment, owner):
    ended = factories.run(experiment, by=owner, parent=parent, status=RunStatus.COMPLETED)

    assert lend(parent, ended, noon) is None
    Attempt.objects.update(ended_at=noon)
    assert lend(parent, child, noon) is None


def test_a_stale_attempt_lends_nothing(parent, child, noon):
    parent.attempt_number = 2

    assert lend(parent, child, noon) is None


@pytest.mark.parametrize("seconds", [0, -1, 301, float("nan")])
def test_the_time_has_an_end(parent, child, noon, seconds):
    with pytest.raises(InvalidInput) as refusal:
        lend(parent, child, noon, seconds)

    assert refusal.value.field == "seconds"


def test_only_a_run_below_is_waited_for(parent, noon, experiment, owner):
    stranger = factories.run(experiment, by=owner)

    for other in (stranger, parent):
        with pytest.raises(InvalidInput) as refusal:
            lend(parent, other, noon)
        assert refusal.value.field == "waits_for"
