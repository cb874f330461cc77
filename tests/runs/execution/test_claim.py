"""A claim wins the next run if a slot is free, and nobody wins twice."""

import threading
from datetime import timedelta

import pytest
from django.db import connection, connections

from runs import lifecycle
from runs.execution import claim, host
from runs.models import Attempt, ComputeTarget, Run
from runs.status import RunStatus
from tests import factories


@pytest.fixture
def queue(experiment, owner, local):
    def queue(**fields):
        return factories.run(experiment, by=owner, compute_target=local, **fields)

    return queue


def test_the_greatest_priority_goes_first_then_the_oldest(queue, local, noon):
    oldest, urgent, youngest = queue(), queue(priority=9), queue()
    local.slots = 3
    local.save(update_fields=["slots"])

    won = [claim.claim_next(compute_target_id=local.pk, at=noon).run for _ in range(3)]

    assert won == [urgent, oldest, youngest]


def test_a_claim_is_a_numbered_attempt_on_this_host_with_a_lease(queue, local, noon, settings):
    run = queue(attempt_number=2, error="old", exit_code=1)

    attempt = claim.claim_next(compute_target_id=local.pk, at=noon)

    run = Run.objects.get(pk=run.pk)
    assert (run.status, run.attempt_number, run.error, run.exit_code) == ("Preparing", 3, "", None)
    assert (attempt.number, attempt.host, attempt.boot_id) == (3, host.name(), host.boot_id())
    assert attempt.lease_until == noon + timedelta(seconds=settings.STUDIO_LEASE_SECONDS)
    assert attempt.pid is None
    assert host.is_our_cookie(host.cookie(attempt))


def test_no_more_runs_are_won_than_there_are_slots(queue, local, noon):
    for _ in range(3):
        queue()
    won = [claim.claim_next(compute_target_id=local.pk, at=noon) for _ in range(3)]

    assert [attempt is not None for attempt in won] == [True, True, False]
    Attempt.objects.filter(pk=won[0].pk).update(ended_at=noon)
    assert claim.claim_next(compute_target_id=local.pk, at=noon) is not None


def test_a_run_waits_for_its_time(queue, local, noon):
    queue(not_before=noon + timedelta(seconds=1))

    assert claim.claim_next(compute_target_id=local.pk, at=noon) is None
    assert claim.claim_next(compute_target_id=local.pk, at=noon + timedelta(seconds=1)) is not None


def test_a_disabled_target_starts_nothing(queue, local, noon):
    queue()
    ComputeTarget.objects.update(is_enabled=False)

    assert claim.claim_next(compute_target_id=local.pk, at=noon) is None


def test_a_canceled_run_is_not_won(queue, local, noon):
    run = queue()
    lifecycle.move(run, RunStatus.CANCEL_REQUESTED, at=noon)

    assert claim.claim_next(compute_target_id=local.pk, at=noon) is None


def test_looking_for_work_costs_the_same_however_long_the_line(queue, local, noon, django_assert_num_queries):
    for _ in range(30):
        queue()
    ComputeTarget.objects.update(slots=1)
    claim.claim_next(compute_target_id=local.pk, at=noon)

    with django_assert_num_queries(5):  # the line, the savepoint's two, the target, its slots
        assert claim.claim_next(compute_target_id=local.pk, at=noon) is None


def test_the_next_in_line_is_found_through_its_index(queue, local, noon):
    queue()
    if connection.vendor == "sqlite":
        plan = claim.waiting(local.pk, noon)[:1].explain()
        assert "run_next_in_line" in plan


@pytest.mark.slow
def test_claimers_at_once_win_each_run_once_and_use_each_slot_once(transactional_db, noon):
    workspace = factories.workspace("default")
    experiment = factories.experiment(workspace)
    owner = factories.user()
    target = factories.compute_target(slots=25)
    for _ in range(40):
        factories.run(experiment, by=owner, compute_target=target)
    won = []

    def work():
        while attempt := claim.claim_next(compute_target_id=target.pk, at=noon):
            won.append(attempt.run_id)
        connections.close_all()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(won) == len(set(won)) == 25
    assert Attempt.objects.live().count() == 25
