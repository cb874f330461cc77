"""What a client says of the run that it drives, where the client may also change its mind."""

from datetime import datetime

from django.contrib.auth.models import User
from django.db import transaction

from runs import lifecycle
from runs.models import Run, RunType
from runs.status import TERMINAL, RunStatus


def end(*, run: Run, to: RunStatus, at: datetime, by: User | None, actor: str = "") -> Run:
    """End a run as Completed, Failed or Canceled, because its client says so. Its children stay as they are.

    Said again, nothing changes; said otherwise, the later word holds. But a run that was
    canceled stays so until its client resumes it, and one that a worker executes ends as
    its exit code says: both are passed over.
    """
    if run.run_type != RunType.INTERACTIVE:
        return run
    with transaction.atomic():
        _hold(run)
        if run.status in (to, RunStatus.CANCELED):
            return run
        if run.status in TERMINAL:
            lifecycle.reopen(run, at=at, reason="Its client ends it otherwise.", by=by, actor=actor)
        reason = "" if to is RunStatus.COMPLETED else "Its client said so."
        if to is RunStatus.CANCELED:
            lifecycle.move(run, RunStatus.CANCEL_REQUESTED, at=at, reason=reason, by=by, actor=actor)
        lifecycle.move(run, to, at=at, reason=reason, by=by, actor=actor)
    return run


def resume(*, run: Run, at: datetime, by: User | None, actor: str = "") -> Run:
    """Make a run Running again, because its client goes on with it. One that a worker executes stays as it is."""
    if run.run_type != RunType.INTERACTIVE:
        return run
    with transaction.atomic():
        _hold(run)
        if run.status in TERMINAL:
            lifecycle.reopen(run, at=at, reason="Its client resumed it.", by=by, actor=actor)
        elif run.status == RunStatus.NOT_RESPONDING:
            lifecycle.move(run, RunStatus.RUNNING, at=at, reason="Its client is back.", by=by, actor=actor)
    return run


def _hold(run: Run) -> None:
    """Lock the run's row for this transaction and read anew what a move needs."""
    held = Run.objects.select_for_update().only("status", "attempt_number", "started_at").get(pk=run.pk)
    run.status, run.attempt_number, run.started_at = held.status, held.attempt_number, held.started_at
