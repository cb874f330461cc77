"""Runs are made with rising numbers, once per key, and never wait for the broker."""

import threading
from datetime import timedelta

import pytest
from django.db import connection

from runs import dispatch, limits
from runs.actions import cancellation, experiments, submission
from runs.errors import InvalidInput
from runs.models import Experiment, Run, RunEvent, StatusCount
from runs.status import RunStatus
from tests import factories

COMMAND = submission.ScriptRunConfig(command=("true",))


def submit(experiment, owner, noon, config=COMMAND, **more):
    return submission.submit_script(experiment=experiment, config=config, snapshot=None, by=owner, at=noon, **more)


def test_a_submitted_run_is_queued_counted_and_hinted(
    experiment, owner, local, noon, monkeypatch, django_capture_on_commit_callbacks
):
    hints = []
    monkeypatch.setattr(dispatch, "hint", lambda **hint: hints.append(hint))

    with django_capture_on_commit_callbacks(execute=True):
        run = submit(experiment, owner, noon)

    assert (run.status, run.number, run.queued_at) == (RunStatus.QUEUED, 1, noon)
    assert run.run_id.startswith(f"explore-runs_{int(noon.timestamp())}_")
    assert hints == [{"compute_target_id": local.pk, "compute_target_name": "local"}]
    assert list(RunEvent.objects.order_by("id").values_list("to_status", flat=True)) == ["NotStarted", "Queued"]
    assert dict(StatusCount.objects.filter(count__gt=0).values_list("status", "count")) == {"Queued": 1}
    experiment.refresh_from_db()
    assert (experiment.latest_run, experiment.latest_run_number) == (run, 1)


def test_a_name_that_is_no_id_is_made_one(workspace, owner, local, noon):
    experiment = experiments.get_or_create(workspace=workspace, name="/Users/me: größer 🚀", by=owner, at=noon)

    run = submit(experiment, owner, noon)

    assert run.run_id.startswith("Users-me-gr-er-_")


def test_a_run_restores_its_archived_experiment(experiment, owner, local, noon):
    experiments.archive(experiment=experiment, by=owner, at=noon)

    submit(experiment, owner, noon)

    assert Experiment.objects.get().archived_at is None


def test_numbers_rise_over_all_kinds_of_runs(experiment, owner, local, noon):
    first = submit(experiment, owner, noon)
    second = submission.start_interactive(experiment=experiment, by=owner, at=noon)
    children = submission.create_children(parent=second, by=owner, at=noon, children=[{}, {}])
    last = submit(experiment, owner, noon)

    assert [run.number for run in (first, second, *children, last)] == [1, 2, 3, 4, 5]


def test_a_given_id_is_taken_once(experiment, owner, local, noon):
    submit(experiment, owner, noon, run_id="mine")

    with pytest.raises(submission.RunIdTaken):
        submit(experiment, owner, noon, run_id="mine")
    with pytest.raises(submission.RunIdTaken):
        submission.start_interactive(experiment=experiment, by=owner, at=noon, run_id="mine")
    assert Run.objects.count() == 1


@pytest.mark.parametrize("run_id", ["", " ", "-a", "_a", "a b", "a/b", "a\n", "..", "a..b", "é", "x" * 257, "a\x00"])
def test_an_odd_id_is_refused(run_id, experiment, owner, noon):
    described = [{"run_id": run_id or "."}]
    parent = factories.run(experiment, by=owner, status=RunStatus.RUNNING)

    with pytest.raises(InvalidInput) as refusal:
        submission.create_children(parent=parent, by=owner, at=noon, children=described)

    assert refusal.value.field == "run_id"


def test_a_canceled_parent_gets_no_more_children(experiment, owner, local, noon):
    parent = submission.start_interactive(experiment=experiment, by=owner, at=noon)
    cancellation.request_cancel(run=parent, by=owner, at=noon)

    with pytest.raises(submission.ParentIsCanceled):
        submit(experiment, owner, noon, parent=parent)


def test_a_tree_is_not_endless(experiment, owner, noon, monkeypatch):
    monkeypatch.setattr(limits, "TREE_DEPTH", 3)
    first = submission.start_interactive(experiment=experiment, by=owner, at=noon)
    second = submission.start_interactive(experiment=experiment, by=owner, at=noon, parent=first)
    third = submission.start_interactive(experiment=experiment, by=owner, at=noon, parent=second)

    with pytest.raises(InvalidInput, match="at most 3"):
        submission.start_interactive(experiment=experiment, by=owner, at=noon, parent=third)


def test_a_tree_does_not_grow_for_ever(experiment, owner, noon, monkeypatch):
    monkeypatch.setattr(limits, "RUNS_PER_TREE", 3)
    first = submission.start_interactive(experiment=experiment, by=owner, at=noon)
    second = submission.start_interactive(experiment=experiment, by=owner, at=noon, parent=first)
    submission.create_children(parent=second, by=owner, at=noon, children=[{}, {}])

    with pytest.raises(InvalidInput, match="at most 3 below"):
        submission.start_interactive(experiment=experiment, by=owner, at=noon, parent=first)


def test_only_what_has_something_to_execute_is_resubmitted(experiment, owner, local, noon):
    interactive = submission.start_interactive(experiment=experiment, by=owner, at=noon)

    with pytest.raises(submission.DrivenByItsClient):
        submission.resubmit(run=interactive, by=owner, at=noon)
    assert submission.resubmit(run=submit(experiment, owner, noon), by=owner, at=noon).number == 3


def in_threads(count, work):
    """Do `work(number)` in so many threads at once, and return what each returned or raised."""
    results = [None] * count
    start = threading.Barrier(count)

    def one(number):
        start.wait()
        try:
            results[number] = work(number)
        except Exception as error:
            results[number] = error
        finally:
            connection.close()

    threads = [threading.Thread(target=one, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return results


@pytest.mark.django_db(transaction=True)
def test_many_at_once_get_a_number_each(owner, local, noon, workspace, monkeypatch):
    monkeypatch.setattr(dispatch, "hint", lambda **_: None)

    def work(number):
        experiment = experiments.get_or_create(workspace=workspace, name="race", by=owner, at=noon)
        return submit(experiment, owner, noon + timedelta(seconds=number)).number

    assert sorted(in_threads(8, work), key=str) == [1, 2, 3, 4, 5, 6, 7, 8]
    assert StatusCount.objects.get(status="Queued", is_child=False).count == 8


@pytest.mark.django_db(transaction=True)
def test_the_same_request_many_times_at_once_is_one_run(owner, local, noon, experiment, monkeypatch):
    monkeypatch.setattr(dispatch, "hint", lambda **_: None)

    found = in_threads(6, lambda _: submit(experiment, owner, noon, idempotency_key="k").pk)

    assert len(set(found)) == 1
    assert Run.objects.count() == 1
