"""Schedulers that really are processes: killed with SIGKILL before each of their writes, and several at once."""

import os
import signal
import threading
from unittest import mock

import pytest
from django.db import connection, connections

from runs import dispatch
from runs.models import Run, RunEvent
from runs.pipelines import schedule
from runs.status import ACTIVE, RunStatus
from tests import factories
from tests.factories import NOON
from tests.runs.pipelines.driving import statuses, submit
from tests.runs.pipelines.test_machine import check, check_end, children, work

pytestmark = [pytest.mark.process, pytest.mark.slow, pytest.mark.django_db(transaction=True)]

S = RunStatus
# All that a scheduler does: starts steps, reuses one, cancels what a failure blocks, ends the whole.
STEPS = {
    "ok": {"allow_reuse": False},
    "fails": {"allow_reuse": False},
    "reused": {"depends_on": ["ok"]},
    "blocked": {"depends_on": ["fails"]},
    "each": {"depends_on": ["reused"], "allow_reuse": False, "for_each": {"it": [1, 2]}},
}
ENDS = {
    "ok": "Completed",
    "fails": "Failed",
    "reused": "Completed",
    "blocked": "Canceled",
    "each[0]": "Completed",
    "each[1]": "Completed",
}


@pytest.fixture(autouse=True)
def _no_broker():
    with mock.patch.object(dispatch, "hint"):
        yield


@pytest.fixture
def begin(local, workspace, owner):
    """Submit the pipeline to an experiment of its own; the step `reused` has run before."""
    earlier = submit(factories.experiment(workspace), owner, {"reused": {}})
    go_on(earlier)
    schedule.advance(run_pk=earlier.pk, at=NOON)
    return lambda: submit(factories.experiment(workspace), owner, STEPS, continue_on_step_failure=True)


def test_a_scheduler_may_be_killed_before_any_of_its_writes(begin):
    runs = [begin() for _ in range(30)]

    kills = [drive(run, lambda run, write=write: advance_and_die(run, write)) for write, run in enumerate(runs)]

    # Two advances had something to do; no more is done than was cut short: there was a kill before each write.
    assert (kills[0], kills[-1]) == (2, 0)
    assert [statuses(run) for run in runs] == [ENDS] * 30
    assert {Run.objects.get(pk=run.pk).status for run in runs} == {"Failed"}
    assert all(events_of(run) == events_of(runs[-1]) for run in runs)
    [check(run, goes_on=True) for run in runs]
    [check_end(run, run.experiment, is_canceled=False) for run in runs]


def test_schedulers_at_once_do_each_thing_once(begin):
    runs = [begin() for _ in range(6)]

    faults = [fault for run in runs for fault in drive_together(run)]

    assert faults == []
    assert [statuses(run) for run in runs] == [ENDS] * 6
    assert all(len(events_of(run)) == len(set(events_of(run))) for run in runs)
    [check_end(run, run.experiment, is_canceled=False) for run in runs]


def drive(run, advance) -> int:
    """Bring a pipeline to its end with `advance`, then a whole one, each time; return how often the first said so."""
    said = advance(run)
    schedule.advance(run_pk=run.pk, at=NOON)
    while go_on(run):
        said += advance(run)
        schedule.advance(run_pk=run.pk, at=NOON)
    return said


def go_on(run) -> bool:
    """Let workers end what is in line, one of the steps badly; return whether there was any."""
    at_work = [each for each in children(run) if each.status in ACTIVE - {S.NOT_STARTED}]
    for each in at_work:
        while not each.is_terminal:
            is_bad = each.step.name == "fails" and each.status == S.RUNNING
            work(each, "fail" if is_bad else "work")
    return bool(at_work)


def advance_and_die(run, write: int) -> bool:
    """Advance in a process that is killed before its write or commit of that number; return whether it was."""
    connections.close_all()
    pid = os.fork()
    if pid == 0:
        left = [write]

        def count() -> None:
            left[0] -= 1
            if left[0] < 0:
                os.kill(os.getpid(), signal.SIGKILL)

        def watch(execute, sql, params, many, context):
            if sql.startswith(("INSERT", "UPDATE", "DELETE")):
                count()
            return execute(sql, params, many, context)

        commit = connection._commit
        connection._commit = lambda: (count(), commit())
        with connection.execute_wrapper(watch):
            schedule.advance(run_pk=run.pk, at=NOON)
        os._exit(0)
    status = os.waitpid(pid, 0)[1]
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0
    return os.WIFSIGNALED(status)


def drive_together(run) -> list[Exception]:
    """Bring a pipeline to its end with three schedulers that begin at the same moment, each time."""
    faults: list[Exception] = []

    def together(run) -> int:
        barrier = threading.Barrier(3)

        def advance() -> None:
            try:
                barrier.wait(60)
                schedule.advance(run_pk=run.pk, at=NOON)
            except Exception as error:
                faults.append(error)
            finally:
                connection.close()

        threads = [threading.Thread(target=advance) for _ in range(3)]
        [each.start() for each in threads]
        [each.join(60) for each in threads]
        return 0

    drive(run, together)
    return faults


def events_of(run) -> list[tuple[str, str, str]]:
    """All changes of status of a pipeline run and its steps, in the order of the steps."""
    events = RunEvent.objects.filter(run__in=[run, *children(run)]).order_by("run_id", "id")
    first = run.pk
    return [(str(pk - first), old, new) for pk, old, new in events.values_list("run_id", "from_status", "to_status")]
