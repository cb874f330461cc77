"""Cancel, complete and fail: who may be ended how, and what stays as it is."""

import pytest

from runs.actions import archiving, cancellation, completion, submission
from runs.errors import InvalidInput
from runs.models import Run, RunType
from runs.status import ACTIVE, CLAIMED, RunStatus
from tests import factories


@pytest.fixture
def make(experiment, owner):
    return lambda status, **fields: factories.run(experiment, by=owner, status=status, **fields)


@pytest.mark.parametrize("status", sorted(ACTIVE))
def test_a_cancel_settles_what_nobody_owns_and_asks_the_owner_of_the_rest(status, make, owner, noon):
    run = make(status)

    cancellation.request_cancel(run=run, by=owner, at=noon, grace_seconds=0)

    expected = RunStatus.CANCEL_REQUESTED if status in CLAIMED else RunStatus.CANCELED
    assert Run.objects.get().status == run.status == expected


@pytest.mark.parametrize("status", [RunStatus.COMPLETED, RunStatus.FAILED, RunStatus.CANCELED])
def test_cancel_leaves_a_finished_run_alone(status, make, owner, noon):
    run = make(status)

    with pytest.raises(cancellation.AlreadyEnded, match=str(status)):
        cancellation.request_cancel(run=run, by=owner, at=noon)
    assert Run.objects.get().cancel_requested_at is None


def test_a_cancel_from_a_stale_page_obeys_the_row(make, owner, noon):
    run = make(RunStatus.QUEUED)
    Run.objects.update(status=RunStatus.RUNNING)

    cancellation.request_cancel(run=run, by=owner, at=noon)

    assert Run.objects.get().status == RunStatus.CANCEL_REQUESTED


def test_a_second_cancel_changes_the_grace_time_only(make, owner, team_mate, noon):
    run = make(RunStatus.RUNNING)
    cancellation.request_cancel(run=run, by=owner, at=noon, reason="first")

    cancellation.request_cancel(run=run, by=team_mate, at=noon, reason="second", grace_seconds=0)

    stored = Run.objects.get()
    assert (stored.reason, stored.cancel_requested_by, stored.cancel_grace_seconds) == ("first", owner, 0)
    assert stored.events.count() == 2


@pytest.mark.parametrize("grace", [-1, float("nan"), float("inf"), 1e9])
def test_a_grace_time_makes_sense(grace, make, owner, noon):
    with pytest.raises(InvalidInput) as refusal:
        cancellation.request_cancel(run=make(RunStatus.RUNNING), by=owner, at=noon, grace_seconds=grace)

    assert refusal.value.field == "grace_seconds"


def test_a_cancel_reaches_all_below_also_past_those_that_have_ended(make, owner, noon):
    root = make(RunStatus.RUNNING)
    ended = make(RunStatus.COMPLETED, parent=root)
    deep = make(RunStatus.RUNNING, parent=ended, run_type=RunType.INTERACTIVE)
    queued = make(RunStatus.QUEUED, parent=root)
    other = make(RunStatus.RUNNING)

    cancellation.request_cancel(run=root, by=owner, at=noon)

    statuses = dict(Run.objects.values_list("pk", "status"))
    assert [statuses[run.pk] for run in (root, ended, deep, queued, other)] == [
        "CancelRequested",
        "Completed",
        "Canceled",
        "Canceled",
        "Running",
    ]
    assert Run.objects.get(pk=deep.pk).reason == f"Its parent {root.run_id} was canceled."


def test_many_are_canceled_and_the_ended_ones_passed_over(make, owner, noon):
    runs = [make(RunStatus.QUEUED), make(RunStatus.FAILED), make(RunStatus.RUNNING)]

    asked = cancellation.request_cancel_many(runs=runs, by=owner, at=noon)

    assert asked == [runs[0], runs[2]]


def test_completing_is_for_interactive_runs_and_happens_once(make, owner, noon):
    interactive = make(RunStatus.RUNNING, run_type=RunType.INTERACTIVE)
    script = make(RunStatus.RUNNING)

    completion.complete(run=interactive, at=noon, by=owner)
    completion.complete(run=interactive, at=noon, by=owner)

    assert Run.objects.get(pk=interactive.pk).status == RunStatus.COMPLETED
    assert interactive.events.count() == 2
    with pytest.raises(completion.DrivenByAWorker):
        completion.complete(run=script, at=noon, by=owner)
    with pytest.raises(cancellation.AlreadyEnded):
        completion.fail(run=interactive, at=noon, by=owner)


def test_a_failed_script_is_stopped_first(make, owner, noon):
    run = make(RunStatus.RUNNING)

    completion.fail(run=run, at=noon, by=owner, error="nul\x00 and \ud800")

    stored = Run.objects.get()
    assert (stored.status, stored.fails_when_stopped) == (RunStatus.CANCEL_REQUESTED, True)
    assert stored.error == "nul\ufffd and ?"


def test_a_failed_run_that_nobody_took_is_failed_at_once(make, owner, noon):
    run = make(RunStatus.QUEUED)

    completion.fail(run=run, at=noon, by=owner, error="wrong data")

    assert Run.objects.get().status == RunStatus.FAILED


def test_a_report_changes_no_status_and_gives_way_to_a_failure_from_outside(make, owner, noon):
    run = make(RunStatus.RUNNING)

    completion.report_error(run=run, error="no data")
    assert Run.objects.values_list("status", "error").get() == ("Running", "no data")
    completion.fail(run=run, by=owner, at=noon, error="stop it")
    completion.report_error(run=run, error="too late")

    assert Run.objects.values_list("status", "error").get() == ("CancelRequested", "stop it")


def test_a_heartbeat_brings_a_silent_client_back(make, noon):
    run = make(RunStatus.NOT_RESPONDING, run_type=RunType.INTERACTIVE)

    completion.heartbeat(run=run, at=noon)

    assert (Run.objects.get().status, run.heartbeat_at) == (RunStatus.RUNNING, noon)


def test_only_what_has_ended_is_archived(make, noon):
    ended, active = make(RunStatus.FAILED), make(RunStatus.RUNNING)

    archiving.archive(run=ended, at=noon)

    assert Run.objects.get(pk=ended.pk).archived_at == noon
    with pytest.raises(archiving.StillActive):
        archiving.archive(run=active, at=noon)
    assert archiving.restore(run=ended).archived_at is None


def test_children_of_a_canceled_run_cannot_slip_through(make, owner, noon):
    root = make(RunStatus.RUNNING)
    child = make(RunStatus.RUNNING, parent=root, run_type=RunType.INTERACTIVE)
    cancellation.request_cancel(run=root, by=owner, at=noon)

    with pytest.raises(submission.ParentIsCanceled):
        submission.create_children(parent=child, by=owner, at=noon, children=[{}])
