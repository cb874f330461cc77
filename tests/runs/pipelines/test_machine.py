"""Random pipelines, random ends in a random order, advances cut short between any two writes.

A worker here is what it says to the rows. A kill is an error raised at one of the statements
that write: what was not committed is undone, and nobody goes on from there but the next call.
"""

from contextlib import suppress
from unittest import mock

import pytest
from django.db import connection, transaction
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from runs import dispatch, lifecycle
from runs.actions import cancellation
from runs.models import Run, RunEvent, StatusCount, StepRun
from runs.pipelines import graph, schedule
from runs.status import ACTIVE, TERMINAL, RunStatus
from tests import factories
from tests.factories import NOON
from tests.runs.pipelines.driving import WAY, submit

S = RunStatus


class Killed(BaseException):
    """What a process does not survive."""


class Killing:
    """Lets so many writes through, and kills the one that follows."""

    def __init__(self, writes: int) -> None:
        self.left = writes

    def __call__(self, execute, sql, params, many, context):
        if sql.startswith(("INSERT", "UPDATE", "DELETE")):
            self.left -= 1
            if self.left < 0:
                raise Killed
        return execute(sql, params, many, context)


@st.composite
def pipelines(draw: st.DrawFn) -> dict[str, dict]:
    steps: dict[str, dict] = {}
    for number in range(draw(st.integers(1, 6))):
        step: dict = {"depends_on": [name for name in steps if draw(st.booleans())]}
        if draw(st.integers(0, 3)) == 0:
            step["for_each"] = {"it": list(range(draw(st.integers(1, 3))))}
        if draw(st.integers(0, 3)) == 0:
            step["continue_on_failure"] = True
        step["allow_reuse"] = draw(st.booleans())
        step["retries"] = draw(st.integers(0, 1))
        steps[f"s{number}"] = step
    return steps


deeds = st.sampled_from(["advance", "advance", "kill", "work", "work", "work", "fail", "retry", "cancel one", "race"])


@given(
    steps=pipelines(),
    goes_on=st.booleans(),
    todo=st.lists(st.tuples(deeds, st.integers(0, 30)), max_size=25),
    cancels=st.booleans(),
)
@hypothesis_settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@pytest.mark.slow
def test_nothing_is_run_twice_and_nothing_is_left_active(local, experiment, owner, steps, goes_on, todo, cancels):
    with suppress(_Undo), transaction.atomic(), mock.patch.object(dispatch, "hint"):
        room = factories.experiment(experiment.workspace)
        run = submit(room, owner, steps, continue_on_step_failure=goes_on)
        for deed, number in todo:
            do(run, owner, deed, number)
            check(run, goes_on=goes_on)
        if cancels and not Run.objects.get(pk=run.pk).is_terminal:
            cancellation.request_cancel(run=Run.objects.get(pk=run.pk), by=owner, at=NOON)
        finish(run)

        check(run, goes_on=goes_on)
        check_end(run, room, is_canceled=cancels)
        raise _Undo


class _Undo(Exception):
    """Take back what this example wrote."""


def do(run: Run, owner, deed: str, number: int) -> None:
    at_work = [each for each in children(run) if each.status in ACTIVE - {S.NOT_STARTED}]
    if deed == "advance":
        schedule.advance(run_pk=run.pk, at=NOON)
    elif deed == "kill":
        with suppress(Killed), connection.execute_wrapper(Killing(number)):
            schedule.advance(run_pk=run.pk, at=NOON)
        transaction.set_rollback(False)  # what it had committed stays; the rest is undone by its own transactions
    elif deed == "race":
        race(run)
    elif at_work:
        chosen = at_work[number % len(at_work)]
        if deed == "cancel one":
            cancellation.request_cancel(run=chosen, by=owner, at=NOON)
        else:
            work(chosen, deed)


def race(run: Run) -> None:
    """Advance with what was read before another process advanced."""
    read = schedule._load

    def load_then_lose(pipeline):
        seen = read(pipeline)
        with mock.patch.object(schedule, "_load", read):
            schedule.advance(run_pk=run.pk, at=NOON)
        return seen

    with mock.patch.object(schedule, "_load", load_then_lose):
        schedule.advance(run_pk=run.pk, at=NOON)


def work(run: Run, deed: str) -> None:
    """Bring a step one status further, or to its end, as a supervisor would."""
    if run.status == S.CANCEL_REQUESTED:
        lifecycle.move(run, S.CANCELED, at=NOON)
    elif run.status == S.QUEUED:
        lifecycle.move(run, S.PREPARING, at=NOON, attempt_number=run.attempt_number + 1)
    elif deed == "fail":
        lifecycle.move(run, S.FAILED, at=NOON)
    elif deed == "retry" and run.attempt_number <= run.max_retries:
        lifecycle.move(run, S.QUEUED, at=NOON)
    else:
        lifecycle.move(run, WAY[WAY.index(S(run.status)) + 1], at=NOON)


def finish(run: Run) -> None:
    """Let the sweep and the workers do their work until nothing moves."""
    for _ in range(300):
        schedule.advance_active(at=NOON)
        at_work = [each for each in children(run) if each.status in ACTIVE - {S.NOT_STARTED}]
        for each in at_work:
            work(each, "work")
        if not at_work:
            break
    schedule.advance_active(at=NOON)


def children(run: Run) -> list[Run]:
    return list(Run.objects.filter(parent=run).order_by("id"))


def check(run: Run, *, goes_on: bool) -> None:
    rows = list(StepRun.objects.filter(pipeline_run_id=run.pk).select_related("run"))
    by_name: dict[str, list[StepRun]] = {}
    for row in rows:
        by_name.setdefault(row.name, []).append(row)
    for row in rows:
        tries = RunEvent.objects.filter(run=row.run, to_status=S.PREPARING).values_list("attempt_number", flat=True)
        queued = RunEvent.objects.filter(run=row.run, from_status=S.NOT_STARTED, to_status=S.QUEUED).count()
        assert sorted(tries) == sorted(set(tries))
        assert queued <= 1
        if row.run.status not in (S.NOT_STARTED, S.CANCELED, S.CANCEL_REQUESTED):
            before = [each for name in row.parents for each in by_name[name]]
            assert all(graph.is_satisfied(S(each.run.status), is_forgiven=each.continues_on_failure) for each in before)


def check_end(run: Run, experiment, *, is_canceled: bool) -> None:
    whole = Run.objects.get(pk=run.pk)
    rows = list(StepRun.objects.filter(pipeline_run_id=run.pk).select_related("run"))
    ended = {row.pk: S(row.run.status) for row in rows}
    forgiven = {row.pk for row in rows if row.continues_on_failure}
    assert set(ended.values()) <= TERMINAL
    assert whole.status == graph.outcome(ended, forgiven)
    left = StatusCount.objects.filter(experiment=experiment, count__gt=0, status__in=ACTIVE)
    assert not left.exists()
    counted = StatusCount.objects.filter(experiment=experiment, is_child=True, count__gt=0)
    assert sum(counted.values_list("count", flat=True)) == len(rows)
