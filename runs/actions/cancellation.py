"""Ask runs to stop, with all that descends from them."""

from collections.abc import Iterable
from datetime import datetime

from django.contrib.auth.models import User
from django.db import transaction

from runs import lifecycle
from runs.errors import Conflict, InvalidInput
from runs.models import Run, RunType
from runs.status import TERMINAL, RunStatus

# So many parents are asked for their children in one query: databases limit its length.
_PARENTS_PER_QUERY = 500
_LONGEST_GRACE_SECONDS = 24 * 3600


class AlreadyEnded(Conflict):
    """This run has already ended."""

    code = "already_ended"

    def __init__(self, run: Run) -> None:
        super().__init__(f"{run.run_id} has already ended: it is {run.status}.", field="status")


def request_cancel(
    *,
    run: Run,
    by: User | None,
    at: datetime,
    reason: str = "",
    grace_seconds: float | None = None,
    actor: str = "",
) -> Run:
    """Ask `run` and its live descendants to stop.

    A run that no worker has claimed, or that its own client drives, is Canceled at once
    (that client must stop by itself); a claimed one is CancelRequested until its
    supervisor has stopped every process of it. Asked again, nothing changes but the grace
    time, if one is given. Raises AlreadyEnded for a run that is terminal.
    """
    if grace_seconds is not None and not 0 <= grace_seconds <= _LONGEST_GRACE_SECONDS:
        raise InvalidInput(
            f"grace_seconds is {grace_seconds}; expected 0 to {_LONGEST_GRACE_SECONDS}.", field="grace_seconds"
        )
    reason = reason or (f"Canceled by {by.get_username()}." if by else "Canceled.")
    with transaction.atomic():
        _stop(run, by=by, at=at, reason=reason, grace_seconds=grace_seconds, actor=actor)
        # Level by level, parents first: who makes a child holds its parent's row, see submission.
        level = [run.pk]
        while level:
            children = _children(level)
            for child in children:
                if child.status not in TERMINAL:
                    _stop_descendant(
                        child,
                        by=by,
                        at=at,
                        reason=f"Its parent {run.run_id} was canceled.",
                        grace_seconds=grace_seconds,
                        actor=actor,
                    )
            level = [child.pk for child in children]
    return run


def request_cancel_many(
    *,
    runs: Iterable[Run],
    by: User | None,
    at: datetime,
    reason: str = "",
    grace_seconds: float | None = None,
    actor: str = "",
) -> list[Run]:
    """Ask each of `runs` to stop; return those that were asked, which leaves out the ones that had ended."""
    asked = []
    for run in runs:
        try:
            request_cancel(run=run, by=by, at=at, reason=reason, grace_seconds=grace_seconds, actor=actor)
        except AlreadyEnded:
            continue
        asked.append(run)
    return asked


def _stop(run: Run, *, by: User | None, at: datetime, reason: str, grace_seconds: float | None, actor: str) -> None:
    # Held, so that nobody moves it between this look and the move: no LostRace to repeat.
    held = Run.objects.select_for_update().only("status", "attempt_number").get(pk=run.pk)
    run.status, run.attempt_number = held.status, held.attempt_number
    if run.status in TERMINAL:
        run.refresh_from_db(fields=["status", "status_at", "reason", "ended_at"])
        raise AlreadyEnded(run)
    if run.status == RunStatus.CANCEL_REQUESTED:
        if grace_seconds is not None:
            Run.objects.filter(pk=run.pk).update(cancel_grace_seconds=grace_seconds)
            run.cancel_grace_seconds = grace_seconds
        return
    is_nobodys = run.is_unclaimed or run.run_type == RunType.INTERACTIVE
    lifecycle.move(
        run,
        RunStatus.CANCEL_REQUESTED,
        at=at,
        reason=reason,
        by=by,
        actor=actor,
        cancel_requested_at=at,
        cancel_requested_by=by,
        cancel_grace_seconds=grace_seconds,
    )
    if is_nobodys:
        lifecycle.move(run, RunStatus.CANCELED, at=at, reason=reason, by=by, actor=actor)


def _stop_descendant(child: Run, **wish) -> None:
    try:
        _stop(child, **wish)
    except AlreadyEnded:
        return  # it ended between the two looks


def _children(parents: list[int]) -> list[Run]:
    return [
        child
        for start in range(0, len(parents), _PARENTS_PER_QUERY)
        for child in Run.objects.filter(parent__in=parents[start : start + _PARENTS_PER_QUERY])
        .only("run_id", "run_type", "status", "experiment_id", "parent_id", "started_at", "attempt_number")
        .order_by("id")
    ]
