"""The end of an attempt: once, by whoever comes first, and what follows from it."""

from datetime import timedelta

import pytest

from runs.execution import host, outcome, settle
from runs.execution.outcome import Outcome, Retry
from runs.models import Attempt, Run
from runs.status import RunStatus
from tests import factories
from tests.factories import NOON

FAILED = Outcome(RunStatus.FAILED, reason="Exit code 1.", error="boom", exit_code=1, retry=Retry.FAILURE)
NEVER_STARTED = Outcome(RunStatus.FAILED, reason="No supervisor started on h.", retry=Retry.NEVER_STARTED)
COPIED = ("compute_target", "host", "boot_id", "cookie", "claimed_at", "lease_until")


@pytest.fixture
def attempt_at(experiment, owner, local, noon):
    def attempt_at(status=RunStatus.RUNNING, number=1, **fields):
        run = factories.run(experiment, by=owner, compute_target=local, status=status, attempt_number=number, **fields)
        return Attempt.objects.create(
            run=run,
            number=number,
            compute_target=local,
            host="h",
            boot_id="b",
            cookie=host.new_nonce(),
            claimed_at=noon,
            lease_until=noon,
        )

    return attempt_at


def test_the_outcome_is_on_the_run_and_on_its_attempt(attempt_at, noon):
    attempt = attempt_at()

    assert settle.settle(attempt, FAILED, at=noon, actor="supervisor")

    run = Run.objects.get()
    assert (run.status, run.reason, run.error, run.exit_code) == ("Failed", "Exit code 1.", "boom", 1)
    assert Attempt.objects.get().exit_code == 1


def test_what_the_script_reported_stays_and_comes_first(attempt_at, noon):
    well, badly = attempt_at(error="no data"), attempt_at(error="no data")

    settle.settle(well, Outcome(RunStatus.COMPLETED, exit_code=0), at=noon, actor="supervisor")
    settle.settle(badly, FAILED, at=noon, actor="supervisor")

    assert list(Run.objects.order_by("id").values_list("status", "error")) == [
        ("Completed", "no data"),
        ("Failed", "no data\n\nboom"),
    ]


def test_an_attempt_is_settled_once(attempt_at, noon):
    attempt = attempt_at()
    settle.settle(attempt, FAILED, at=noon, actor="reaper")

    assert not settle.settle(attempt, Outcome(RunStatus.COMPLETED, exit_code=0), at=noon, actor="supervisor")

    assert Run.objects.get().status == "Failed"


def test_a_script_that_was_faster_than_the_rows_still_went_through_every_status(attempt_at, noon):
    attempt = attempt_at(status=RunStatus.STARTING)
    started = noon + timedelta(seconds=1)
    ended = Outcome(RunStatus.COMPLETED, exit_code=0, started_at=started.isoformat())

    settle.settle(attempt, ended, at=noon + timedelta(seconds=2), actor="supervisor")

    run = Run.objects.get()
    assert (run.status, run.started_at) == ("Completed", started)
    assert [event.to_status for event in run.events.order_by("id")][1:] == ["Running", "Finalizing", "Completed"]


@pytest.mark.parametrize("status", [RunStatus.RUNNING, RunStatus.NOT_RESPONDING, RunStatus.FINALIZING])
def test_canceled_always_passes_the_request(attempt_at, noon, status):
    attempt = attempt_at(status=status)

    settle.settle(attempt, Outcome(RunStatus.CANCELED, reason="Too long."), at=noon, actor="supervisor")

    run = Run.objects.get()
    assert (run.status, run.reason, run.cancel_requested_at) == ("Canceled", "Too long.", noon)


def test_a_script_that_ended_before_the_stop_went_out_keeps_its_own_end(attempt_at, noon):
    attempt = attempt_at(status=RunStatus.CANCEL_REQUESTED, cancel_requested_at=noon, max_retries=5)

    settle.settle(attempt, FAILED, at=noon, actor="supervisor")

    assert Run.objects.get().status == "Failed"


def test_a_failed_attempt_is_tried_again_with_back_off_as_often_as_was_allowed(attempt_at, noon, settings):
    settings.STUDIO_RETRY_SECONDS = 10
    first, third, fourth = (attempt_at(number=number, max_retries=3) for number in (1, 3, 4))

    for attempt in (first, third, fourth):
        settle.settle(attempt, FAILED, at=noon, actor="supervisor")

    runs = [Run.objects.get(pk=attempt.run_id) for attempt in (first, third, fourth)]
    assert [run.status for run in runs] == ["Queued", "Queued", "Failed"]
    assert [run.not_before for run in runs] == [noon + timedelta(seconds=10), noon + timedelta(seconds=40), None]
    assert runs[0].reason == "Attempt 1: Exit code 1. Tried again."


def test_an_attempt_that_nobody_supervised_costs_no_retry(attempt_at, noon):
    attempt = attempt_at(max_retries=1)
    settle.settle(attempt, NEVER_STARTED, at=noon, actor="reaper")
    Run.objects.update(status=RunStatus.RUNNING, attempt_number=2)
    second = Attempt.objects.create(
        run=attempt.run, number=2, pid=1, **{name: getattr(attempt, name) for name in COPIED}
    )

    settle.settle(second, FAILED, at=noon, actor="supervisor")

    assert Run.objects.get().status == "Queued"


@pytest.mark.parametrize("change", [{"pid": 4242}, {"lease_until": NOON + timedelta(seconds=15)}])
def test_one_who_was_heard_since_is_not_silent(attempt_at, noon, change):
    attempt = attempt_at(status=RunStatus.STARTING)
    Attempt.objects.filter(pk=attempt.pk).update(**change)

    assert not settle.settle(attempt, NEVER_STARTED, at=noon, actor="reaper", if_silent=True)

    assert Run.objects.get().status == "Starting"
    assert Attempt.objects.get().ended_at is None


def test_what_of_a_log_found_no_room_is_said_where_the_log_itself_cannot(attempt_at, noon):
    attempt = attempt_at()

    settle.settle(attempt, FAILED.with_loss(17), at=noon, actor="supervisor")

    assert Run.objects.get().reason == "Exit code 1. 17 bytes of its log were lost: no room on the disk."
    assert FAILED.with_loss(0) is FAILED


def test_what_cannot_be_started_is_not_tried_again(attempt_at, noon):
    attempt = attempt_at(status=RunStatus.PREPARING, max_retries=3)

    settle.settle(attempt, Outcome(RunStatus.FAILED, reason="It could not be started."), at=noon, actor="supervisor")

    assert Run.objects.get().status == "Failed"


def test_an_outcome_survives_in_the_spool(attempt_at, settings, tmp_path):
    settings.STUDIO_HOME = tmp_path
    attempt = attempt_at()

    outcome.save(attempt, FAILED)

    assert outcome.load(attempt.pk) == FAILED
    assert list(outcome.spooled()) == [attempt.pk]
    outcome.forget(attempt.pk)
    assert outcome.load(attempt.pk) is None


def test_an_unreadable_outcome_is_none(attempt_at, settings, tmp_path):
    settings.STUDIO_HOME = tmp_path
    attempt = attempt_at()
    outcome.save(attempt, FAILED)
    (tmp_path / "spool" / f"{attempt.pk}.json").write_text("{")

    assert outcome.load(attempt.pk) is None
