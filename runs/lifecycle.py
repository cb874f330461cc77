"""The only writer of `Run.status`: every change is a compare-and-set, an event and a count."""

from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import F

from runs import limits
from runs.errors import Conflict
from runs.models import Run, RunEvent, StatusCount
from runs.status import TERMINAL, TRANSITIONS, RunStatus


class IllegalTransition(Conflict):
    """A run in this status cannot be moved there."""

    code = "illegal_transition"

    def __init__(self, run: Run, to: RunStatus) -> None:
        super().__init__(f"{run.run_id} is {run.status} and cannot become {to}.", field="status")


class LostRace(Conflict):
    """Another process moved this run first."""

    code = "lost_race"

    def __init__(self, run: Run, to: RunStatus) -> None:
        super().__init__(f"{run.run_id} was moved by another process before it could become {to}.", field="status")


def move(
    run: Run,
    to: RunStatus,
    *,
    at: datetime,
    reason: str = "",
    by: User | None = None,
    actor: str = "",
    attempt: int | None = None,
    **fields: Any,
) -> None:
    """Move `run` from the status it was read with to `to`, and leave a RunEvent, or raise.

    `reason` says why, in a sentence for the user; `by` is the person who wanted it and
    `actor` the part of the system that writes it. `attempt` fences: the move is lost
    unless that attempt is still the run's latest. `fields` are other columns to set in
    the same update.

    `queued_at`, `started_at` (the first time), `ended_at` and `duration_seconds` are kept here. Raises
    IllegalTransition if the table forbids the move, and LostRace if another process
    moved the row first; nothing is written then.
    """
    origin = RunStatus(run.status)
    if to not in TRANSITIONS[origin]:
        raise IllegalTransition(run, to)
    changes: dict[str, Any] = {"status": to, "status_at": at, "reason": reason[: limits.REASON_LENGTH], **fields}
    if to is RunStatus.QUEUED:
        changes.setdefault("queued_at", at)
    if to is RunStatus.RUNNING and run.started_at is None:
        changes.setdefault("started_at", at)
    if to in TERMINAL:
        changes.setdefault("ended_at", at)
        started_at = changes.get("started_at", run.started_at)
        changes["duration_seconds"] = started_at and (changes["ended_at"] - started_at).total_seconds()
    held = {"pk": run.pk, "status": origin}
    if attempt is not None:
        held["attempt_number"] = attempt
    with transaction.atomic():
        if not Run.objects.filter(**held).update(**changes):
            raise LostRace(run, to)
        RunEvent.objects.create(
            run=run,
            from_status=origin,
            to_status=to,
            at=at,
            by=by,
            actor=actor,
            attempt_number=changes.get("attempt_number", run.attempt_number),
            reason=changes["reason"],
        )
        _count(run, {origin: -1, to: 1})
    for name, value in changes.items():
        setattr(run, name, value)


def record_new(runs: Iterable[Run], *, by: User | None, actor: str = "") -> None:
    """Leave the first event of runs that were just inserted, and count them.

    Part of the inserting transaction. All of them belong to one experiment.
    """
    runs = list(runs)
    RunEvent.objects.bulk_create(
        RunEvent(run=run, to_status=run.status, at=run.created_at, by=by, actor=actor, reason=run.reason)
        for run in runs
    )
    for is_child in (False, True):
        group = [run for run in runs if (run.parent_id is not None) is is_child]
        if group:
            _count(group[0], Counter(RunStatus(run.status) for run in group))


def _count(run: Run, changes: dict[RunStatus, int]) -> None:
    """Add `changes` to the counts of the run's experiment."""
    # Always in the same order, so that two transactions cannot wait for each other.
    for status in sorted(changes):
        StatusCount.objects.filter(
            experiment_id=run.experiment_id, is_child=run.parent_id is not None, status=status
        ).update(count=F("count") + changes[status])
