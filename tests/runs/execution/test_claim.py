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
    def queue(by=owner, **fields):
        return factories.run(experiment, by=by, **{"compute_target": local, **fields})

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


def test_who_holds_the_fewest_slots_goes_first_then_the_oldest(queue, local, noon, team_mate):
    local.slots = 5
    local.save(update_fields=["slots"])
    mine = [queue() for _ in range(3)]
    theirs = [queue(by=team_mate) for _ in range(2)]

    won = [claim.claim_next(compute_target_id=local.pk, at=noon).run for _ in range(5)]

    assert won == [mine[0], theirs[0], mine[1], theirs[1], mine[2]]


def test_priority_goes_before_fairness_and_what_may_not_start_yet_waits(queue, local, noon, team_mate):
    local.slots = 4
    local.save(update_fields=["slots"])
    first = queue(priority=5)
    queue(not_before=noon + timedelta(hours=1), priority=7, by=team_mate)
    queue(not_before=noon + timedelta(hours=1), by=team_mate)
    second, third = queue(priority=5), queue(by=team_mate)

    won = [claim.claim_next(compute_target_id=local.pk, at=noon) for _ in range(4)]

    assert [attempt and attempt.run for attempt in won] == [first, second, third, None]


def test_slots_on_other_targets_and_ended_attempts_do_not_count_against_a_submitter(queue, local, noon, team_mate):
    other = factories.compute_target("other", slots=4)
    for _ in range(3):
        queue(compute_target=other)
        claim.claim_next(compute_target_id=other.pk, at=noon)
    queue()
    Attempt.objects.filter(pk=claim.claim_next(compute_target_id=local.pk, at=noon).pk).update(ended_at=noon)
    mine, theirs = queue(), queue(by=team_mate)

    won = [claim.claim_next(compute_target_id=local.pk, at=noon).run for _ in range(2)]

    assert won == [mine, theirs]


def test_a_lent_slot_is_free_and_goes_to_the_run_that_is_waited_for(queue, local, noon):
    ComputeTarget.objects.update(slots=1)
    parent = queue()
    held = claim.claim_next(compute_target_id=local.pk, at=noon)
    queue()
    child = queue(parent=parent)
    assert claim.claim_next(compute_target_id=local.pk, at=noon) is None

    Attempt.objects.filter(pk=held.pk).update(lent_until=noon + timedelta(seconds=60), waits_for=child)

    assert claim.claim_next(compute_target_id=local.pk, at=noon).run == child
    assert claim.claim_next(compute_target_id=local.pk, at=noon) is None


def test_a_slot_is_held_again_when_the_time_that_it_was_lent_for_is_over(queue, local, noon):
    ComputeTarget.objects.update(slots=1)
    parent = queue()
    held = claim.claim_next(compute_target_id=local.pk, at=noon)
    child = queue(parent=parent)
    Attempt.objects.filter(pk=held.pk).update(lent_until=noon, waits_for=child)

    assert claim.claim_next(compute_target_id=local.pk, at=noon) is None


@pytest.mark.usefixtures("unanalyzed")
@pytest.mark.sqlite
def test_every_step_to_the_next_in_line_goes_through_an_index(queue, local, noon):
    queue()

    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN QUERY PLAN {claim._NEXT_IN_LINE}", {"target": local.pk, "at": str(noon), "limit": 10})
        plan = [row[3] for row in cursor.fetchall()]

    assert [step for step in plan if " runs_" in step and "USING" not in step] == []
    assert sum("run_next_in_line" in step for step in plan) >= 3


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
