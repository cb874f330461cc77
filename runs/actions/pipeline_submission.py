"""Submit pipelines: the pipeline's run, a run for each of its steps, and the first of them in line."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.contrib.auth.models import User
from django.db import IntegrityError, transaction

from runs import limits
from runs.actions import checks, insertion, script_run_config, snapshots
from runs.actions.insertion import HungOn
from runs.actions.script_run_config import ScriptRunConfig
from runs.errors import Conflict, InvalidInput, RunsError
from runs.models import (
    ComputeTarget,
    Experiment,
    PipelineRun,
    Property,
    Run,
    RunType,
    Snapshot,
    StepRun,
    Tag,
)
from runs.pipelines import definition as definitions
from runs.pipelines import expansion, graph, schedule, values
from runs.pipelines.definition import BadPipeline, Definition, Problem
from runs.pipelines.expansion import Planned
from runs.status import RunStatus
from runs.wording import say

_LOCAL = "local"


class NoPipeline(Conflict):
    """This is no run of a pipeline."""

    code = "no_pipeline"


class NotEnded(Conflict):
    """This pipeline run has not ended yet: it can be resumed after that."""

    code = "not_ended"


def submit(
    *,
    experiment: Experiment,
    definition: Definition,
    by: User,
    at: datetime,
    parameters: Mapping[str, Any] | None = None,
    default_compute_target: str = "",
    display_name: str = "",
    description: str = "",
    tags: Mapping[str, Any] | None = None,
    properties: Mapping[str, Any] | None = None,
    continue_on_step_failure: bool | None = None,
    regenerate_outputs: bool = False,
    idempotency_key: str = "",
    actor: str = "",
    parent: Run | None = None,
    resumed_from: Run | None = None,
    resubmitted_from: Run | None = None,
) -> Run:
    """Make a pipeline's run with a run for each step, and put the first steps in line.

    With `resumed_from`, the steps that had completed there end at once with the same
    results. With an `idempotency_key`, the same request again returns the same run.
    Raises BadPipeline with the problems of all steps, or InvalidInput naming the field.
    """
    assigned = expansion.assign(definition, parameters or {})
    planned = list(expansion.plan(definition, assigned))
    checks.count(len(planned), field="steps", limit=limits.PIPELINE_STEPS)
    insertion.check_idempotency_key(idempotency_key)
    digest = insertion.digest(
        *(definition.to_document(), assigned, experiment.pk, parent, default_compute_target, display_name, description),
        *(tags or {}, properties or {}, continue_on_step_failure, regenerate_outputs, resumed_from),
    )
    if earlier := insertion.same_request(experiment, by, idempotency_key, digest):
        return earlier
    shown = {name: values.as_text(value)[: limits.PARAM_VALUE_LENGTH] for name, value in assigned.items()}
    hung_on = HungOn.of(tags or {}, properties or {}, shown)
    run = Run(
        run_id=insertion.new_run_id(experiment, at),
        run_type=RunType.PIPELINE,
        status=RunStatus.RUNNING,
        started_at=at,
        resubmitted_from=resubmitted_from,
        display_name=checks.text(
            display_name or definition.name, field="display_name", limit=limits.DISPLAY_NAME_LENGTH
        ).strip(),
        description=checks.text(
            description or definition.description, field="description", limit=limits.DESCRIPTION_LENGTH
        ),
        idempotency_key=idempotency_key,
        request_digest=digest,
    )
    pipeline = PipelineRun(
        run=run,
        definition=definition.to_document(),
        parameters=assigned,
        default_compute_target=default_compute_target,
        continue_on_step_failure=(
            definition.continue_on_step_failure if continue_on_step_failure is None else continue_on_step_failure
        ),
        regenerate_outputs=regenerate_outputs,
        resumed_from=resumed_from,
    )
    steps = _step_runs(pipeline, definition, planned, experiment, at)
    if resumed_from is not None:
        _take_over(resumed_from, steps)
    try:
        with transaction.atomic():
            _insert(pipeline, steps, hung_on, experiment=experiment, parent=parent, by=by, at=at, actor=actor)
    except IntegrityError:
        # The loser of two requests at once finds the winner's run.
        if earlier := insertion.same_request(experiment, by, idempotency_key, digest):
            return earlier
        raise
    schedule.advance(run_pk=run.pk, at=at)
    run.refresh_from_db(fields=["status", "status_at", "reason", "ended_at", "duration_seconds"])
    return run


def resume(*, run: Run, by: User, at: datetime, idempotency_key: str = "", actor: str = "") -> Run:
    """Run a pipeline again from where it stopped: what had completed is not run again, as a new run.

    Raises NoPipeline, or NotEnded for one that is active.
    """
    check_is_pipeline(run)
    if not run.is_terminal:
        raise NotEnded
    return _again(run, by=by, at=at, idempotency_key=idempotency_key, actor=actor, resumed_from=run)


def resubmit(*, run: Run, by: User, at: datetime, idempotency_key: str = "", actor: str = "") -> Run:
    """Run a pipeline again with the same parameters, tags and properties, as a new run. Raises NoPipeline."""
    return _again(run, by=by, at=at, idempotency_key=idempotency_key, actor=actor)


def check_is_pipeline(run: Run) -> Run:
    """Return `run` if it is a pipeline's. Raises NoPipeline."""
    if not PipelineRun.objects.filter(run=run).exists():
        raise NoPipeline(say("{run_id} is no run of a pipeline.", run_id=run.run_id), field="run_id")
    return run


def _again(run: Run, **how: Any) -> Run:
    pipeline = PipelineRun.objects.get(run=check_is_pipeline(run))
    return submit(
        experiment=run.experiment,
        definition=definitions.from_document(pipeline.definition),
        parameters=pipeline.parameters,
        default_compute_target=pipeline.default_compute_target,
        display_name=run.display_name,
        description=run.description,
        tags=dict(Tag.objects.filter(run=run).values_list("key", "value")),
        properties=dict(Property.objects.filter(run=run).values_list("key", "value")),
        continue_on_step_failure=pipeline.continue_on_step_failure,
        regenerate_outputs=pipeline.regenerate_outputs,
        resubmitted_from=run,
        **how,
    )


def _insert(
    pipeline: PipelineRun,
    steps: list[tuple[StepRun, HungOn]],
    hung_on: HungOn,
    *,
    experiment: Experiment,
    parent: Run | None,
    by: User,
    at: datetime,
    actor: str,
) -> None:
    who: dict[str, Any] = {"experiment": experiment, "by": by, "at": at, "actor": actor}
    insertion.insert([pipeline.run], [hung_on], parent=parent, **who)
    pipeline.run_id = pipeline.run.pk
    pipeline.save(force_insert=True)
    insertion.insert([step.run for step, _ in steps], [on for _, on in steps], parent=pipeline.run, **who)
    for step, _ in steps:
        step.run_id, step.pipeline_run_id = step.run.pk, pipeline.run_id
    StepRun.objects.bulk_create([step for step, _ in steps])
    # Its latest run is the pipeline's, not that of its last step.
    Experiment.objects.filter(pk=experiment.pk).update(latest_run=pipeline.run)
    experiment.latest_run = pipeline.run


def _step_runs(
    pipeline: PipelineRun, definition: Definition, planned: list[Planned], experiment: Experiment, at: datetime
) -> list[tuple[StepRun, HungOn]]:
    """Return the step runs to insert, with what hangs on them. Raises BadPipeline."""
    found = _Found(experiment)
    default = pipeline.default_compute_target or definition.default_compute_target or _LOCAL
    fanned_out = {step.name for step in definition.steps if step.for_each}
    made, problems = [], []
    for each in planned:
        try:
            made.append(_step_run(each, found, default, fanned_out, experiment, at))
        except RunsError as error:
            problem = Problem(each.step.name, None, error.field, error.message)
            if problem not in problems:
                problems.append(problem)
    if problems:
        raise BadPipeline(problems)
    return made


class _Found:
    """Rows that steps name, each looked up once."""

    def __init__(self, experiment: Experiment) -> None:
        self._experiment = experiment
        self._targets: dict[str, ComputeTarget] = {}
        self._snapshots: dict[str, tuple[Snapshot, set[str]]] = {}

    def target(self, name: str) -> ComputeTarget:
        if name not in self._targets:
            self._targets[name] = insertion.enabled_target(name)
        return self._targets[name]

    def snapshot(self, digest: str) -> tuple[Snapshot, set[str]]:
        if digest not in self._snapshots:
            snapshot = Snapshot.objects.filter(workspace_id=self._experiment.workspace_id, digest=digest).first()
            if snapshot is None:
                raise InvalidInput(
                    say("There is no snapshot {digest!r} in this workspace.", digest=digest), field="snapshot"
                )
            self._snapshots[digest] = (snapshot, snapshots.paths(snapshot))
        return self._snapshots[digest]


def _step_run(
    planned: Planned, found: _Found, default: str, fanned_out: set[str], experiment: Experiment, at: datetime
) -> tuple[StepRun, HungOn]:
    step = planned.step
    if step.source:
        raise InvalidInput(
            say("The folder {source!r} was not uploaded: expected a snapshot.", source=step.source), field="source"
        )
    target = found.target(step.compute_target or default)
    snapshot, members = found.snapshot(step.snapshot) if step.snapshot else (None, None)
    config = ScriptRunConfig(
        script=step.script,
        command=planned.command,
        arguments=planned.arguments,
        environment_variables=planned.environment_variables,
        requirements=step.requirements,
        interpreter_path=step.interpreter_path,
        compute_target=target.name,
        display_name=planned.title[: limits.DISPLAY_NAME_LENGTH],
        params=planned.params,
        max_run_duration_seconds=step.max_run_duration_seconds,
        max_retries=step.retries,
        # Whoever lets it be tried again after a failure lets it be tried again after a lost worker.
        retries_lost_workers=step.retries > 0,
    )
    script_run_config.check(config, members=members)
    run = Run(
        run_id=insertion.new_run_id(experiment, at),
        run_type=RunType.STEP,
        status=RunStatus.NOT_STARTED,
        compute_target=target,
        snapshot=snapshot,
        script=config.script,
        command=list(config.command),
        arguments=list(config.arguments),
        environment_variables=dict(config.environment_variables),
        requirements=insertion.stored_requirements(config),
        interpreter_path=config.interpreter_path,
        display_name=config.display_name,
        max_run_duration_seconds=config.max_run_duration_seconds,
        max_retries=config.max_retries,
        retries_lost_workers=config.retries_lost_workers,
    )
    step_run = StepRun(
        run=run,
        name=step.name,
        index=planned.index,
        item=planned.item,
        parents=list(step.parents),
        inputs={name: [each.step, each.output, each.step in fanned_out] for name, each in step.inputs.items()},
        outputs=list(step.outputs),
        continues_on_failure=step.continue_on_failure,
        code_digest=planned.code_digest(snapshot.digest if snapshot else ""),
    )
    return step_run, HungOn.of({}, {}, config.params)


def _take_over(resumed_from: Run, steps: list[tuple[StepRun, HungOn]]) -> None:
    """Let the steps that had completed in `resumed_from`, and all before them too, end with the same results."""
    completed = {
        (name, index): reused_from or pk
        for name, index, pk, reused_from in StepRun.objects.filter(
            pipeline_run_id=resumed_from.pk, run__status=RunStatus.COMPLETED
        ).values_list("name", "index", "run_id", "reused_from_id")
    }
    by_name: dict[str, list[StepRun]] = {}
    for step, _ in steps:
        by_name.setdefault(step.name, []).append(step)
    again: set[str] = set()
    for name in graph.ordered({name: some[0].parents for name, some in by_name.items()}):
        for step in by_name[name]:
            if again.isdisjoint(step.parents):
                step.reused_from_id = completed.get((name, step.index))
        if any(step.reused_from_id is None for step in by_name[name]):
            again.add(name)
