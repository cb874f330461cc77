"""Ask runs to stop, with all that descends from them."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction

from runs import lifecycle, limits
from runs.actions import checks
from runs.errors import Conflict, InvalidInput
from runs.models import Run, RunType
from runs.pipelines import schedule
from runs.status import TERMINAL, RunStatus
from runs.wording import say

# So many parents are asked for their children in one query: databases limit its length.
_PARENTS_PER_QUERY = 500
_LONGEST_GRACE_SECONDS = 24 * 3600


class AlreadyEnded(Conflict):
    """This run has already ended."""

    code = "already_ended"

    def __init__(self, run: Run) -> None:
        super().__init__(
            say("{run_id} has already ended: it is {status}.", run_id=run.run_id, status=run.status), field="status"
        )


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
    time, if one is given. Raises InvalidInput, and AlreadyEnded for a run that is terminal.
    """
    if grace_seconds is not None and not 0 <= grace_seconds <= _LONGEST_GRACE_SECONDS:
        raise InvalidInput(
            say(
                "grace_seconds is {grace_seconds}; expected 0 to {most}.",
                grace_seconds=grace_seconds,
                most=_LONGEST_GRACE_SECONDS,
            ),
            field="grace_seconds",
        )
    reason = checks.text(reason, field="reason", limit=limits.REASON_LENGTH) or (
        f"Canceled by {by.get_username()}." if by else "Canceled."
    )
    if run.run_type == RunType.INTERACTIVE and run.parent_id is None:
        reason += " No worker runs it: its own process is not stopped by this."
    with transaction.atomic():
        descendants = _hold_tree(run)
        if run.status in TERMINAL:
            raise AlreadyEnded(run)
        wish: dict[str, Any] = {"by": by, "at": at, "grace_seconds": grace_seconds, "actor": actor}
        _stop(run, reason=reason, **wish)
        _stop_below(run, descendants, **wish)
        _end_pipelines([run, *descendants], at)
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


def move_to_stop(run: Run, *, by: User | None, at: datetime, reason: str, actor: str, **fields: Any) -> None:
    """Move a run to CancelRequested: whoever executes it sees that, and stops it."""
    lifecycle.move(
        run,
        RunStatus.CANCEL_REQUESTED,
        at=at,
        reason=reason,
        by=by,
        actor=actor,
        cancel_requested_at=at,
        cancel_requested_by=by,
        **fields,
    )


def _hold_tree(run: Run) -> list[Run]:
    """Hold the row of `run`, read its status anew, and return its live descendants, held as well.

    All rows are held before the first is moved: a supervisor that settles its run holds
    that row and then the counts, and would wait for us while we wait for it. Parents come
    first, since whoever makes a child holds its parent (see submission).
    """
    held = Run.objects.select_for_update().get(pk=run.pk)
    for name in ("status", "status_at", "reason", "ended_at", "started_at", "attempt_number"):
        setattr(run, name, getattr(held, name))
    live, level = [], [run.pk]
    while level:
        children = [
            child
            for start in range(0, len(level), _PARENTS_PER_QUERY)
            for child in Run.objects.select_for_update()
            .filter(parent__in=level[start : start + _PARENTS_PER_QUERY])
            .only("run_id", "run_type", "status", "experiment_id", "parent_id", "started_at", "attempt_number")
            .order_by("id")
        ]
        live += [child for child in children if child.status not in TERMINAL]
        level = [child.pk for child in children]
    return live


def _end_pipelines(runs: list[Run], at: datetime) -> None:
    """End the pipelines of which nothing is left, those within others first; the rest end with their last process.

    A step that is canceled alone has consequences for its pipeline too.
    """
    first = runs[0]
    above = [first.parent_id] if first.run_type == RunType.STEP and first.parent_id else []
    for pk in reversed([*above, *(run.pk for run in runs if run.run_type == RunType.PIPELINE)]):
        schedule.advance(run_pk=pk, at=at)
    if first.run_type == RunType.PIPELINE:
        first.refresh_from_db(fields=["status", "status_at", "reason", "ended_at", "duration_seconds"])


def _stop_below(run: Run, descendants: list[Run], **wish: Any) -> None:
    """Ask all that descends from `run` to stop; thousands that nobody has claimed cost no more than a few."""
    reason = f"Its parent {run.run_id} was canceled."
    for child in descendants:
        if not _is_nobodys(child):
            _stop(child, reason=reason, **wish)
    who: dict[str, Any] = {"at": wish["at"], "reason": reason, "by": wish["by"], "actor": wish["actor"]}
    asked = lifecycle.move_many(
        [child for child in descendants if _is_nobodys(child)],
        RunStatus.CANCEL_REQUESTED,
        cancel_requested_at=wish["at"],
        cancel_requested_by=wish["by"],
        cancel_grace_seconds=wish["grace_seconds"],
        **who,
    )
    lifecycle.move_many(asked, RunStatus.CANCELED, **who)


def _is_nobodys(run: Run) -> bool:
    """Return whether no process of ours is to obey: nobody has claimed the run, or its own client drives it."""
    is_driven = run.run_type == RunType.INTERACTIVE and run.status != RunStatus.CANCEL_REQUESTED
    return run.is_unclaimed or is_driven


def _stop(run: Run, *, by: User | None, at: datetime, reason: str, grace_seconds: float | None, actor: str) -> None:
    if run.status == RunStatus.CANCEL_REQUESTED:
        if grace_seconds is not None:
            Run.objects.filter(pk=run.pk).update(cancel_grace_seconds=grace_seconds)
            run.cancel_grace_seconds = grace_seconds
        return
    is_nobodys = _is_nobodys(run)
    move_to_stop(run, by=by, at=at, reason=reason, actor=actor, cancel_grace_seconds=grace_seconds)
    if is_nobodys:
        lifecycle.move(run, RunStatus.CANCELED, at=at, reason=reason, by=by, actor=actor)
