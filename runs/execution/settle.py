"""The end of an attempt, written to the rows: by its supervisor, from the spool, or by the reaper."""

import logging
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction

from runs import dispatch, lifecycle, limits
from runs.execution.outcome import Outcome, Retry
from runs.models import Attempt, Run, RunType
from runs.outage import NO_DATABASE
from runs.pipelines import schedule
from runs.status import CLAIMED, TERMINAL, RunStatus

logger = logging.getLogger(__name__)

# However often a run may be retried by its own wish: a worker that it brings down is not fed to it for ever.
LOST_RETRIES = 3
_NEVER_STARTED_RETRIES = 10
_LONGEST_BACK_OFF_SECONDS = 3600.0
# What lies between a status and the end of a run whose script has started.
_UP = (RunStatus.STARTING, RunStatus.RUNNING, RunStatus.FINALIZING)
_WAY_UP = {RunStatus.PREPARING: _UP, **{status: _UP[place + 1 :] for place, status in enumerate(_UP)}}
_WAY_UP[RunStatus.NOT_RESPONDING] = _WAY_UP[RunStatus.RUNNING]


def settle(
    attempt: Attempt,
    outcome: Outcome,
    *,
    at: datetime,
    actor: str,
    if_silent: bool = False,
    bytes_due_until: datetime | None = None,
) -> bool:
    """End `attempt` and move its run as `outcome` says, in one transaction.

    Returns False, and writes nothing, if the attempt has ended already: whoever comes
    second has no say. With `if_silent`, nor if it was adopted or its lease renewed since
    `attempt` was read. A run that was asked to stop is never retried. Until `bytes_due_until`
    the attempt's last bytes are still taken.
    """
    held = {"pid": attempt.pid, "lease_until": attempt.lease_until} if if_silent else {}
    with transaction.atomic():
        if not _end(attempt, outcome, at, held, bytes_due_until):
            return False
        run = Run.objects.select_for_update(of=("self",)).get(pk=attempt.run_id)
        if run.attempt_number == attempt.number and run.status in CLAIMED:
            _move(run, attempt, outcome, at, actor)
    # Before the hint, so that one hint serves what comes after a step as well.
    if run.run_type == RunType.STEP and run.parent_id is not None and run.status in TERMINAL:
        _advance(run.parent_id, at)
    dispatch.hint(
        compute_target_id=attempt.compute_target_id,
        compute_target_name=attempt.compute_target.name,
    )
    return True


def _advance(pipeline_run_pk: int, at: datetime) -> None:
    """Start what comes after a step. Whoever is kept from it leaves it to the sweep."""
    try:
        schedule.advance(run_pk=pipeline_run_pk, at=at)
    except NO_DATABASE as error:
        logger.warning("The pipeline run %s is not advanced yet: %s", pipeline_run_pk, error)


def _end(
    attempt: Attempt, outcome: Outcome, at: datetime, held: dict[str, Any], bytes_due_until: datetime | None
) -> int:
    return Attempt.objects.live().filter(pk=attempt.pk, **held).update(
        started_at=outcome.script_started_at,
        ended_at=at,
        bytes_due_until=bytes_due_until,
        reason=outcome.reason[: limits.REASON_LENGTH],
        exit_code=outcome.exit_code,
        exit_signal=outcome.exit_signal,
        stop_signal=outcome.stop_signal,
        stop_seconds=outcome.stop_seconds,
    )  # fmt: skip


def _move(run: Run, attempt: Attempt, outcome: Outcome, at: datetime, actor: str) -> None:
    how: dict[str, Any] = {"at": at, "actor": actor, "attempt": attempt.number}
    fields: dict[str, Any] = {
        "error": outcome.error[: limits.ERROR_LENGTH],
        "exit_code": outcome.exit_code,
        "exit_signal": outcome.exit_signal,
    }
    if run.error and not run.fails_when_stopped:  # what the script itself reported comes first
        fields["error"] = "\n\n".join(filter(None, [run.error, outcome.error]))[: limits.ERROR_LENGTH]
    if outcome.script_started_at and run.started_at is None:
        fields["started_at"] = outcome.script_started_at
    if outcome.retry is not Retry.LOST and (outcome.script_started_at or outcome.status is RunStatus.COMPLETED):
        how["by_way_of"] = on_the_way(run)
    retry_at = _retry_at(run, attempt, outcome, at)
    if retry_at is not None:
        reason = f"Attempt {attempt.number}: {outcome.reason} Tried again."
        lifecycle.move(run, RunStatus.QUEUED, reason=reason, not_before=retry_at, **how, **fields)
        return
    status = outcome.status
    if run.status == RunStatus.CANCEL_REQUESTED and outcome.retry in (Retry.LOST, Retry.NEVER_STARTED):
        status = RunStatus.CANCELED
    if status is RunStatus.CANCELED and run.status != RunStatus.CANCEL_REQUESTED:
        lifecycle.move(run, RunStatus.CANCEL_REQUESTED, reason=outcome.reason, cancel_requested_at=at, **how)
        how["by_way_of"] = ()
    reason = outcome.reason or (run.reason if status is RunStatus.CANCELED else "")
    if status is RunStatus.CANCELED and run.fails_when_stopped:
        status = RunStatus.FAILED  # somebody said that it failed, with the error that stays
        del fields["error"]
    lifecycle.move(run, status, reason=reason, **how, **fields)


def on_the_way(run: Run) -> tuple[RunStatus, ...]:
    """Return what a run whose script has ended passes before its end: the script may be faster than the rows."""
    return _WAY_UP.get(RunStatus(run.status), ())


def _retry_at(run: Run, attempt: Attempt, outcome: Outcome, at: datetime) -> datetime | None:
    """Return when the run may be tried again, or None if this was its end."""
    allowed = {
        Retry.NO: 0,
        Retry.FAILURE: run.max_retries,
        Retry.LOST: max(run.max_retries, LOST_RETRIES) if run.retries_lost_workers else 0,
        Retry.NEVER_STARTED: _NEVER_STARTED_RETRIES,
    }[outcome.retry]
    if not allowed or run.status == RunStatus.CANCEL_REQUESTED or _tries(attempt, outcome) > allowed:
        return None
    if outcome.retry is Retry.NEVER_STARTED:
        return at
    seconds = settings.STUDIO_RETRY_SECONDS * 2 ** min(attempt.number - 1, 30)
    return at + timedelta(seconds=min(seconds, _LONGEST_BACK_OFF_SECONDS))


def _tries(attempt: Attempt, outcome: Outcome) -> int:
    """Return how often the run was tried, in the sense of why it may be tried again."""
    if outcome.retry is Retry.NEVER_STARTED:
        return attempt.number
    # An earlier attempt that nobody supervised ran nothing, and costs no retry.
    return attempt.number - attempt.run.attempts.filter(number__lt=attempt.number, pid__isnull=True).count()
