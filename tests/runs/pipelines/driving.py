"""Pipelines in tests: submitted from a few words, and steps that end without a worker."""

from datetime import datetime
from typing import Any

from django.contrib.auth.models import User

from runs import lifecycle
from runs.actions import pipeline_submission
from runs.models import Experiment, Run, StepRun
from runs.pipelines import definition
from runs.status import RunStatus
from tests.factories import NOON

WAY = (RunStatus.PREPARING, RunStatus.STARTING, RunStatus.RUNNING, RunStatus.FINALIZING, RunStatus.COMPLETED)


def submit(
    experiment: Experiment, by: User, steps: dict[str, Any], *, at: datetime = NOON, top: Any = None, **fields: Any
) -> Run:
    """Submit a pipeline of commands: each step's fields, or just the names of the steps before it."""
    described = {
        name: {
            "command": ["true"],
            "params": {"step": name},
            **(each if isinstance(each, dict) else {"depends_on": each}),
        }
        for name, each in steps.items()
    }
    read = definition.from_document({"name": "p", "steps": described, **(top or {})})
    return pipeline_submission.submit(experiment=experiment, definition=read, by=by, at=at, **fields)


def step(run: Run, name: str, index: int = 0) -> Run:
    """The run of a step, as it is now."""
    return StepRun.objects.select_related("run").get(pipeline_run_id=run.pk, name=name, index=index).run


def end(run: Run, to: RunStatus = RunStatus.COMPLETED, *, at: datetime = NOON) -> Run:
    """Bring a queued step to its end as a worker would."""
    for status in WAY:
        fields = {"attempt_number": run.attempt_number + 1} if status is RunStatus.PREPARING else {}
        lifecycle.move(run, to if status is RunStatus.COMPLETED else status, at=at, **fields)
    return run


def statuses(run: Run) -> dict[str, str]:
    """The statuses of the steps, by name; of a fan-out by `name[index]`."""
    rows = (
        StepRun.objects.filter(pipeline_run_id=run.pk)
        .order_by("run_id")
        .values_list("name", "index", "item", "run__status")
    )
    return {name if item is None else f"{name}[{index}]": status for name, index, item, status in rows}
