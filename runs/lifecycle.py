"""The only writer of `Run.status`: every change is a compare-and-set, an event and a count."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from datetime import datetime
from itertools import pairwise
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Case, F, Value, When
from django.db.models.lookups import Exact

from runs import limits, rows
from runs.errors import Conflict
from runs.models import Run, RunEvent, RunType, StatusCount
from runs.prepared import PreparedUpdate
from runs.status import TERMINAL, TRANSITIONS, RunStatus
from runs.wording import say

_RUNS_PER_QUERY = 500
_EVENT_COLUMNS = ("run_id", "from_status", "to_status", "at", "by_id", "actor", "attempt_number", "reason")
_add_to_count = PreparedUpdate(
    lambda experiment, is_child, status, change: (
        StatusCount.objects.filter(Exact(F("is_child"), is_child), experiment=experiment, status=status),
        {"count": F("count") + change},
    )
)
# How a run that its client drives comes from Running to its end.
_ENDS = {
    RunStatus.COMPLETED: (RunStatus.COMPLETED,),
    RunStatus.FAILED: (RunStatus.FAILED,),
    RunStatus.CANCELED: (RunStatus.CANCEL_REQUESTED, RunStatus.CANCELED),
}


class IllegalTransition(Conflict):
    """A run in this status cannot be moved there."""

    code = "illegal_transition"

    def __init__(self, run: Run, to: RunStatus) -> None:
        super().__init__(
            say("{run_id} is {status} and cannot become {to}.", run_id=run.run_id, status=run.status, to=to),
            field="status",
        )


class LostRace(Conflict):
    """Another process moved this run first."""

    code = "lost_race"

    def __init__(self, run: Run, to: RunStatus) -> None:
        super().__init__(
            say("{run_id} was moved by another process before it could become {to}.", run_id=run.run_id, to=to),
            field="status",
        )


def move(
    run: Run,
    to: RunStatus,
    *,
    at: datetime,
    reason: str = "",
    by: User | None = None,
    actor: str = "",
    attempt: int | None = None,
    by_way_of: Iterable[RunStatus] = (),
    **fields: Any,
) -> None:
    """Move `run` from the status it was read with to `to`, and leave a RunEvent, or raise.

    `reason` says why, in a sentence for the user; `by` is the person who wanted it and
    `actor` the part of the system that writes it. `attempt` fences: the move is lost
    unless that attempt is still the run's latest. `by_way_of` are statuses that it passed
    too fast for the rows: each leaves its event, the row changes once. `fields` are other
    columns to set in the same update.

    `queued_at`, `started_at` (the first time), `ended_at` and `duration_seconds` are kept here. Raises
    IllegalTransition if the table forbids the move, and LostRace if another process
    moved the row first; nothing is written then.
    """
    origin = RunStatus(run.status)
    moves = list(pairwise([origin, *by_way_of, to]))
    changes: dict[str, Any] = {"reason": reason[: limits.REASON_LENGTH], **fields}
    for passed, status in moves:
        if status not in TRANSITIONS[passed]:
            raise IllegalTransition(run, status)
        changes = _changes(run, status, at=at, fields=changes)
    held = {"pk": run.pk, "status": origin}
    if attempt is not None:
        held["attempt_number"] = attempt
    with transaction.atomic():
        if not Run.objects.filter(**held).update(**changes):
            raise LostRace(run, to)
        attempt_number = changes.get("attempt_number", run.attempt_number)
        rows.insert(
            RunEvent,
            _EVENT_COLUMNS,
            [
                (run.pk, passed.value, status.value, at, by and by.pk, actor, attempt_number, why)
                for passed, status in moves
                for why in [changes["reason"] if status is to else ""]
            ],
        )
        _count(run, {origin: -1, to: 1})
    for name, value in changes.items():
        setattr(run, name, value)


def move_many(
    runs: Iterable[Run],
    to: RunStatus,
    *,
    at: datetime,
    reason: str | Callable[[Run], str] = "",
    by: User | None = None,
    actor: str = "",
    **fields: Any,
) -> list[Run]:
    """Move those of `runs` that still have the status they were read with, as `move` does; return them.

    A race that is lost for one leaves the others as they are. The number of queries depends little on how many
    they are. Raises IllegalTransition, before anything is written, if the table forbids one of the moves.
    """
    alike: dict[tuple[str, datetime | None], list[Run]] = defaultdict(list)
    for run in runs:
        if to not in TRANSITIONS[RunStatus(run.status)]:
            raise IllegalTransition(run, to)
        alike[run.status, run.started_at].append(run)
    moved: list[Run] = []
    with transaction.atomic():
        for group in alike.values():
            for start in range(0, len(group), _RUNS_PER_QUERY):
                some = group[start : start + _RUNS_PER_QUERY]
                moved += _move_alike(some, to, at=at, reason=reason, by=by, actor=actor, fields=fields)
    return moved


def _move_alike(
    runs: list[Run],
    to: RunStatus,
    *,
    at: datetime,
    reason: str | Callable[[Run], str],
    by: User | None,
    actor: str,
    fields: dict[str, Any],
) -> list[Run]:
    """Move runs of one status and one start."""
    origin, by_pk = RunStatus(runs[0].status), {run.pk: run for run in runs}
    held = Run.objects.select_for_update().filter(pk__in=by_pk, status=origin).order_by("id")
    won = [by_pk[pk] for pk in held.values_list("pk", flat=True)]
    if not won:
        return []
    changes = _changes(runs[0], to, at=at, fields=fields)
    reasons = {run.pk: (reason if isinstance(reason, str) else reason(run))[: limits.REASON_LENGTH] for run in won}
    told: Any = (
        reason[: limits.REASON_LENGTH]
        if isinstance(reason, str)
        else Case(*(When(pk=pk, then=Value(reasons[pk])) for pk in reasons))
    )
    Run.objects.filter(pk__in=reasons).update(reason=told, **changes)
    RunEvent.objects.bulk_create(
        RunEvent(
            run=run,
            from_status=origin,
            to_status=to,
            at=at,
            by=by,
            actor=actor,
            attempt_number=run.attempt_number,
            reason=reasons[run.pk],
        )
        for run in won
    )
    for some in _by_count(won).values():
        _count(some[0], {origin: -len(some), to: len(some)})
    for run in won:
        for name, value in {**changes, "reason": reasons[run.pk]}.items():
            setattr(run, name, value)
    return won


def _changes(run: Run, to: RunStatus, *, at: datetime, fields: dict[str, Any]) -> dict[str, Any]:
    """Return the columns that a move sets, but for its reason."""
    changes: dict[str, Any] = {**fields, "status": to, "status_at": at}
    if to is RunStatus.QUEUED:
        changes.setdefault("queued_at", at)
    if to is RunStatus.RUNNING and run.started_at is None:
        changes.setdefault("started_at", at)
    if to in TERMINAL:
        changes.setdefault("ended_at", at)
        started_at = changes.get("started_at", run.started_at)
        changes["duration_seconds"] = started_at and (changes["ended_at"] - started_at).total_seconds()
    return changes


def _by_count(runs: Iterable[Run]) -> dict[tuple[int, bool], list[Run]]:
    """Return runs by the counts in which they are: those of an experiment's top-level runs, or of its children."""
    groups: dict[tuple[int, bool], list[Run]] = defaultdict(list)
    for run in runs:
        groups[run.experiment_id, run.parent_id is not None].append(run)
    return groups


def reopen(run: Run, *, at: datetime, reason: str = "", by: User | None = None, actor: str = "") -> None:
    """Make an ended run, which its own client drives and now goes on with, Running again; leave a RunEvent.

    Beside the table of moves: for everything that a worker executes the end is the end.
    Raises IllegalTransition for such a run and for one that has not ended, and LostRace.
    """
    origin = RunStatus(run.status)
    if origin not in TERMINAL or run.run_type != RunType.INTERACTIVE:
        raise IllegalTransition(run, RunStatus.RUNNING)
    changes: dict[str, Any] = {
        "status": RunStatus.RUNNING,
        "status_at": at,
        "reason": reason,
        "ended_at": None,
        "duration_seconds": None,
        "cancel_requested_at": None,
        "cancel_requested_by": None,
    }
    with transaction.atomic():
        if not Run.objects.filter(pk=run.pk, status=origin).update(**changes):
            raise LostRace(run, RunStatus.RUNNING)
        RunEvent.objects.create(
            run=run, from_status=origin, to_status=RunStatus.RUNNING, at=at, by=by, actor=actor, reason=reason
        )
        _count(run, {origin: -1, RunStatus.RUNNING: 1})
    for name, value in changes.items():
        setattr(run, name, value)


def record_new(runs: Iterable[Run], *, by: User | None, actor: str = "") -> None:
    """Leave the first event of runs that were just inserted, and count them.

    Part of the inserting transaction. All of them belong to one experiment.
    """
    runs = list(runs)
    by_id = by and by.pk
    events = [(run.pk, "", RunStatus(run.status).value, run.created_at, by_id, actor, 0, run.reason) for run in runs]
    rows.insert(RunEvent, _EVENT_COLUMNS, events)
    for group in _by_count(runs).values():
        _count(group[0], Counter(RunStatus(run.status) for run in group))


def record_history(runs: Iterable[Run], *, by: User | None, actor: str = "") -> None:
    """Leave the events of runs that were just inserted as they had ended elsewhere, and count them.

    As `record_new`, and with as few queries: from their creation on they were Running.
    """
    runs = list(runs)
    events = []
    for run in runs:
        origin = ""
        for status in (RunStatus.RUNNING, *_ENDS.get(RunStatus(run.status), ())):
            at = run.created_at if status is RunStatus.RUNNING else run.status_at
            events.append(RunEvent(run=run, from_status=origin, to_status=status, at=at, by=by, actor=actor))
            origin = status.value
    RunEvent.objects.bulk_create(events)
    for group in _by_count(runs).values():
        _count(group[0], Counter(RunStatus(run.status) for run in group))


def count_shown(runs: Iterable[Run], *, are_shown: bool) -> None:
    """Count runs that left the trash, or no longer those that went there. Part of the transaction that moved them."""
    for group in _by_count(runs).values():
        counts = Counter(RunStatus(run.status) for run in group)
        _count(group[0], {status: count if are_shown else -count for status, count in counts.items()})


def _count(run: Run, changes: dict[RunStatus, int]) -> None:
    """Add `changes` to the counts of the run's experiment."""
    # Always in the same order, so that two transactions cannot wait for each other.
    for status in sorted(changes):
        _add_to_count(run.experiment_id, run.parent_id is not None, status.value, changes[status])
