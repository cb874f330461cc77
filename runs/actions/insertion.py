"""What every way to make runs shares: their ids, their rows with all that hangs on them, requests made twice."""

import dataclasses
import hashlib
import json
import re
import uuid
from collections.abc import Mapping
from datetime import datetime
from operator import attrgetter
from typing import Any

from django.contrib.auth.models import User
from django.db import DEFAULT_DB_ALIAS, connection
from django.db.models import F

from runs import lifecycle, limits, rows, statements
from runs.actions import checks
from runs.actions.script_run_config import ScriptRunConfig
from runs.errors import Conflict, InvalidInput
from runs.models import ComputeTarget, Experiment, KeyKind, Param, Property, Run, Tag
from runs.prepared import AnyOf, Prepared, PreparedUpdate
from runs.search import index, keys
from runs.status import RunStatus
from runs.wording import say

_RUN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,255}")
_IDEMPOTENCY_KEY = re.compile(r"[\x21-\x7e]{1,128}")

_latest_number = Prepared(
    lambda experiment: (
        # The key is left alone: all that is logged in the experiment refers to it, and would wait at its commit.
        Experiment.objects.select_for_update(no_key=True)
        .filter(pk=experiment)
        .values_list("latest_run_number", flat=True)
    )
)
_RUN_COLUMNS = tuple(str(field.column) for field in Run._meta.concrete_fields if not field.primary_key)
_keys_of = Prepared(lambda run_ids: Run.with_trash.filter(AnyOf(F("run_id"), run_ids)).values_list("run_id", "pk"))
_note_latest = PreparedUpdate(
    lambda experiment, number, run, at: (
        Experiment.objects.filter(pk=experiment),
        {"latest_run_number": number, "latest_run": run, "latest_submitted_at": at, "archived_at": None},
    )
)


class RunIdTaken(Conflict):
    """There is a run with this id already."""

    code = "run_id_taken"


class IdempotencyConflict(Conflict):
    """This idempotency key was used for another request."""

    code = "idempotency_conflict"


class ParentIsCanceled(Conflict):
    """A run that is canceled, or about to be, gets no more children."""

    code = "parent_is_canceled"


@dataclasses.dataclass(frozen=True)
class HungOn:
    """What hangs on a new run, checked."""

    tags: dict[str, str | None]
    properties: dict[str, str]
    params: dict[str, str]

    @classmethod
    def of(cls, tags: Mapping[str, Any], properties: Mapping[str, Any], params: Mapping[str, Any]) -> "HungOn":
        """Return what is checked of these. Raises InvalidInput."""
        return cls(checks.tags(tags), checks.properties(properties), checks.params(params))


@statements.together()
def insert(
    runs: list[Run],
    hung_on: list[HungOn],
    *,
    experiment: Experiment,
    parent: Run | None,
    by: User,
    at: datetime,
    actor: str,
    is_history: bool = False,
) -> None:
    """Insert `runs` with their numbers, first events, counts and what hangs on them. Inside a transaction.

    `is_history` is for what happened elsewhere, before: such runs say when they were made,
    and they may have ended, or got children before they were canceled.
    """
    if not runs:
        return
    if parent is not None:
        # Held, so that a cancel of the parent either sees these children or stops them here.
        parent = Run.objects.select_for_update(of=("self",)).select_related("root").get(pk=parent.pk)
        _check_parent(parent, experiment, count=len(runs), may_be_canceled=is_history)
    # The row of the experiment hands out the numbers; SQLite has one writer at a time anyway.
    number = _latest_number.first(experiment.pk)
    if number is None:
        raise Experiment.DoesNotExist
    for run in runs:
        number += 1
        run.number = number
        run.workspace_id = experiment.workspace_id
        run.experiment = experiment
        run.submitted_by = by
        run.parent = parent
        run.root = (parent.root or parent) if parent else None
        if not is_history:
            run.created_at = run.status_at = at
    _insert_rows(runs)
    keys.keep(
        experiment.workspace_id,
        {
            KeyKind.TAG: {key for on in hung_on for key in on.tags},
            KeyKind.PROPERTY: {key for on in hung_on for key in on.properties},
            KeyKind.PARAM: {name for on in hung_on for name in on.params},
        },
    )
    latest = runs[-1]
    record = lifecycle.record_history if is_history else lifecycle.record_new
    record(runs, by=by, actor=actor)
    _hang(runs, hung_on)
    index.store([(run.pk, _text(run, on)) for run, on in zip(runs, hung_on, strict=True)])
    _note_latest(experiment.pk, number, latest.pk, at)
    experiment.latest_run_number, experiment.latest_run = number, latest
    experiment.latest_submitted_at, experiment.archived_at = at, None


def _insert_rows(runs: list[Run]) -> None:
    """Insert the rows of `runs` and give them their keys. Of so many columns the ORM would write a new statement."""
    # Nulls go without saying: with all columns psycopg would read the statement anew each time (from 50 values on).
    columns = [name for name in _RUN_COLUMNS if any(getattr(run, name) is not None for run in runs)]
    values = map(attrgetter(*columns), runs)
    if connection.vendor == "sqlite":
        rows.insert(Run, columns, values)
        made = _keys_of([run.run_id for run in runs])
    else:
        made = rows.insert(Run, columns, values, returning=("run_id", "id"))
    by_run_id = dict(made)
    for run in runs:
        run.pk = by_run_id[run.run_id]
        run._state.adding, run._state.db = False, DEFAULT_DB_ALIAS


def _hang(runs: list[Run], hung_on: list[HungOn]) -> None:
    """Insert the tags, properties and params of `runs`, which belong to one experiment."""
    heads = [((run.pk, run.experiment_id), on) for run, on in zip(runs, hung_on, strict=True)]
    rows.insert(
        Tag,
        ("run_id", "experiment_id", "key", "value"),
        [(*head, key, value) for head, on in heads for key, value in on.tags.items()],
    )
    rows.insert(
        Property,
        ("run_id", "experiment_id", "key", "value"),
        [(*head, key, value) for head, on in heads for key, value in on.properties.items()],
    )
    rows.insert(
        Param,
        ("run_id", "experiment_id", "name", "value", "number"),
        [(*head, name, value, checks.finite(value)) for head, on in heads for name, value in on.params.items()],
    )


def _text(run: Run, on: HungOn) -> str:
    return index.text_of(
        display_name=run.display_name,
        run_id=run.run_id,
        experiment=run.experiment.name,
        submitter=run.submitted_by.username,
        tags=on.tags.items(),
        description=run.description,
    )


def _check_parent(parent: Run, experiment: Experiment, *, count: int, may_be_canceled: bool) -> None:
    if parent.workspace_id != experiment.workspace_id:
        raise InvalidInput(say("The parent run is in another workspace."), field="parent_run_id")
    if not may_be_canceled and parent.status in (RunStatus.CANCEL_REQUESTED, RunStatus.CANCELED):
        raise ParentIsCanceled(field="parent_run_id")
    depth, above = 1, parent.parent_id
    while above is not None:
        depth += 1
        above = Run.objects.values_list("parent_id", flat=True).get(pk=above)
    if depth >= limits.TREE_DEPTH:
        raise InvalidInput(say("Runs nest at most {most} deep.", most=limits.TREE_DEPTH), field="parent_run_id")
    # A script that submits itself without end is stopped here; the index makes it cheap.
    if Run.objects.filter(root_id=parent.root_id or parent.pk).order_by()[limits.RUNS_PER_TREE - count :].exists():
        raise InvalidInput(
            say("A run has at most {most:,} below it.", most=limits.RUNS_PER_TREE),
            field="parent_run_id",
        )


def enabled_target(name: str) -> ComputeTarget:
    """Return the compute target `name`, which takes runs. Raises InvalidInput."""
    checks.text(name, field="compute_target", limit=limits.COMPUTE_TARGET_NAME_LENGTH)
    target = ComputeTarget.objects.filter(name=name).first()
    if target is None:
        names = ", ".join(ComputeTarget.objects.enabled().order_by("name").values_list("name", flat=True)[:10])
        raise InvalidInput(
            say("There is no compute target {name!r}; there is {names}.", name=name, names=names or say("none")),
            field="compute_target",
        )
    if not target.is_enabled:
        raise InvalidInput(say("The compute target {name!r} is disabled.", name=name), field="compute_target")
    return target


def check_run_id(run_id: str) -> str:
    """Return `run_id` if it may be one. Raises InvalidInput."""
    if not _RUN_ID.fullmatch(run_id) or ".." in run_id:
        raise InvalidInput(
            say(
                "{run_id!r} is no run id: expected up to {most} letters, digits, `_`, `.` "
                "and `-`, beginning with a letter or digit.",
                run_id=run_id[:100],
                most=limits.RUN_ID_LENGTH,
            ),
            field="run_id",
        )
    return run_id


def new_run_id(experiment: Experiment, at: datetime) -> str:
    """Return an id in the form of Azure ML's: the experiment, the second, and a random word."""
    # A name may hold what an id may not.
    name = re.sub(r"[^A-Za-z0-9_-]+", "-", experiment.name).lstrip("-_")[:200] or "run"
    return f"{name}_{int(at.timestamp())}_{uuid.uuid4().hex[:8]}"


def stored_requirements(config: ScriptRunConfig) -> str | list[str] | None:
    """Return the requirements of `config` as a row holds them."""
    held = config.requirements
    return held if held is None or isinstance(held, str) else list(held)


def check_idempotency_key(key: str) -> None:
    """Raise InvalidInput for a key that no header can carry."""
    if key and not _IDEMPOTENCY_KEY.fullmatch(key):
        raise InvalidInput(
            say("Expected an idempotency key of 1 to 128 visible ASCII characters."), field="idempotency_key"
        )


def digest(*request: Any) -> str:
    """Return a digest of what was asked for."""
    return hashlib.sha256(json.dumps(request, sort_keys=True, default=str).encode("utf-8", "replace")).hexdigest()


def same_request(experiment: Experiment, by: User, key: str, digest: str) -> Run | None:
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


def refuse_taken(run_ids: list[str]) -> None:
    """Raise RunIdTaken if one of these ids is taken, or stands here twice."""
    taken = Run.objects.filter(run_id__in=run_ids).values_list("run_id", flat=True).first()
    if taken is not None:
        raise RunIdTaken(say("There is a run {taken!r} already.", taken=taken), field="run_id")
    if len(set(run_ids)) < len(run_ids):
        raise RunIdTaken(say("Two of the runs have the same id."), field="run_id")
