"""Make runs: submitted scripts, runs that a client drives itself, and children of both."""

import dataclasses
import functools
import hashlib
import json
import re
import uuid
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.db.models import F

from runs import dispatch, lifecycle, limits
from runs.actions import checks, script_run_config, snapshots, unmet
from runs.actions.script_run_config import ScriptRunConfig
from runs.errors import Conflict, InvalidInput
from runs.models import ComputeTarget, Experiment, Param, Property, Run, RunType, Snapshot, Tag
from runs.search import index
from runs.status import RunStatus

_RUN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,255}")
_IDEMPOTENCY_KEY = re.compile(r"[\x21-\x7e]{1,128}")
_CHILD_FIELDS = {"run_id", "display_name", "description", "tags", "properties"}


class RunIdTaken(Conflict):
    """There is a run with this id already."""

    code = "run_id_taken"


class IdempotencyConflict(Conflict):
    """This idempotency key was used for another request."""

    code = "idempotency_conflict"


class ParentIsCanceled(Conflict):
    """A run that is canceled, or about to be, gets no more children."""

    code = "parent_is_canceled"


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
) -> Run:
    """Put a script run in line at its compute target, and tell the target's workers once it is committed.

    With an `idempotency_key`, the same request again returns the same run. Raises
    InvalidInput naming the field, RunIdTaken, IdempotencyConflict or ParentIsCanceled.
    """
    target = _target(config.compute_target)
    unmet.check(target, config.properties)
    script_run_config.check(config, members=snapshots.paths(snapshot) if snapshot else None)
    hung_on = _HungOn.of(config.tags, config.properties, config.params)
    digest = _digest(dataclasses.asdict(config), experiment.pk, snapshot.digest if snapshot else "", parent, run_id)
    _check_idempotency_key(idempotency_key)
    run = Run(
        run_id=_check_run_id(run_id) if run_id else _new_run_id(experiment, at),
        run_type=RunType.SCRIPT,
        status=RunStatus.NOT_STARTED,
        resubmitted_from=resubmitted_from,
        compute_target=target,
        snapshot=snapshot,
        script=config.script,
        command=list(config.command),
        arguments=list(config.arguments),
        environment_variables=dict(config.environment_variables),
        requirements=_stored_requirements(config),
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
    earlier = _same_request(experiment, by, idempotency_key, digest)
    if earlier:
        return earlier
    try:
        with transaction.atomic():
            _insert([run], [hung_on], experiment=experiment, parent=parent, by=by, at=at, actor=actor)
            lifecycle.move(run, RunStatus.QUEUED, at=at, by=by, actor=actor)
            transaction.on_commit(
                functools.partial(dispatch.hint, compute_target_id=target.pk, compute_target_name=target.name)
            )
    except IntegrityError:
        # The loser of two requests at once finds the winner's run.
        earlier = _same_request(experiment, by, idempotency_key, digest)
        if earlier:
            return earlier
        _refuse_taken([run.run_id])
        raise
    return run


def resubmit(*, run: Run, by: User, at: datetime, idempotency_key: str = "", actor: str = "") -> Run:
    """Put the same code with the same configuration, tags, properties and params in line again, as a new run.

    It is nobody's child. Raises DrivenByItsClient for a run that has nothing to execute.
    """
    if run.run_type not in (RunType.SCRIPT, RunType.STEP) or run.compute_target is None:
        raise DrivenByItsClient
    config = ScriptRunConfig(
        script=run.script,
        command=run.command,
        arguments=run.arguments,
        environment_variables=run.environment_variables,
        requirements=run.requirements,
        interpreter_path=run.interpreter_path,
        compute_target=run.compute_target.name,
        tags=dict(Tag.objects.filter(run=run).values_list("key", "value")),
        properties=dict(Property.objects.filter(run=run).values_list("key", "value")),
        params=dict(Param.objects.filter(run=run).values_list("name", "value")),
        display_name=run.display_name,
        description=run.description,
        max_run_duration_seconds=run.max_run_duration_seconds,
        memory_bytes=run.memory_bytes,
        process_count=run.process_count,
        cpu_seconds=run.cpu_seconds,
        file_bytes=run.file_bytes,
        priority=run.priority,
        max_retries=run.max_retries,
        retries_lost_workers=run.retries_lost_workers,
    )
    return submit_script(
        experiment=run.experiment,
        config=config,
        snapshot=run.snapshot,
        by=by,
        at=at,
        resubmitted_from=run,
        idempotency_key=idempotency_key,
        actor=actor,
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


@dataclasses.dataclass(frozen=True)
class _HungOn:
    """What hangs on a new run, checked."""

    tags: dict[str, str | None]
    properties: dict[str, str]
    params: dict[str, str]

    @classmethod
    def of(cls, tags: Mapping[str, Any], properties: Mapping[str, Any], params: Mapping[str, Any]) -> "_HungOn":
        return cls(checks.tags(tags), checks.properties(properties), checks.params(params))


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
    _check_idempotency_key(idempotency_key)
    digest = _digest(described, experiment.pk, snapshot.digest if snapshot else "", parent)
    if earlier := _same_start(experiment, by, idempotency_key, digest, len(described)):
        return earlier
    runs, hung_on = [], []
    for child in described:
        if unknown := set(child) - _CHILD_FIELDS:
            raise InvalidInput(f"A child has the unknown field {min(unknown)!r}.", field="children")
        display_name = checks.text(
            child.get("display_name", ""), field="display_name", limit=limits.DISPLAY_NAME_LENGTH
        )
        runs.append(
            Run(
                run_id=_check_run_id(child["run_id"]) if child.get("run_id") else str(uuid.uuid4()),
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
        hung_on.append(_HungOn.of(child.get("tags") or {}, child.get("properties") or {}, {}))
    if runs:  # the key stands with the first of them, the others follow it by number
        runs[0].idempotency_key, runs[0].request_digest = idempotency_key, digest
    try:
        with transaction.atomic():
            _insert(runs, hung_on, experiment=experiment, parent=parent, by=by, at=at, actor=actor)
    except IntegrityError:
        # The loser of two requests at once finds the winner's runs.
        if earlier := _same_start(experiment, by, idempotency_key, digest, len(described)):
            return earlier
        _refuse_taken([run.run_id for run in runs])
        raise
    return runs


def _insert(
    runs: list[Run],
    hung_on: list[_HungOn],
    *,
    experiment: Experiment,
    parent: Run | None,
    by: User,
    at: datetime,
    actor: str,
) -> None:
    """Insert `runs` with their numbers, first events, counts and what hangs on them. Inside a transaction."""
    if not runs:
        return
    if parent is not None:
        # Held, so that a cancel of the parent either sees these children or stops them here.
        parent = Run.objects.select_for_update(of=("self",)).select_related("root").get(pk=parent.pk)
        _check_parent(parent, experiment)
    # The row of the experiment hands out the numbers; SQLite has one writer at a time anyway.
    number = Experiment.objects.select_for_update().values_list("latest_run_number", flat=True).get(pk=experiment.pk)
    for run in runs:
        number += 1
        run.number = number
        run.workspace_id = experiment.workspace_id
        run.experiment = experiment
        run.submitted_by = by
        run.parent = parent
        run.root = (parent.root or parent) if parent else None
        run.created_at = run.status_at = at
    Run.objects.bulk_create(runs)
    lifecycle.record_new(runs, by=by, actor=actor)
    pairs = list(zip(runs, hung_on, strict=True))
    Tag.objects.bulk_create(Tag(run=run, key=key, value=value) for run, on in pairs for key, value in on.tags.items())
    Property.objects.bulk_create(
        Property(run=run, key=key, value=value) for run, on in pairs for key, value in on.properties.items()
    )
    Param.objects.bulk_create(
        Param(run=run, name=name, value=value, number=checks.finite(value))
        for run, on in pairs
        for name, value in on.params.items()
    )
    index.refresh(run_ids=[run.pk for run in runs])
    latest = runs[-1]
    Experiment.objects.filter(pk=experiment.pk).update(
        latest_run_number=F("latest_run_number") + len(runs),
        latest_run=latest,
        latest_submitted_at=at,
        archived_at=None,
    )
    experiment.latest_run_number, experiment.latest_run = number, latest
    experiment.latest_submitted_at, experiment.archived_at = at, None


def _check_parent(parent: Run, experiment: Experiment) -> None:
    if parent.workspace_id != experiment.workspace_id:
        raise InvalidInput("The parent run is in another workspace.", field="parent_run_id")
    if parent.status in (RunStatus.CANCEL_REQUESTED, RunStatus.CANCELED):
        raise ParentIsCanceled(field="parent_run_id")
    depth, above = 1, parent.parent_id
    while above is not None:
        depth += 1
        above = Run.objects.values_list("parent_id", flat=True).get(pk=above)
    if depth >= limits.TREE_DEPTH:
        raise InvalidInput(f"Runs nest at most {limits.TREE_DEPTH} deep.", field="parent_run_id")


def _target(name: str) -> ComputeTarget:
    checks.text(name, field="compute_target", limit=limits.COMPUTE_TARGET_NAME_LENGTH)
    target = ComputeTarget.objects.filter(name=name).first()
    if target is None:
        names = ", ".join(ComputeTarget.objects.enabled().order_by("name").values_list("name", flat=True)[:10])
        raise InvalidInput(f"There is no compute target {name!r}; there is {names or 'none'}.", field="compute_target")
    if not target.is_enabled:
        raise InvalidInput(f"The compute target {name!r} is disabled.", field="compute_target")
    return target


def _check_run_id(run_id: str) -> str:
    if not _RUN_ID.fullmatch(run_id) or ".." in run_id:
        raise InvalidInput(
            f"{run_id[:100]!r} is no run id: expected up to {limits.RUN_ID_LENGTH} letters, digits, `_`, `.` and `-`,"
            " beginning with a letter or digit.",
            field="run_id",
        )
    return run_id


def _new_run_id(experiment: Experiment, at: datetime) -> str:
    # A name may hold what an id may not.
    name = re.sub(r"[^A-Za-z0-9_-]+", "-", experiment.name).lstrip("-_")[:200] or "run"
    return f"{name}_{int(at.timestamp())}_{uuid.uuid4().hex[:8]}"


def _stored_requirements(config: ScriptRunConfig) -> str | list[str] | None:
    held = config.requirements
    return held if held is None or isinstance(held, str) else list(held)


def _check_idempotency_key(key: str) -> None:
    if key and not _IDEMPOTENCY_KEY.fullmatch(key):
        raise InvalidInput("Expected an idempotency key of 1 to 128 visible ASCII characters.", field="idempotency_key")


def _digest(*request: Any) -> str:
    """Return a digest of what was asked for."""
    return hashlib.sha256(json.dumps(request, sort_keys=True, default=str).encode("utf-8", "replace")).hexdigest()


def _same_request(experiment: Experiment, by: User, key: str, digest: str) -> Run | None:
    """Return the run that an earlier request with this key made. Raises IdempotencyConflict if it asked otherwise."""
    if not key:
        return None
    earlier = (
        Run.objects.select_related("experiment", "workspace", "compute_target", "submitted_by", "snapshot")
        .filter(workspace_id=experiment.workspace_id, submitted_by=by, idempotency_key=key)
        .first()
    )
    if earlier is not None and earlier.request_digest != digest:
        raise IdempotencyConflict(field="idempotency_key")
    return earlier


def _same_start(experiment: Experiment, by: User, key: str, digest: str, count: int) -> list[Run]:
    """Return the runs that an earlier request with this key started: they got their numbers in a row."""
    first = _same_request(experiment, by, key, digest)
    if first is None:
        return []
    started = Run.objects.filter(experiment_id=first.experiment_id, number__gte=first.number)
    return list(started.filter(number__lt=first.number + count).order_by("number"))


def _refuse_taken(run_ids: list[str]) -> None:
    taken = Run.objects.filter(run_id__in=run_ids).values_list("run_id", flat=True).first()
    if taken is not None:
        raise RunIdTaken(f"There is a run {taken!r} already.", field="run_id")
    if len(set(run_ids)) < len(run_ids):
        raise RunIdTaken("Two of the runs have the same id.", field="run_id")
