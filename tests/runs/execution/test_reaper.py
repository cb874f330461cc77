"""The reaper acts on what is silent, only when it is armed, and only once."""

from datetime import timedelta

import pytest

from runs.execution import host, reaper
from runs.models import Attempt, Lease, Run, RunType
from runs.status import RunStatus
from tests import factories

ELSEWHERE = {"host": "far-away", "boot_id": "another-boot"}


@pytest.fixture(autouse=True)
def own_home(settings, tmp_path):
    """No outcome that another test spooled for an attempt of the same number."""
    settings.STUDIO_HOME = tmp_path


@pytest.fixture
def claimed(experiment, owner, local, noon):
    def claimed(status=RunStatus.RUNNING, pid=None, boot=None, **fields):
        started = {"started_at": noon} if status in (RunStatus.RUNNING, RunStatus.NOT_RESPONDING) else {}
        run = factories.run(
            experiment, by=owner, compute_target=local, status=status, attempt_number=1, **started, **fields
        )
        where = boot or {"host": host.name(), "boot_id": host.boot_id()}
        return Attempt.objects.create(
            run=run,
            number=1,
            compute_target=local,
            cookie=host.new_nonce(),
            claimed_at=noon,
            lease_until=noon,
            pid=pid,
            pid_started_at=1 if pid else None,
            **where,
        )

    return claimed


@pytest.fixture
def reap(settings, noon):
    """Reap at so many seconds after noon, with a reaper that has been steady before."""
    settings.STUDIO_LEASE_SECONDS = 15
    settings.STUDIO_LOST_SECONDS = 30

    def reap(seconds):
        at = noon + timedelta(seconds=seconds)
        for name in ("reaper", f"reaper {host.boot_id()[:50]}"):
            Lease.objects.update_or_create(
                name=name,
                defaults={"holder": "me", "until": at + timedelta(seconds=5), "steady_since": at - timedelta(hours=1)},
            )
        reaper.reap(holder="me", at=at)

    return reap


def status(attempt):
    return Run.objects.get(pk=attempt.run_id).status


def test_a_reaper_is_armed_after_one_lease_without_a_gap(db, noon, settings):
    settings.STUDIO_LEASE_SECONDS = 15

    def lead(second, holder="me"):
        return reaper.lead("reaper", holder=holder, at=noon + timedelta(seconds=second))

    assert [lead(second) for second in (0, 5, 10)] == [False] * 3
    assert [lead(second) for second in (15, 20)] == [True] * 2
    assert not lead(21, holder="you")
    assert lead(25)
    assert not lead(60)  # a gap: the database was away, or this process was frozen
    assert not lead(65)
    assert [lead(second) for second in (70, 75)] == [False, True]


def test_another_leads_when_the_leader_is_gone_and_is_not_armed_at_once(db, noon):
    reaper.lead("reaper", holder="me", at=noon)

    assert not reaper.lead("reaper", holder="you", at=noon + timedelta(seconds=60))

    assert Lease.objects.get(name="reaper").holder == "you"


def test_an_unarmed_reaper_moves_nothing(claimed, noon):
    attempt = claimed(pid=999_999)

    reaper.reap(holder="me", at=noon + timedelta(hours=1))

    assert status(attempt) == "Running"


def test_a_silent_attempt_is_not_responding_and_then_lost(claimed, reap):
    attempt = claimed(pid=999_999, boot=ELSEWHERE)

    reap(1)
    assert status(attempt) == "NotResponding"
    reap(29)
    assert status(attempt) == "NotResponding"
    reap(31)

    run = Run.objects.get()
    assert run.status == "Failed"
    assert run.reason == (
        "Worker lost. Its supervisor on far-away was last heard at 2026-11-23 11:59:45 UTC."
        " Its processes may still run there."
    )
    assert Attempt.objects.get().ended_at is not None


def test_an_attempt_whose_lease_holds_is_left_alone(claimed, reap):
    attempt = claimed(pid=999_999)

    reap(-1)

    assert status(attempt) == "Running"


def test_a_dead_supervisor_of_this_machine_is_not_waited_for(claimed, reap):
    attempt = claimed(pid=999_999)

    reap(1)
    reap(2)

    assert status(attempt) == "Failed"


def test_a_clock_that_was_set_back_hides_no_silence_for_long(claimed, reap, noon):
    attempt = claimed(pid=999_999)
    Attempt.objects.update(lease_until=noon + timedelta(hours=1))

    reap(0)
    reap(16)

    assert status(attempt) == "NotResponding"


def test_an_attempt_that_never_started_is_queued_again(claimed, reap):
    attempt = claimed(status=RunStatus.PREPARING)

    reap(1)

    run = Run.objects.get()
    assert (run.status, run.attempt_number) == ("Queued", 1)
    assert "No supervisor started" in run.reason
    assert Attempt.objects.get(pk=attempt.pk).ended_at is not None


def test_an_attempt_lost_before_its_script_ran_is_failed(claimed, reap):
    attempt = claimed(status=RunStatus.PREPARING, pid=999_999)

    reap(1)

    assert status(attempt) == "Failed"


def test_a_run_that_was_asked_to_stop_ends_canceled(claimed, reap, noon):
    attempt = claimed(status=RunStatus.CANCEL_REQUESTED, pid=999_999, cancel_requested_at=noon)

    reap(1)

    assert status(attempt) == "Canceled"


def test_a_lost_run_is_tried_again_if_that_was_allowed_and_its_machine_is_surely_free_of_it(claimed, reap):
    here = claimed(pid=999_999, status=RunStatus.NOT_RESPONDING, retries_lost_workers=True)
    rebooted = claimed(
        pid=999_999,
        status=RunStatus.NOT_RESPONDING,
        retries_lost_workers=True,
        boot={"host": host.name(), "boot_id": "before-the-reboot"},
    )
    unreachable = claimed(pid=999_999, status=RunStatus.NOT_RESPONDING, retries_lost_workers=True, boot=ELSEWHERE)

    reap(31)

    assert [status(attempt) for attempt in (here, rebooted, unreachable)] == ["Queued", "Queued", "Failed"]


def test_the_attempts_of_a_machine_with_a_living_worker_are_its_own_to_settle(claimed, reap, noon):
    attempt = claimed(pid=999_999, boot=ELSEWHERE)
    factories.worker(at=noon, **ELSEWHERE)

    reap(31)

    assert status(attempt) == "Running"


def test_a_stale_attempt_settles_nothing_of_a_newer_one(claimed, reap):
    attempt = claimed(pid=999_999)
    Run.objects.update(attempt_number=2)

    reap(1)
    reap(60)

    assert status(attempt) == "Running"


def test_an_interactive_run_whose_client_fell_silent_is_not_responding_and_a_day_later_failed(
    experiment, owner, noon, reap
):
    fields = {"by": owner, "status": RunStatus.RUNNING, "run_type": RunType.INTERACTIVE, "started_at": noon}
    silent = factories.run(experiment, heartbeat_at=noon, **fields)
    quiet = factories.run(experiment, **fields)

    reap(119)
    assert Run.objects.get(pk=silent.pk).status == "Running"
    reap(121)
    assert Run.objects.get(pk=silent.pk).status == "NotResponding"
    reap(24 * 3600 + 1)

    assert Run.objects.get(pk=silent.pk).status == "Failed"
    assert Run.objects.get(pk=quiet.pk).status == "Running"
