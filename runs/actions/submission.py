"""Make runs: submitted scripts, runs that a client drives itself, and children of both."""

import dataclasses
import functools
import uuid
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from django.contrib.auth.models import User
from django.db import IntegrityError, transaction

from runs import dispatch, lifecycle, limits
from runs.actions import (
    checks,
    git_patches,
    insertion,
    pipeline_submission,
    resubmission,
    script_run_config,
    snapshots,
    unmet,
)
from runs.actions.insertion import IdempotencyConflict as IdempotencyConflict
from runs.actions.insertion import ParentIsCanceled as ParentIsCanceled
from runs.actions.insertion import RunIdTaken as RunIdTaken
from runs.actions.script_run_config import ScriptRunConfig
from runs.errors import Conflict, InvalidInput
from runs.models import Attempt, ComputeTarget, Experiment, Run, RunType, Snapshot
from runs.status import RunStatus
from runs.wording import say

_CHILD_FIELDS = {"run_id", "display_name", "description", "tags", "properties"}


class DrivenByItsClient(Conflict):
    """An interactive run is driven by its own client: there is nothing to submit again."""

    code = "driven_by_its_client"


def submit_script(
    *,
    experiment: Experiment,
    config: ScriptRunConfig,
    snapshot: Snapshot | None,
    by: User,
    at: datetime,
    parent: Run | None = None,
    run_id: str = "",
    resubmitted_from: Run | None = None,
    idempotency_key: str = "",
    actor: str = "",
    git_patch: bytes = b"",
) -> Run:
    """Put a script run in line at its compute target, and tell the target's workers once it is committed.

    `git_patch` is what was changed in the snapshot since the commit that the properties name.
    With an `idempotency_key`, the same request again returns the same run. Raises
    InvalidInput naming the field, RunIdTaken, IdempotencyConflict or ParentIsCanceled.
    """
    target = insertion.enabled_target(config.compute_target)
    unmet.check(target, config.properties)
    script_run_config.check(config, members=snapshots.paths(snapshot) if snapshot else None)
    hung_on = insertion.HungOn.of(config.tags, config.properties, config.params)
    digest = insertion.digest(
        dataclasses.asdict(config), experiment.pk, snapshot.digest if snapshot else "", parent, run_id
    )
    insertion.check_idempotency_key(idempotency_key)
    run = Run(
        run_id=insertion.check_run_id(run_id) if run_id else insertion.new_run_id(experiment, at),
        run_type=RunType.SCRIPT,
        status=RunStatus.NOT_STARTED,
        resubmitted_from=resubmitted_from,
        compute_target=target,
        snapshot=snapshot,
        script=config.script,
        command=list(config.command),
        arguments=list(config.arguments),
        environment_variables=dict(config.environment_variables),
        requirements=insertion.stored_requirements(config),
        interpreter_path=config.interpreter_path,
        display_name=config.display_name.strip(),
        description=config.description,
        max_run_duration_seconds=config.max_run_duration_seconds,
        memory_bytes=config.memory_bytes,
        process_count=config.process_count,
        cpu_seconds=config.cpu_seconds,
        file_bytes=config.file_bytes,
        priority=config.priority,
        not_before=config.not_before,
        max_retries=config.max_retries,
        retries_lost_workers=config.retries_lost_workers,
        idempotency_key=idempotency_key,
        request_digest=digest,
    )
    earlier = insertion.same_request(experiment, by, idempotency_key, digest)
    if earlier:
        return earlier
    try:
        with transaction.atomic():
            insertion.insert([run], [hung_on], experiment=experiment, parent=parent, by=by, at=at, actor=actor)
            if git_patch:
                git_patches.keep(run=run, data=git_patch)
            lifecycle.move(run, RunStatus.QUEUED, at=at, by=by, actor=actor)
            transaction.on_commit(functools.partial(_hint, target, at))
    except IntegrityError:
        # The loser of two requests at once finds the winner's run.
        earlier = insertion.same_request(experiment, by, idempotency_key, digest)
        if earlier:
            return earlier
        insertion.refuse_taken([run.run_id])
        raise
    return run


def _hint(target: ComputeTarget, at: datetime) -> None:
    """Tell the target's workers, unless every slot is held: whoever frees the next one tells them then."""
    if Attempt.objects.holding(at=at).filter(compute_target=target).count() < target.slots:
        dispatch.hint(compute_target_id=target.pk, compute_target_name=target.name)


def resubmit(*, run: Run, by: User, at: datetime, idempotency_key: str = "", actor: str = "") -> Run:
    """Put the same code with the same configuration, tags, properties and params in line again, as a new run.

    It is nobody's child. Raises DrivenByItsClient for a run that has nothing to execute, and SnapshotGone.
    """
    if run.run_type == RunType.PIPELINE:
        return pipeline_submission.resubmit(run=run, by=by, at=at, idempotency_key=idempotency_key, actor=actor)
    if run.run_type not in (RunType.SCRIPT, RunType.STEP) or run.compute_target is None:
        raise DrivenByItsClient
    return submit_script(
        experiment=run.experiment,
        config=resubmission.config_of(run),
        snapshot=run.snapshot,
        by=by,
        at=at,
        resubmitted_from=run,
        idempotency_key=idempotency_key,
        actor=actor,
        git_patch=git_patches.of(run),
    )


def start_interactive(
    *,
    experiment: Experiment,
    by: User,
    at: datetime,
    parent: Run | None = None,
    run_id: str = "",
    display_name: str = "",
    description: str = "",
    tags: Mapping[str, Any] | None = None,
    properties: Mapping[str, Any] | None = None,
    snapshot: Snapshot | None = None,
    idempotency_key: str = "",
    actor: str = "",
    started_at: datetime | None = None,
) -> Run:
    """Start a run that its own client drives: it is Running until that client completes or fails it.

    With an `idempotency_key`, the same request again returns the same run. `started_at`
    is when it began, if that is not `at`.
    """
    described = {
        "run_id": run_id,
        "display_name": display_name,
        "description": description,
        "tags": tags or {},
        "properties": properties or {},
    }
    [run] = _start(
        experiment,
        [described],
        parent=parent,
        by=by,
        at=at,
        actor=actor,
        snapshot=snapshot,
        idempotency_key=idempotency_key,
        started_at=started_at,
    )
    return run


def create_children(
    *,
    parent: Run,
    by: User,
    at: datetime,
    children: Iterable[Mapping[str, Any]],
    idempotency_key: str = "",
    actor: str = "",
) -> list[Run]:
    """Start many interactive children of `parent` at once, and return them in order.

    Each is described by a mapping with any of run_id, display_name, description, tags,
    properties. With an `idempotency_key`, the same request again returns the same children.
    """
    described = list(children)
    checks.count(len(described), field="children", limit=limits.CHILDREN_PER_REQUEST)
    return _start(
        parent.experiment,
        described,
        parent=parent,
        by=by,
        at=at,
        actor=actor,
        snapshot=None,
        idempotency_key=idempotency_key,
    )


def _start(
    experiment: Experiment,
    described: list[Mapping[str, Any]],
    *,
    parent: Run | None,
    by: User,
    at: datetime,
    actor: str,
    snapshot: Snapshot | None,
    idempotency_key: str,
    started_at: datetime | None = None,
) -> list[Run]:
    insertion.check_idempotency_key(idempotency_key)
    digest = insertion.digest(described, experiment.pk, snapshot.digest if snapshot else "", parent)
    if earlier := _same_start(experiment, by, idempotency_key, digest, len(described)):
        return earlier
    runs, hung_on = [], []
    for child in described:
        if unknown := set(child) - _CHILD_FIELDS:
            raise InvalidInput(
                say("A child has the unknown field {unknown!r}.", unknown=min(unknown)), field="children"
            )
        display_name = checks.text(
            child.get("display_name", ""), field="display_name", limit=limits.DISPLAY_NAME_LENGTH
        )
        runs.append(
            Run(
                run_id=insertion.check_run_id(child["run_id"]) if child.get("run_id") else str(uuid.uuid4()),
                run_type=RunType.INTERACTIVE,
                status=RunStatus.RUNNING,
                started_at=started_at or at,
                snapshot=snapshot,
                display_name=display_name.strip(),
                description=checks.text(
                    child.get("description", ""), field="description", limit=limits.DESCRIPTION_LENGTH
                ),
            )
        )
        hung_on.append(insertion.HungOn.of(child.get("tags") or {}, child.get("properties") or {}, {}))
    if runs:  # the key stands with the first of them, the others follow it by number
        runs[0].idempotency_key, runs[0].request_digest = idempotency_key, digest
    try:
        with transaction.atomic():
            insertion.insert(runs, hung_on, experiment=experiment, parent=parent, by=by, at=at, actor=actor)
    except IntegrityError:
        # The loser of two requests at once finds the winner's runs.
        if earlier := _same_start(experiment, by, idempotency_key, digest, len(described)):
            return earlier
        insertion.refuse_taken([run.run_id for run in runs])
        raise
    return runs


def _same_start(experiment: Experiment, by: User, key: str, digest: str, count: int) -> list[Run]:
    """Return the runs that an earlier request with this key started: they got their numbers in a row."""
    first = insertion.same_request(experiment, by, key, digest)
    if first is None:
        return []
    started = Run.objects.filter(experiment_id=first.experiment_id, number__gte=first.number)
    return list(started.filter(number__lt=first.number + count).order_by("number"))
