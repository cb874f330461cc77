"""Who moves a pipeline run on: asks what its rows say now, and does what follows from that.

Level-triggered: call `advance` after anything that may matter, as often as you like, from
many processes at once. A step that may start or never will stays so, since steps that have
ended never change; so a plan made from one look at the rows holds, and each move is a
compare-and-set that only one process wins.
"""

import functools
import hashlib
import logging
from collections import defaultdict
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction

from runs import dispatch, lifecycle
from runs.models import ComputeTarget, PipelineRun, Run, RunType, StepRun
from runs.pipelines import graph
from runs.status import ACTIVE, TERMINAL, UNCLAIMED, RunStatus

logger = logging.getLogger(__name__)

_ACTOR = "scheduler"
_NAMED = 10
_PKS_PER_QUERY = 500
_STATUSES = {status.value: status for status in RunStatus}


@dataclass
class _Step:
    """A step run as the scheduler sees it."""

    pk: int
    name: str
    index: int
    parents: Sequence[str]
    is_forgiven: bool
    status: RunStatus
    was_claimed: bool

    @property
    def is_satisfied(self) -> bool:
        """Return whether what waits for it may go on."""
        return graph.is_satisfied(self.status, is_forgiven=self.is_forgiven)


def advance(*, run_pk: int, at: datetime) -> None:
    """Start the steps of a pipeline run that are ready, cancel those that never will be, and end it after the last.

    A run that is no pipeline's, or has ended, is left alone.
    """
    # Its documents are large, and say nothing here.
    pipelines = PipelineRun.objects.select_related("run").defer("definition", "parameters")
    pipeline = pipelines.filter(run_id=run_pk).first()
    if pipeline is None or pipeline.run.is_terminal:
        return
    steps = _load(pipeline)
    if pipeline.run.status == RunStatus.RUNNING:
        _cancel_blocked(pipeline, steps, at)
        while _start_ready(pipeline, steps, at):
            pass  # a step that is reused ends at once, and others may be ready then
    else:
        left = [step for step in steps if _is_unclaimed(step)]
        _cancel(left, steps, reason=f"Its parent {pipeline.run.run_id} was canceled.", at=at)
    _end(pipeline.run, steps, at)


def advance_active(*, at: datetime) -> int:
    """Advance every pipeline run that is active; return how many. For the sweep: a process died before it did."""
    # As the index has it.
    active = Run.objects.exclude(status__in=["Completed", "Failed", "Canceled"]).filter(run_type=RunType.PIPELINE)
    pks = list(active.order_by("id").values_list("pk", flat=True))
    for pk in pks:
        try:
            advance(run_pk=pk, at=at)
        except Exception:  # what is wrong with one must not stop the others
            logger.exception("The pipeline run %s cannot be advanced.", pk)
    return len(pks)


def _load(pipeline: PipelineRun) -> list[_Step]:
    """Return the step runs as one look at the rows shows them; only those that have not started with their parents."""
    steps = StepRun.objects.filter(pipeline_run=pipeline)
    # Before the look, for what has not started then has not started now.
    parents = dict(steps.filter(run__status=RunStatus.NOT_STARTED).values_list("run_id", "parents"))
    rows = steps.order_by("run_id").values_list(
        "run_id", "name", "index", "continues_on_failure", "run__status", "run__attempt_number"
    )
    return [
        _Step(pk, name, index, parents.get(pk, ()), is_forgiven, _STATUSES[status], attempt_number > 0)
        for pk, name, index, is_forgiven, status, attempt_number in rows
    ]


# --- what the graph says ---


class _Graph:
    """The step runs as nodes. One that is fanned out has a gate behind its values, named as the step."""

    def __init__(self, steps: list[_Step]) -> None:
        by_name: dict[str, list[_Step]] = defaultdict(list)
        for step in steps:
            by_name[step.name].append(step)
        self.steps = {step.pk: step for step in steps}
        self.forgiven = {step.pk for step in steps if step.is_forgiven}
        self.statuses: dict[Hashable, RunStatus] = {step.pk: step.status for step in steps}
        self.parents: dict[Hashable, list[Hashable]] = {
            step.pk: [name for name in step.parents if name in by_name] for step in steps
        }
        for name, values in by_name.items():
            self.parents[name] = [step.pk for step in values]
            self.statuses[name] = self._gate(values)

    def ready(self) -> list[int]:
        """Return the step runs that may start."""
        found = graph.ready(self.parents, self.statuses, self.forgiven)
        return [node for node in found if isinstance(node, int)]

    def blocked(self, *, stops_all: bool) -> dict[int, _Step]:
        """Return the step runs that never will start, each with the one that is to blame."""
        statuses = dict(self.statuses)
        if stops_all:  # what waits in line for its first attempt has not started either
            statuses |= {pk: RunStatus.NOT_STARTED for pk, step in self.steps.items() if _is_unclaimed(step)}
        found = graph.blocked(self.parents, statuses, self.forgiven, stops_all=stops_all)
        return {
            node: self.steps[cause] for node, cause in found.items() if isinstance(node, int) and isinstance(cause, int)
        }

    @staticmethod
    def _gate(values: list[_Step]) -> RunStatus:
        """Return the status of a gate: open once all values are satisfied. It blocks nothing of its own."""
        return RunStatus.COMPLETED if all(step.is_satisfied for step in values) else RunStatus.NOT_STARTED


def _is_unclaimed(step: _Step) -> bool:
    """Return whether a step run has never been started; one that waits for another attempt has."""
    return step.status in UNCLAIMED and not step.was_claimed


# --- what follows ---


def _cancel_blocked(pipeline: PipelineRun, steps: list[_Step], at: datetime) -> None:
    if all(step.status not in TERMINAL or step.is_satisfied for step in steps):
        return
    blocked = _Graph(steps).blocked(stops_all=not pipeline.continue_on_step_failure)
    by_cause: dict[int, list[_Step]] = defaultdict(list)
    for step in steps:
        if step.pk in blocked:
            by_cause[blocked[step.pk].pk].append(step)
    for some in by_cause.values():
        cause = blocked[some[0].pk]
        ended = "failed" if cause.status is RunStatus.FAILED else "was canceled"
        _cancel(some, steps, reason=f"Not started: {cause.name} {ended}.", at=at)


def _cancel(some: list[_Step], steps: list[_Step], *, reason: str, at: datetime) -> None:
    """Cancel step runs that nobody has claimed; one that is claimed this very moment goes on."""
    if not some:
        return
    with transaction.atomic():
        asked = lifecycle.move_many(
            _runs(some), RunStatus.CANCEL_REQUESTED, at=at, reason=reason, actor=_ACTOR, cancel_requested_at=at
        )
        ended = lifecycle.move_many(asked, RunStatus.CANCELED, at=at, reason=reason, actor=_ACTOR)
    _note(steps, ended)


def _start_ready(pipeline: PipelineRun, steps: list[_Step], at: datetime) -> bool:
    """Start what is ready; return whether a step ended by that, being reused."""
    ready = set(_Graph(steps).ready())
    if not ready:
        return False
    rows = _step_rows(ready)
    found = _reusable(pipeline, rows)
    reused = [row for row in rows if row.run_id in found]
    queued = [row.run for row in rows if row.run_id not in found]
    with transaction.atomic():
        ended = _reuse(reused, found, at)
        started = lifecycle.move_many(queued, RunStatus.QUEUED, at=at, actor=_ACTOR)
        targets = {run.compute_target_id for run in started if run.compute_target_id}
        transaction.on_commit(functools.partial(_hint, targets))
    _note(steps, [*ended, *started])
    # One that another process has moved meanwhile is that one's to go on from.
    lost = ready - {run.pk for run in (*ended, *started)}
    for step in steps:
        if step.pk in lost:
            step.status = RunStatus.QUEUED
    return bool(ended)


def _hint(targets: Iterable[int]) -> None:
    for target in ComputeTarget.objects.filter(pk__in=list(targets)):
        dispatch.hint(compute_target_id=target.pk, compute_target_name=target.name)


def _end(run: Run, steps: list[_Step], at: datetime) -> None:
    """End the pipeline run if its last step has ended; one that is to stop waits for all that descends from it."""
    forgiven = {step.pk for step in steps if step.is_forgiven}
    ended = graph.outcome({step.pk: step.status for step in steps}, forgiven)
    if ended is None:
        return
    is_asked = run.status == RunStatus.CANCEL_REQUESTED
    if is_asked and Run.objects.below(run).filter(status__in=ACTIVE).exists():
        return
    reason = _reason(ended, steps)
    try:
        with transaction.atomic():
            if ended is RunStatus.CANCELED and not is_asked:
                lifecycle.move(
                    run, RunStatus.CANCEL_REQUESTED, at=at, reason=reason, actor=_ACTOR, cancel_requested_at=at
                )
            if ended is RunStatus.CANCELED and is_asked:
                reason = run.reason
            lifecycle.move(run, ended, at=at, reason=reason, actor=_ACTOR)
    except lifecycle.LostRace:
        return  # another process ended it, or somebody wants it canceled: its next advance sees that


def _reason(ended: RunStatus, steps: list[_Step]) -> str:
    failed = [step for step in steps if step.status is RunStatus.FAILED]
    unforgiven = [step for step in failed if not step.is_forgiven]
    if ended is RunStatus.FAILED:
        return f"{_of(unforgiven, steps)} failed: {_names(unforgiven)}."
    if ended is RunStatus.CANCELED:
        canceled = [step for step in steps if step.status is RunStatus.CANCELED]
        return f"{_of(canceled, steps)} were canceled: {_names(canceled)}."
    return f"{_of(failed, steps)} failed, which was allowed: {_names(failed)}." if failed else ""


def _of(some: list[_Step], steps: list[_Step]) -> str:
    return f"{len(some)} of {len(steps)} steps"


def _names(some: list[_Step]) -> str:
    names = list(dict.fromkeys(step.name for step in some))
    return ", ".join([*names[:_NAMED], *(["..."] if len(names) > _NAMED else [])])


# --- reuse ---


def _reusable(pipeline: PipelineRun, rows: list[StepRun]) -> dict[int, int]:
    """Return for step runs that need not run whose results serve, and set the digest of all of them.

    A result is equal if the same code reads the same results: those of the same runs.
    """
    found = {row.run_id: row.reused_from_id for row in rows if row.reused_from_id is not None}
    wanted = [row for row in rows if row.code_digest and row.run_id not in found]
    producers = _producers(pipeline, wanted)
    for row in wanted:
        read = sorted((name, output, producers[step]) for name, (step, output, _) in row.inputs.items())
        row.reuse_digest = hashlib.sha256(f"{row.code_digest}:{read}".encode()).hexdigest()
    StepRun.objects.bulk_update(wanted, ["reuse_digest"], batch_size=_PKS_PER_QUERY)
    if pipeline.regenerate_outputs:
        return found
    digests = [row.reuse_digest for row in wanted]
    equal: dict[str, int] = {}
    for start in range(0, len(digests), _PKS_PER_QUERY):
        earlier = StepRun.objects.filter(
            reuse_digest__in=digests[start : start + _PKS_PER_QUERY],
            reused_from__isnull=True,
            run__status=RunStatus.COMPLETED,
            run__workspace=pipeline.run.workspace_id,
            run__trashed_at__isnull=True,
        ).exclude(reuse_digest="")
        equal |= dict(earlier.order_by("run_id").values_list("reuse_digest", "run_id"))
    return found | {row.run_id: equal[row.reuse_digest] for row in wanted if row.reuse_digest in equal}


def _producers(pipeline: PipelineRun, rows: list[StepRun]) -> dict[str, list[int]]:
    """Return for each step from which `rows` read the runs whose results are read."""
    names = {step for row in rows for step, _, _ in row.inputs.values()}
    producers: dict[str, list[int]] = {name: [] for name in names}
    if names:
        steps = StepRun.objects.filter(pipeline_run=pipeline, name__in=names).order_by("name", "index")
        for name, pk, reused_from in steps.values_list("name", "run_id", "reused_from_id"):
            producers[name].append(reused_from or pk)
    return producers


def _reuse(rows: list[StepRun], found: dict[int, int], at: datetime) -> list[Run]:
    """End step runs as completed by earlier runs; return those that no other process was faster with."""
    if not rows:
        return []
    ids = dict(Run.objects.filter(pk__in=set(found.values())).values_list("pk", "run_id"))
    for row in rows:
        row.reused_from_id = found[row.run_id]
    started = lifecycle.move_many([row.run for row in rows], RunStatus.RUNNING, at=at, actor=_ACTOR)
    pks = {run.pk for run in started}
    StepRun.objects.bulk_update([row for row in rows if row.run_id in pks], ["reused_from"], batch_size=_PKS_PER_QUERY)
    told = {pk: f"Reused from {ids[origin]}." for pk, origin in found.items()}
    return lifecycle.move_many(started, RunStatus.COMPLETED, at=at, reason=lambda run: told[run.pk], actor=_ACTOR)


# --- rows ---


def _step_rows(pks: Iterable[int]) -> list[StepRun]:
    """Return step runs with their runs, those that are still NotStarted."""
    wanted = sorted(pks)
    return [
        row
        for start in range(0, len(wanted), _PKS_PER_QUERY)
        for row in StepRun.objects.select_related("run")
        .filter(run_id__in=wanted[start : start + _PKS_PER_QUERY], run__status=RunStatus.NOT_STARTED)
        .order_by("run_id")
    ]


def _runs(steps: list[_Step]) -> list[Run]:
    """Return the runs of steps, with the statuses that were seen."""
    seen = {step.pk: step.status for step in steps}
    pks = sorted(seen)
    runs = [
        run
        for start in range(0, len(pks), _PKS_PER_QUERY)
        for run in Run.objects.filter(pk__in=pks[start : start + _PKS_PER_QUERY], attempt_number=0).order_by("id")
    ]
    return [run for run in runs if run.status == seen[run.pk]]


def _note(steps: list[_Step], runs: Iterable[Run]) -> None:
    """Note in what was read what was written."""
    moved = {run.pk: RunStatus(run.status) for run in runs}
    for step in steps:
        step.status = moved.get(step.pk, step.status)
