"""Celery's way in. Every task is short, nothing waits inside one, and losing one loses no run."""

from celery import shared_task

from runs.actions import scheduling
from runs.execution import claim, host, reaper, waiting
from runs.pipelines import schedule


@shared_task(name="runs.execute_next")
def execute_next(*, compute_target_id: int, **_: object) -> None:
    """Claim the next runs of one compute target, while a slot is free, and start their supervisors."""
    claim.start_next(compute_target_id=compute_target_id)


@shared_task(name="runs.sweep")
def sweep(**_: object) -> None:
    """Hint again for runs that wait although a slot is free: their hint was lost."""
    waiting.hint_again(at=host.now())


@shared_task(name="runs.advance_pipelines")
def advance_pipelines(**_: object) -> None:
    """Go on with pipelines where whoever ended a step died before it did."""
    schedule.advance_active(at=host.now())


@shared_task(name="runs.reap")
def reap(**_: object) -> None:
    """Settle attempts and clients that went silent."""
    reaper.reap(holder=host.holder(), at=host.now())


@shared_task(name="runs.run_schedules")
def run_schedules(**_: object) -> None:
    """Submit what schedules are due for. Two beats at once make no run twice."""
    scheduling.run_due(at=host.now())
