"""What follows from the rows: which steps start, which never will, how the whole ends."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from runs.actions import cancellation
from runs.models import Run, RunEvent, RunType, StatusCount, StepRun
from runs.pipelines import schedule
from runs.status import RunStatus
from tests.factories import NOON
from tests.runs.pipelines.driving import end, statuses, step, submit

S = RunStatus


@pytest.fixture(autouse=True)
def _local(local):
    """There is a compute target."""


def test_the_first_steps_are_in_line_at_once(experiment, owner):
    run = submit(experiment, owner, {"a": [], "b": [], "c": ["a", "b"]})

    assert run.status == S.RUNNING
    assert run.run_type == RunType.PIPELINE
    assert statuses(run) == {"a": "Queued", "b": "Queued", "c": "NotStarted"}
    assert step(run, "a").parent == run
    experiment.refresh_from_db()
    assert experiment.latest_run == run


def test_a_step_starts_when_all_before_it_have_completed(experiment, owner):
    run = submit(experiment, owner, {"a": [], "b": [], "c": ["a", "b"]})

    end(step(run, "a"))
    schedule.advance(run_pk=run.pk, at=NOON)
    before = statuses(run)
    end(step(run, "b"))
    schedule.advance(run_pk=run.pk, at=NOON)

    assert before["c"] == "NotStarted"
    assert statuses(run)["c"] == "Queued"


def test_the_whole_completes_with_its_last_step(experiment, owner):
    run = submit(experiment, owner, {"a": []})

    end(step(run, "a"))
    schedule.advance(run_pk=run.pk, at=NOON)

    run.refresh_from_db()
    assert (run.status, run.reason) == (S.COMPLETED, "")
    assert run.duration_seconds == 0


def test_advancing_again_changes_nothing(experiment, owner):
    run = submit(experiment, owner, {"a": [], "b": ["a"]})
    end(step(run, "a"))
    schedule.advance(run_pk=run.pk, at=NOON)
    events = RunEvent.objects.count()

    schedule.advance(run_pk=run.pk, at=NOON)

    assert RunEvent.objects.count() == events


def test_a_failure_stops_everything_that_has_not_started(experiment, owner):
    run = submit(experiment, owner, {"a": [], "b": [], "c": ["a"], "d": ["b"]})

    end(step(run, "a"), S.FAILED)
    schedule.advance(run_pk=run.pk, at=NOON)

    run.refresh_from_db()
    assert statuses(run) == {"a": "Failed", "b": "Canceled", "c": "Canceled", "d": "Canceled"}
    assert step(run, "c").reason == "Not started: a failed."
    assert (run.status, run.reason) == (S.FAILED, "1 of 4 steps failed: a.")
    assert not StatusCount.objects.filter(experiment=experiment, status=S.QUEUED, count__gt=0).exists()


def test_a_step_that_runs_goes_on_after_a_failure_elsewhere(experiment, owner):
    run = submit(experiment, owner, {"a": [], "b": []})
    from runs import lifecycle

    lifecycle.move(step(run, "b"), S.PREPARING, at=NOON, attempt_number=1)

    end(step(run, "a"), S.FAILED)
    schedule.advance(run_pk=run.pk, at=NOON)

    run.refresh_from_db()
    assert statuses(run)["b"] == "Preparing"
    assert run.status == S.RUNNING


def test_by_choice_a_failure_stops_only_what_depends_on_it(experiment, owner):
    run = submit(
        experiment, owner, {"a": [], "b": [], "c": ["a"], "d": ["b"], "e": ["c"]}, continue_on_step_failure=True
    )

    end(step(run, "a"), S.FAILED)
    schedule.advance(run_pk=run.pk, at=NOON)
    end(step(run, "b"))
    schedule.advance(run_pk=run.pk, at=NOON)

    assert statuses(run) == {"a": "Failed", "b": "Completed", "c": "Canceled", "d": "Queued", "e": "Canceled"}
    assert step(run, "e").reason == "Not started: a failed."


def test_a_step_may_fail_without_consequences(experiment, owner):
    run = submit(experiment, owner, {"a": {"continue_on_failure": True}, "b": ["a"]})

    end(step(run, "a"), S.FAILED)
    schedule.advance(run_pk=run.pk, at=NOON)
    end(step(run, "b"))
    schedule.advance(run_pk=run.pk, at=NOON)

    run.refresh_from_db()
    assert (run.status, run.reason) == (S.COMPLETED, "1 of 2 steps failed, which was allowed: a.")


def test_a_step_is_run_for_each_value_and_the_next_waits_for_all(experiment, owner):
    run = submit(
        experiment,
        owner,
        {"train": {"for_each": {"m": ["x", "y"]}, "arguments": ["${{ item.m }}"]}, "compare": ["train"]},
    )

    assert statuses(run) == {"train[0]": "Queued", "train[1]": "Queued", "compare": "NotStarted"}
    assert step(run, "train", 1).arguments == ["y"]
    assert step(run, "train", 1).display_name == "train (y)"

    end(step(run, "train", 0))
    schedule.advance(run_pk=run.pk, at=NOON)
    assert statuses(run)["compare"] == "NotStarted"

    end(step(run, "train", 1))
    schedule.advance(run_pk=run.pk, at=NOON)
    assert statuses(run)["compare"] == "Queued"


def test_a_failed_value_of_a_fan_out_fails_the_whole(experiment, owner):
    run = submit(
        experiment,
        owner,
        {"train": {"for_each": {"m": ["x", "y"]}}, "compare": ["train"]},
        continue_on_step_failure=True,
    )

    end(step(run, "train", 0), S.FAILED)
    end(step(run, "train", 1))
    schedule.advance(run_pk=run.pk, at=NOON)

    run.refresh_from_db()
    assert statuses(run)["compare"] == "Canceled"
    assert (run.status, run.reason) == (S.FAILED, "1 of 3 steps failed: train.")


def test_a_canceled_step_makes_the_whole_canceled(experiment, owner):
    run = submit(experiment, owner, {"a": [], "b": ["a"]})

    cancellation.request_cancel(run=step(run, "a"), by=owner, at=NOON)

    run.refresh_from_db()
    assert statuses(run) == {"a": "Canceled", "b": "Canceled"}
    assert step(run, "b").reason == "Not started: a was canceled."
    assert run.status == S.CANCELED


def test_cancel_ends_at_once_where_nothing_runs(experiment, owner):
    run = submit(experiment, owner, {"a": [], "b": ["a"]})

    cancellation.request_cancel(run=run, by=owner, at=NOON)

    run.refresh_from_db()
    assert statuses(run) == {"a": "Canceled", "b": "Canceled"}
    assert (run.status, run.reason) == (S.CANCELED, "Canceled by olivia.")


def test_cancel_waits_for_the_steps_that_run(experiment, owner):
    from runs import lifecycle

    run = submit(experiment, owner, {"a": [], "b": ["a"]})
    running = step(run, "a")
    lifecycle.move(running, S.PREPARING, at=NOON, attempt_number=1)

    cancellation.request_cancel(run=run, by=owner, at=NOON)

    run.refresh_from_db()
    assert run.status == S.CANCEL_REQUESTED
    assert statuses(run) == {"a": "CancelRequested", "b": "Canceled"}

    lifecycle.move(step(run, "a"), S.CANCELED, at=NOON)
    schedule.advance_active(at=NOON)

    run.refresh_from_db()
    assert (run.status, run.reason) == (S.CANCELED, "Canceled by olivia.")


def test_a_pipeline_waits_for_what_its_steps_started_before_it_is_canceled(experiment, owner):
    from runs import lifecycle
    from tests import factories

    run = submit(experiment, owner, {"a": []})
    running = step(run, "a")
    lifecycle.move(running, S.PREPARING, at=NOON, attempt_number=1)
    below = factories.run(experiment, by=owner, status=S.RUNNING, parent=running)
    cancellation.request_cancel(run=run, by=owner, at=NOON)
    lifecycle.move(step(run, "a"), S.CANCELED, at=NOON)

    schedule.advance(run_pk=run.pk, at=NOON)
    run.refresh_from_db()
    assert run.status == S.CANCEL_REQUESTED

    lifecycle.move(Run.objects.get(pk=below.pk), S.CANCELED, at=NOON)
    schedule.advance(run_pk=run.pk, at=NOON)
    run.refresh_from_db()
    assert run.status == S.CANCELED


def test_an_equal_step_is_not_run_again(experiment, owner):
    steps = {
        "a": {"outputs": ["o"]},
        "b": {"inputs": {"i": "${{ steps.a.outputs.o }}"}, "arguments": ["${{ parameters.p }}"]},
    }
    top = {"parameters": {"p": {"type": "integer", "default": 1}}}
    first = submit(experiment, owner, steps, top=top)
    end(step(first, "a"))
    schedule.advance(run_pk=first.pk, at=NOON)
    end(step(first, "b"))
    schedule.advance(run_pk=first.pk, at=NOON)

    second = submit(experiment, owner, steps, top=top)
    other = submit(experiment, owner, steps, top=top, parameters={"p": 2})
    forced = submit(experiment, owner, steps, top=top, regenerate_outputs=True)

    assert second.status == S.COMPLETED
    assert step(second, "b").reason == f"Reused from {step(first, 'b').run_id}."
    assert step(second, "b").step.reused_from == step(first, "b")
    assert statuses(other) == {"a": "Completed", "b": "Queued"}
    assert statuses(forced) == {"a": "Queued", "b": "NotStarted"}


def test_what_reads_a_new_result_is_not_reused(experiment, owner):
    steps = {
        "a": {"outputs": ["o"], "allow_reuse": False},
        "b": {"inputs": {"i": "${{ steps.a.outputs.o }}"}},
    }
    for _ in range(2):
        run = submit(experiment, owner, steps)
        assert statuses(run) == {"a": "Queued", "b": "NotStarted"}
        end(step(run, "a"))
        schedule.advance(run_pk=run.pk, at=NOON)
        assert statuses(run) == {"a": "Completed", "b": "Queued"}
        end(step(run, "b"))
        schedule.advance(run_pk=run.pk, at=NOON)


def test_a_result_of_another_workspace_is_not_reused(experiment, owner):
    from tests import factories

    end(step(submit(experiment, owner, {"a": []}), "a"))
    elsewhere = factories.experiment(factories.workspace(), "other")

    run = submit(elsewhere, owner, {"a": []})

    assert statuses(run) == {"a": "Queued"}


def advance_queries(experiment, owner, count: int) -> int:
    run = submit(experiment, owner, {f"s{n}": {"allow_reuse": False} for n in range(count)} | {"last": ["s0"]})
    for each in StepRun.objects.filter(pipeline_run_id=run.pk, name="s0").select_related("run"):
        end(each.run)
    with CaptureQueriesContext(
        connection,
    ) as queries:
        schedule.advance(run_pk=run.pk, at=NOON)
    return len(queries)


def test_the_number_of_queries_does_not_depend_on_the_number_of_steps(experiment, owner):
    assert advance_queries(experiment, owner, 3) == advance_queries(experiment, owner, 30)
