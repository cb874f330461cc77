"""Winning queued runs: the only way from Queued to a process."""

import logging
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Q, QuerySet

from runs import lifecycle
from runs.execution import host, launcher
from runs.models import Attempt, ComputeTarget, Run
from runs.status import RunStatus

logger = logging.getLogger(__name__)


def start_next(*, compute_target_id: int) -> int:
    """Win and start the next runs of a compute target while slots are free; return how many.

    Called twice, or by many at once, it starts no run twice and uses no slot twice.
    """
    started = 0
    while attempt := claim_next(compute_target_id=compute_target_id, at=host.now()):
        # If nobody supervises it after all, its lease runs out and it is queued again.
        launcher.start(attempt.pk)
        started += 1
    return started


def claim_next(*, compute_target_id: int, at: datetime) -> Attempt | None:
    """Win the next run of a compute target, or return None: no run waits, no slot is free, or it is disabled."""
    # A look without the write lock: most calls find nothing to do.
    if not waiting(compute_target_id, at).exists():
        return None
    with transaction.atomic():
        # One claim at a time for each target, or two could take the last slot. No stronger lock:
        # rows that only refer to the target are inserted meanwhile.
        target = ComputeTarget.objects.enabled().select_for_update(no_key=True).filter(pk=compute_target_id).first()
        if target is None or Attempt.objects.live().filter(compute_target=target).count() >= target.slots:
            return None
        for run in waiting(compute_target_id, at)[:10].iterator():
            try:
                return _claim(run, target, at)
            except lifecycle.LostRace:
                continue  # canceled this very moment
    return None


def waiting(compute_target_id: int, at: datetime) -> QuerySet[Run]:
    """Return the runs that wait at a compute target and whose time has come, the next one first."""
    return (
        Run.objects.filter(compute_target_id=compute_target_id, status=RunStatus.QUEUED)
        .filter(Q(not_before__isnull=True) | Q(not_before__lte=at))
        .order_by("-priority", "id")
    )


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
