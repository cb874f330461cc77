"""Winning queued runs: the only way from Queued to a process."""

import logging
import time
from datetime import datetime, timedelta

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Count, Q, QuerySet

from runs import lifecycle
from runs.execution import host, launcher
from runs.models import Attempt, ComputeTarget, Run
from runs.prepared import Prepared
from runs.status import RunStatus

logger = logging.getLogger(__name__)

# Scripts may end as fast as they are started; who starts them has other duties, and comes again.
_ROUND_SECONDS = 1.0
# So many are looked at in case the first are canceled this very moment.
_CANDIDATES = 10

# Of the greatest priority that waits: first the runs for which a lent slot waits, then for each
# submitter, those with the fewest slots first, the oldest run. The recursion jumps from submitter
# to submitter in the index, so that ten thousand runs of one of them cost no more than one.
_NEXT_IN_LINE = """
    WITH RECURSIVE
    top(priority) AS (
        SELECT priority FROM runs_run
        WHERE status = 'Queued' AND compute_target_id = %(target)s AND (not_before IS NULL OR not_before <= %(at)s)
        ORDER BY priority DESC LIMIT 1
    ),
    submitters(id) AS (
        SELECT (
            SELECT MIN(submitted_by_id) FROM runs_run
            WHERE status = 'Queued' AND compute_target_id = %(target)s AND priority = (SELECT priority FROM top)
        )
        UNION ALL
        SELECT (
            SELECT MIN(submitted_by_id) FROM runs_run
            WHERE status = 'Queued' AND compute_target_id = %(target)s AND priority = (SELECT priority FROM top)
                AND submitted_by_id > submitters.id
        ) FROM submitters WHERE submitters.id IS NOT NULL
    ),
    held(submitted_by_id, slots) AS (
        SELECT runs_run.submitted_by_id, COUNT(*) FROM runs_attempt JOIN runs_run ON runs_run.id = runs_attempt.run_id
        WHERE runs_attempt.ended_at IS NULL AND runs_attempt.compute_target_id = %(target)s
            AND (runs_attempt.lent_until IS NULL OR runs_attempt.lent_until <= %(at)s)
        GROUP BY runs_run.submitted_by_id
    ),
    line(id, is_late, slots) AS (
        SELECT runs_run.id, 0, 0 FROM runs_attempt JOIN runs_run ON runs_run.id = runs_attempt.waits_for_id
        WHERE runs_attempt.ended_at IS NULL AND runs_attempt.lent_until > %(at)s
            AND runs_run.status = 'Queued' AND runs_run.compute_target_id = %(target)s
            AND runs_run.priority = (SELECT priority FROM top)
            AND (runs_run.not_before IS NULL OR runs_run.not_before <= %(at)s)
        UNION ALL
        SELECT (
            SELECT runs_run.id FROM runs_run
            WHERE status = 'Queued' AND compute_target_id = %(target)s AND priority = (SELECT priority FROM top)
                AND submitted_by_id = submitters.id AND (not_before IS NULL OR not_before <= %(at)s)
            ORDER BY runs_run.id LIMIT 1
        ), 1, COALESCE(held.slots, 0)
        FROM submitters LEFT JOIN held ON held.submitted_by_id = submitters.id
        WHERE submitters.id IS NOT NULL
    )
    SELECT id FROM line WHERE id IS NOT NULL ORDER BY is_late, slots, id LIMIT %(limit)s
"""


def waiting(compute_target_id: int, at: datetime) -> QuerySet[Run]:
    """Return the runs that wait at a compute target and whose time has come, in no order."""
    return Run.objects.filter(compute_target_id=compute_target_id, status=RunStatus.QUEUED).filter(
        Q(not_before__isnull=True) | Q(not_before__lte=at)
    )


_first_waiting = Prepared(lambda target, at: waiting(target, at).values_list("pk", flat=True)[:1])
_target = Prepared(lambda pk: ComputeTarget.objects.enabled().select_for_update(no_key=True).filter(pk=pk))
_held = Prepared(
    lambda target, at: (
        Attempt.objects.holding(at=at)
        .filter(compute_target=target)
        .values("compute_target")
        .annotate(slots=Count("pk"))
        .values_list("slots", flat=True)
    )
)
_run: Prepared[Run] = Prepared(lambda pk: Run.objects.filter(pk=pk))


def start_next(*, compute_target_id: int) -> int:
    """Win and start the next runs of a compute target while slots are free; return how many.

    Called twice, or by many at once, it starts no run twice and uses no slot twice. While the
    disk is full it starts nothing: the runs stay queued.
    """
    if host.refusal():
        return 0
    started, is_free, ends_at = 0, True, time.monotonic() + _ROUND_SECONDS
    while is_free and time.monotonic() < ends_at:
        attempt, is_free = _claim_next(compute_target_id, host.now())
        if attempt is not None:
            # If nobody supervises it after all, its lease runs out and it is queued again.
            launcher.start(attempt.pk)
            started += 1
    return started


def claim_next(*, compute_target_id: int, at: datetime) -> Attempt | None:
    """Win the next run of a compute target, or return None: no run waits, no slot is free, or it is disabled.

    The greatest priority goes first; within it what a lent slot waits for, then the
    submitter who holds the fewest slots of the target, then the oldest.
    """
    return _claim_next(compute_target_id, at)[0]


def _claim_next(compute_target_id: int, at: datetime) -> tuple[Attempt | None, bool]:
    """Return what `claim_next` does, and whether a slot is left after it for the next."""
    # A look without the write lock: most calls find nothing to do.
    if not _first_waiting(compute_target_id, at):
        return None, False
    with transaction.atomic():
        # One claim at a time for each target, or two could take the last slot. No stronger lock:
        # rows that only refer to the target are inserted meanwhile.
        target = _target.first(compute_target_id)
        free = target.slots - (_held.first(compute_target_id, at) or 0) if target else 0
        if target is None or free <= 0:
            return None, False
        for run in (run for pk in _next_in_line(compute_target_id, at) for run in _run(pk)):
            try:
                return _claim(run, target, at), free > 1
            except (lifecycle.LostRace, lifecycle.IllegalTransition):
                continue  # canceled this very moment
    return None, False


def _next_in_line(compute_target_id: int, at: datetime) -> list[int]:
    """Return the ids of the runs that are to be won next, the first one first."""
    values = {
        "target": compute_target_id,
        "at": connection.ops.adapt_datetimefield_value(at),
        "limit": _CANDIDATES,
    }
    with connection.cursor() as cursor:
        cursor.execute(_NEXT_IN_LINE, values)
        return list(dict.fromkeys(pk for (pk,) in cursor.fetchall()))


def _claim(run: Run, target: ComputeTarget, at: datetime) -> Attempt:
    number = run.attempt_number + 1
    with transaction.atomic():
        lifecycle.move(
            run,
            RunStatus.PREPARING,
            at=at,
            reason=f"Claimed on {host.name()}.",
            actor=f"worker {host.name()}",
            attempt_number=number,
            heartbeat_at=at,
            error="",
            exit_code=None,
            exit_signal=None,
        )
        return Attempt.objects.create(
            run=run,
            number=number,
            compute_target=target,
            worker_id=host.worker_id,
            host=host.name(),
            boot_id=host.boot_id(),
            cookie=host.new_nonce(),
            claimed_at=at,
            lease_until=at + timedelta(seconds=settings.STUDIO_LEASE_SECONDS),
        )
