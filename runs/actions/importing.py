"""Runs that were tracked elsewhere: put here as they were, with their ids and their times."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby
from operator import attrgetter
from typing import Any

from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.db.models import Sum

from runs import limits
from runs.actions import checks, insertion
from runs.errors import InvalidInput
from runs.models import (
    Artifact,
    DatasetUse,
    Experiment,
    LoggedModel,
    Metric,
    Param,
    Run,
    RunType,
    Tag,
)
from runs.status import TERMINAL, RunStatus
from runs.wording import say

_STATUSES = frozenset({RunStatus.RUNNING, *TERMINAL})


@dataclass(frozen=True)
class Tracked:
    """A run as it was tracked elsewhere."""

    run_id: str
    status: RunStatus
    started_at: datetime
    ended_at: datetime | None = None
    parent_run_id: str = ""
    display_name: str = ""
    description: str = ""
    tags: dict[str, Any] = field(default_factory=dict)
    properties: dict[str, Any] = field(default_factory=dict)
    params: dict[str, Any] = field(default_factory=dict)


def import_runs(*, experiment: Experiment, runs: Sequence[Tracked], by: User, at: datetime, actor: str) -> list[Run]:
    """Insert those of `runs` that are not there, all or none; return these. Sent again, it changes nothing.

    A parent must be there already, or be one of `runs` that has none itself. Raises
    InvalidInput naming the field, and RunIdTaken for an id in another workspace or in the trash.
    """
    checks.count(len(runs), field="runs", limit=limits.IMPORTED_RUNS)
    known = Run.with_trash.filter(run_id__in=[run.run_id for run in runs])
    held = set()
    for run_id, workspace_id, trashed_at in known.values_list("run_id", "workspace_id", "trashed_at"):
        if workspace_id != experiment.workspace_id or trashed_at is not None:
            raise insertion.RunIdTaken(
                say("There is a run {run_id!r} already, in another workspace or in the trash.", run_id=run_id),
                field="run_id",
            )
        held.add(run_id)
    fresh = sorted((run for run in runs if run.run_id not in held), key=attrgetter("parent_run_id"))
    made: list[Run] = []
    try:
        with transaction.atomic():
            before = Experiment.objects.select_for_update(no_key=True).get(pk=experiment.pk)
            for parent_id, group in groupby(fresh, key=attrgetter("parent_run_id")):
                made += _insert(
                    experiment, list(group), parent=_parent(experiment, parent_id), by=by, at=at, actor=actor
                )
            if made:
                _keep_latest(experiment, before, made)
    except IntegrityError:
        insertion.refuse_taken([run.run_id for run in fresh])
        raise
    return made


def count(runs: Iterable[Run]) -> dict[str, int]:
    """Return how much there is of `runs`, counted anew: what an import compares with what it read."""
    pks = [run.pk for run in runs]
    metrics = Metric.objects.filter(run__in=pks)
    artifacts = Artifact.objects.filter(run__in=pks)
    return {
        "runs": len(pks),
        "params": Param.objects.filter(run__in=pks).count(),
        "tags": Tag.objects.filter(run__in=pks).count(),
        "metrics": metrics.filter(point_count__gt=0).count(),
        "points": metrics.aggregate(total=Sum("point_count"))["total"] or 0,
        "datasets": DatasetUse.objects.filter(run__in=pks).count(),
        "models": LoggedModel.objects.present().filter(run__in=pks).count(),
        "files": artifacts.count(),
        "bytes": artifacts.aggregate(total=Sum("size_bytes"))["total"] or 0,
    }


def _insert(
    experiment: Experiment, tracked: list[Tracked], *, parent: Run | None, by: User, at: datetime, actor: str
) -> list[Run]:
    """Insert the runs of one parent."""
    runs = [_run(each) for each in tracked]
    hung_on = [insertion.HungOn.of(each.tags, each.properties, each.params) for each in tracked]
    insertion.insert(runs, hung_on, experiment=experiment, parent=parent, by=by, at=at, actor=actor, is_history=True)
    return runs


def _run(tracked: Tracked) -> Run:
    if tracked.status not in _STATUSES:
        raise InvalidInput(
            say(
                "status is {status}; expected one of {names}.",
                status=tracked.status,
                names=", ".join(sorted(_STATUSES)),
            ),
            field="status",
        )
    ended_at = None if tracked.status is RunStatus.RUNNING else tracked.ended_at or tracked.started_at
    return Run(
        run_id=insertion.check_run_id(tracked.run_id),
        run_type=RunType.INTERACTIVE,
        status=tracked.status,
        status_at=ended_at or tracked.started_at,
        created_at=tracked.started_at,
        started_at=tracked.started_at,
        ended_at=ended_at,
        duration_seconds=(ended_at - tracked.started_at).total_seconds() if ended_at else None,
        display_name=checks.text(tracked.display_name, field="display_name", limit=limits.DISPLAY_NAME_LENGTH).strip(),
        description=checks.text(tracked.description, field="description", limit=limits.DESCRIPTION_LENGTH),
    )


def _parent(experiment: Experiment, run_id: str) -> Run | None:
    if not run_id:
        return None
    parent = Run.objects.filter(run_id=run_id, workspace_id=experiment.workspace_id).first()
    if parent is None:
        raise InvalidInput(
            say("There is no run {run_id!r} to be the parent.", run_id=run_id[:100]), field="parent_run_id"
        )
    return parent


def _keep_latest(experiment: Experiment, before: Experiment, made: list[Run]) -> None:
    """Let the experiment's latest run be the one that began last, not the one that was imported last."""
    newest = max(made, key=lambda run: (run.created_at, run.number))
    latest_run, latest_at = newest, newest.created_at
    if before.latest_run is not None and before.latest_submitted_at > newest.created_at:
        latest_run, latest_at = before.latest_run, before.latest_submitted_at
    Experiment.objects.filter(pk=experiment.pk).update(latest_run=latest_run, latest_submitted_at=latest_at)
    experiment.latest_run, experiment.latest_submitted_at = latest_run, latest_at
