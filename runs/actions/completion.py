"""How runs that a client drives come to their end, and how a script says that it failed."""

from datetime import datetime

from django.contrib.auth.models import User
from django.db import transaction

from runs import lifecycle, limits
from runs.actions import cancellation
from runs.errors import Conflict
from runs.models import Run, RunType
from runs.status import ACTIVE, TERMINAL, UNCLAIMED, RunStatus


class DrivenByItsSteps(Conflict):
    """A pipeline's run ends with its steps: they decide how. To stop it, cancel it."""

    code = "driven_by_its_steps"


class DrivenByAWorker(Conflict):
    """A worker runs this script: its exit code decides how the run ends."""

    code = "driven_by_a_worker"


def complete(*, run: Run, at: datetime, by: User | None, actor: str = "") -> Run:
    """Complete an interactive run. Completing it again changes nothing.

    Raises DrivenByAWorker for a script run, DrivenByItsSteps for a pipeline's, AlreadyEnded
    for one that failed or was canceled.
    """
    if run.run_type == RunType.PIPELINE:
        raise DrivenByItsSteps
    if run.run_type != RunType.INTERACTIVE:
        raise DrivenByAWorker
    with transaction.atomic():
        _hold(run)
        if run.status == RunStatus.COMPLETED:
            return run
        if run.status in TERMINAL:
            raise cancellation.AlreadyEnded(run)
        lifecycle.move(run, RunStatus.COMPLETED, at=at, by=by, actor=actor)
    return run


def fail(*, run: Run, at: datetime, by: User | None, error: str = "", actor: str = "") -> Run:
    """Fail a run, with what went wrong. Failing it again changes nothing.

    An interactive or unclaimed run is Failed at once. One that a worker executes is
    asked to stop like a canceled one, and its supervisor ends it as Failed
    (`fails_when_stopped`). Raises AlreadyEnded for one that completed or was canceled, and
    DrivenByItsSteps for a pipeline's.
    """
    if run.run_type == RunType.PIPELINE:
        raise DrivenByItsSteps
    error = _storable(error)
    reason = f"Failed by {by.get_username()}." if by else "Failed."
    with transaction.atomic():
        _hold(run)
        if run.status == RunStatus.FAILED:
            return run
        if run.status in TERMINAL:
            raise cancellation.AlreadyEnded(run)
        if run.run_type == RunType.INTERACTIVE or run.status in UNCLAIMED:
            lifecycle.move(run, RunStatus.FAILED, at=at, reason=reason, by=by, actor=actor, error=error)
            return run
        if run.status == RunStatus.CANCEL_REQUESTED:
            return run  # its stop was asked for already, and that stays the outcome
        cancellation.move_to_stop(run, by=by, at=at, reason=reason, actor=actor, fails_when_stopped=True, error=error)
    return run


def report_error(*, run: Run, error: str) -> Run:
    """Note what a running script says went wrong. Its status stays: the exit code decides it.

    The latest report counts. Raises AlreadyEnded for a run that is terminal.
    """
    error = _storable(error)
    if not Run.objects.filter(pk=run.pk, status__in=ACTIVE, fails_when_stopped=False).update(error=error):
        run.refresh_from_db(fields=["status", "error"])
        if run.status in TERMINAL:
            raise cancellation.AlreadyEnded(run)
        return run  # somebody failed it meanwhile, with an error that stays
    run.error = error
    return run


def heartbeat(*, run: Run, at: datetime) -> Run:
    """Note that the run's client is alive; one that was NotResponding is Running again."""
    Run.objects.filter(pk=run.pk).update(heartbeat_at=at)
    run.heartbeat_at = at
    if run.run_type == RunType.INTERACTIVE and run.status == RunStatus.NOT_RESPONDING:
        with transaction.atomic():
            _hold(run)
            if run.status == RunStatus.NOT_RESPONDING:
                lifecycle.move(run, RunStatus.RUNNING, at=at, reason="Its client is back.")
    return run


def _storable(error: str) -> str:
    return error.replace("\x00", "\ufffd").encode("utf-8", "replace").decode()[-limits.ERROR_LENGTH :]


def _hold(run: Run) -> None:
    """Lock the run's row for this transaction and read its status anew."""
    held = Run.objects.select_for_update().only("status", "attempt_number").get(pk=run.pk)
    run.status, run.attempt_number = held.status, held.attempt_number
