"""One function per model: rows with believable defaults, each of which a test may set."""

import itertools
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

from django.contrib.auth.models import User

from runs import lifecycle
from runs.models import (
    Attempt,
    ComputeTarget,
    DraftRun,
    Experiment,
    Membership,
    PipelineDraft,
    PipelineRun,
    PublishedPipeline,
    Role,
    Run,
    RunType,
    Schedule,
    Snapshot,
    StatusCount,
    StepRun,
    Worker,
    Workspace,
)
from runs.status import TERMINAL, RunStatus

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)

_numbers = itertools.count(1)


def user(name: str = "", **fields: Any) -> User:
    """A user who can sign in with the password `secret`."""
    return User.objects.create_user(name or f"user{next(_numbers)}", password="secret", **fields)


def workspace(name: str = "", *, at: datetime = NOON, **fields: Any) -> Workspace:
    """A workspace without members."""
    return Workspace.objects.create(name=name or f"workspace{next(_numbers)}", created_at=at, **fields)


def member(workspace: Workspace, user: User, role: Role = Role.CONTRIBUTOR) -> Membership:
    """A membership of `user`."""
    return Membership.objects.create(workspace=workspace, user=user, role=role)


def compute_target(name: str = "", *, slots: int = 2, at: datetime = NOON, **fields: Any) -> ComputeTarget:
    """An enabled compute target."""
    return ComputeTarget.objects.create(name=name or f"target{next(_numbers)}", slots=slots, created_at=at, **fields)


def worker(*, at: datetime = NOON, **fields: Any) -> Worker:
    """A worker that beat at `at`."""
    defaults: dict[str, Any] = {"host": "host1", "boot_id": "boot1", "pid": 4242, "targets": ["local"]}
    return Worker.objects.create(started_at=at, heartbeat_at=at, **{**defaults, **fields})


def experiment(workspace: Workspace, name: str = "", *, at: datetime = NOON, **fields: Any) -> Experiment:
    """An experiment with its row of counts per status."""
    created = Experiment.objects.create(
        workspace=workspace, name=name or f"experiment{next(_numbers)}", created_at=at, latest_submitted_at=at, **fields
    )
    StatusCount.objects.bulk_create(
        StatusCount(experiment=created, is_child=is_child, status=status)
        for is_child in (False, True)
        for status in RunStatus
    )
    return created


def run(
    experiment: Experiment,
    *,
    by: User,
    status: RunStatus = RunStatus.QUEUED,
    parent: Run | None = None,
    at: datetime = NOON,
    **fields: Any,
) -> Run:
    """A run that is already in `status`, with its first event and its count. Skips the lifecycle on purpose."""
    experiment.latest_run_number += 1
    values: dict[str, Any] = {
        "run_id": f"{experiment.name}_{int(at.timestamp())}_{uuid.uuid4().hex[:8]}",
        "run_type": RunType.SCRIPT,
        "script": "train.py",
        "status_at": at,
        "created_at": at,
        "queued_at": at,
        "ended_at": at if status in TERMINAL else None,
        **fields,
    }
    created = Run.objects.create(
        workspace=experiment.workspace,
        experiment=experiment,
        number=experiment.latest_run_number,
        submitted_by=by,
        status=status,
        parent=parent,
        root=(parent.root or parent) if parent else None,
        **values,
    )
    lifecycle.record_new([created], by=by, actor="factory")
    experiment.latest_run, experiment.latest_submitted_at = created, at
    experiment.save(update_fields=["latest_run", "latest_run_number", "latest_submitted_at"])
    return created


def snapshot(workspace: Workspace, digest: str = "", *, at: datetime = NOON, **fields: Any) -> Snapshot:
    """The row of a snapshot whose bytes are not there."""
    defaults: dict[str, Any] = {"size_bytes": 100, "file_count": 1}
    digest = digest or uuid.uuid4().hex * 2
    return Snapshot.objects.create(workspace=workspace, digest=digest, created_at=at, **{**defaults, **fields})


def attempt(run: Run, *, at: datetime = NOON, **fields: Any) -> Attempt:
    """A live attempt at `run`, its latest one."""
    defaults: dict[str, Any] = {
        "number": run.attempt_number or 1,
        "compute_target": run.compute_target,
        "host": "host1",
        "boot_id": "boot1",
        "cookie": "cookie",
        "claimed_at": at,
        "lease_until": at + timedelta(seconds=15),
    }
    return Attempt.objects.create(run=run, **{**defaults, **fields})


def published_pipeline(
    workspace: Workspace, *, by: User, name: str = "nightly", at: datetime = NOON, **fields: Any
) -> PublishedPipeline:
    """The first version of a published pipeline with one step, whose snapshot is not there."""
    defaults: dict[str, Any] = {
        "version": 1,
        "definition": {"name": name, "steps": {"hello": {"command": ["echo", "hello"]}}},
    }
    return PublishedPipeline.objects.create(
        workspace=workspace, name=name, published_by=by, published_at=at, **{**defaults, **fields}
    )


def schedule(pipeline: PublishedPipeline, *, by: User, at: datetime = NOON, **fields: Any) -> Schedule:
    """A schedule that is due every hour, the first time at `at`."""
    defaults: dict[str, Any] = {
        "name": "hourly",
        "experiment_name": "explore-runs",
        "cron": "0 * * * *",
        "starts_at": at,
        "next_at": at,
    }
    return Schedule.objects.create(
        workspace=pipeline.workspace, pipeline=pipeline, created_by=by, created_at=at, **{**defaults, **fields}
    )


def pipeline_draft(workspace: Workspace, *, by: User, at: datetime = NOON, **fields: Any) -> PipelineDraft:
    """A draft with two steps, of which the second reads what the first one leaves."""
    name = fields.pop("name", "penguins")
    steps = {
        "prepare": {"command": ["python", "prepare.py"], "outputs": ["table"]},
        "train": {
            "command": ["python", "train.py"],
            "inputs": {"table": "${{ steps.prepare.outputs.table }}"},
            "outputs": ["model"],
        },
    }
    defaults: dict[str, Any] = {"document": {"name": name, "steps": steps}}
    return PipelineDraft.objects.create(
        workspace=workspace,
        name=name,
        created_by=by,
        updated_by=by,
        created_at=at,
        updated_at=at,
        **{**defaults, **fields},
    )


def draft_run(run: Run, *, draft: PipelineDraft | None = None, **fields: Any) -> DraftRun:
    """What `run` remembers of its draft."""
    return DraftRun.objects.create(run=run, draft=draft, **fields)


def pipeline_run(run: Run, **fields: Any) -> PipelineRun:
    """What makes `run` the run of a pipeline with one step, `a`."""
    defaults: dict[str, Any] = {
        "definition": {"name": "p", "steps": {"a": {"command": ["true"]}}},
        "parameters": {},
    }
    return PipelineRun.objects.create(run=run, **{**defaults, **fields})


def step_run(run: Run, pipeline: PipelineRun, name: str = "a", **fields: Any) -> StepRun:
    """What makes `run` a step of `pipeline`."""
    return StepRun.objects.create(run=run, pipeline_run=pipeline, name=name, **fields)
