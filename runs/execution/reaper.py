"""Settling what went silent: attempts whose supervisor is gone, interactive runs whose client is.

Level-triggered: it asks what the rows say now. It may act only while it is armed, that
is, after it has itself reached the database without a gap for one full lease: after an
outage everybody looks silent. (A reaper without this ran a finished run twice when measured.)
"""

import logging
from contextlib import suppress
from datetime import datetime, timedelta

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Q

from runs import lifecycle, log_context, storage
from runs.execution import finish, host, outcome, patience, settle
from runs.execution.leftovers import is_supervised, kill_attempt
from runs.execution.outcome import Outcome, Retry
from runs.models import Attempt, Lease, Run, RunType, Worker
from runs.status import RunStatus

logger = logging.getLogger(__name__)

_ACTOR = "reaper"
_BATCH = 500


def reap(*, holder: str, at: datetime) -> int:
    """Settle what is silent, as far as this process leads and is armed; return how many rows moved.

    Call it every `tick_seconds`. The attempts of this machine are its own workers' to
    settle, who can see and kill processes; those of machines without a worker, and the
    interactive runs, are everybody's.
    """
    boot = host.boot_id()
    moved = 0
    if lead(f"reaper {boot[:50]}", holder=holder, at=at):
        moved += _reap_attempts(Attempt.objects.filter(boot_id=boot), at)
    if lead("reaper", holder=holder, at=at):
        silence = timedelta(seconds=4 * settings.STUDIO_LEASE_SECONDS)
        watched = Worker.objects.alive(at=at, silence=silence).values("boot_id")
        moved += _reap_attempts(Attempt.objects.exclude(boot_id__in=watched).exclude(boot_id=boot), at)
        moved += _reap_clients(at)
    return moved


def tick_seconds() -> float:
    """Return how often `reap` is to be called."""
    return settings.STUDIO_LEASE_SECONDS / 3


def lead(name: str, *, holder: str, at: datetime) -> bool:
    """Take or keep the lead at the job `name`; return whether it may act: it leads, without a gap, for a full lease."""
    until = at + timedelta(seconds=2 * tick_seconds())
    steady_since = at - timedelta(seconds=settings.STUDIO_LEASE_SECONDS)
    # A gap, or a clock that jumped, is a new beginning; so is a change of hands.
    kept = Lease.objects.filter(name=name, holder=holder, until__gte=at, steady_since__lte=at).update(until=until)
    if kept:
        return Lease.objects.filter(name=name, holder=holder, steady_since__lte=steady_since).exists()
    gone = Q(until__lt=at) | Q(holder=holder) | Q(until__gt=at + timedelta(hours=1))
    if not Lease.objects.filter(gone, name=name).update(holder=holder, until=until, steady_since=at):
        try:
            with transaction.atomic():
                Lease.objects.create(name=name, holder=holder, until=until, steady_since=at)
        except IntegrityError:
            pass  # somebody else leads
    return False


def _reap_attempts(attempts, at: datetime) -> int:
    lease = timedelta(seconds=settings.STUDIO_LEASE_SECONDS)
    # No lease is so long: the clock was set back, and these would seem to live for hours.
    attempts.filter(ended_at__isnull=True, lease_until__gt=at + 2 * lease).update(lease_until=at + lease)
    silent = (
        attempts.filter(ended_at__isnull=True, lease_until__lt=at)
        .select_related("run", "compute_target")
        .order_by("lease_until")[:_BATCH]
    )
    moved = 0
    for attempt in silent:
        with log_context.about(run_id=attempt.run.run_id, attempt=attempt.number):
            moved += _reap(attempt, at)
    return moved


def _reap(attempt: Attempt, at: datetime) -> bool:
    """Bring one silent attempt a step further; return whether something moved."""
    is_local = attempt.boot_id == host.boot_id()
    if is_local and outcome.load(attempt.pk) is not None:
        return False  # how it ended is known: it will say so itself, or the janitor will
    heard_at = attempt.lease_until - timedelta(seconds=settings.STUDIO_LEASE_SECONDS)
    silence = f"Its supervisor on {attempt.host} was last heard at {heard_at:%Y-%m-%d %H:%M:%S} UTC"
    if attempt.run.status in (RunStatus.RUNNING, RunStatus.FINALIZING):
        try:
            lifecycle.move(
                attempt.run,
                RunStatus.NOT_RESPONDING,
                at=at,
                reason=f"{silence}.",
                actor=_ACTOR,
                attempt=attempt.number,
            )
        except lifecycle.LostRace:
            return False
        return True
    never_started = attempt.pid is None
    is_gone = never_started or _is_surely_gone(attempt, is_local=is_local)
    if not is_gone and at < attempt.lease_until + timedelta(seconds=settings.STUDIO_LOST_SECONDS):
        return False
    # Claimed again elsewhere while it was killed here? Renewed? Then the lease says so.
    if not Attempt.objects.live().filter(pk=attempt.pk, lease_until=attempt.lease_until).exists():
        return False
    if never_started:
        lost = Outcome(RunStatus.FAILED, reason=f"No supervisor started on {attempt.host}.", retry=Retry.NEVER_STARTED)
        return settle.settle(attempt, lost, at=at, actor=_ACTOR, if_silent=True)
    reason = f"Worker lost. {silence}."
    if not is_local:
        if not is_gone:
            reason += " Its processes may still run there."
        # Where that is so, a second copy could run beside the first.
        lost = Outcome(RunStatus.FAILED, reason=reason, retry=Retry.LOST if is_gone else Retry.NO)
        return settle.settle(attempt, lost, at=at, actor=_ACTOR, if_silent=True)
    if left := kill_attempt(attempt):
        reason += f" {left} of its processes could not be killed."
    started_at = attempt.run.started_at.isoformat() if attempt.run.started_at else ""
    lost = Outcome(RunStatus.FAILED, reason=reason, retry=Retry.NO if left else Retry.LOST, started_at=started_at)
    with suppress(OSError):  # a full disk
        outcome.save(attempt, lost)
    try:
        finish.finish(attempt, lost, persist=patience.once)
    except storage.Unreachable as error:
        logger.warning("Attempt %s is lost, and its last bytes cannot be delivered yet: %s", attempt, error)
        return False  # the janitor tries again
    return True


def _is_surely_gone(attempt: Attempt, *, is_local: bool) -> bool:
    """Return whether the attempt's supervisor cannot come back: it is dead, or its machine was started anew."""
    if is_local:
        return not is_supervised(attempt)
    kernel_boot = host.boot_id()[:36]
    return attempt.host == host.name() and attempt.boot_id[:36] != kernel_boot


def _reap_clients(at: datetime) -> int:
    """Move interactive runs whose client sent heartbeats and stopped."""
    silent_before = at - timedelta(seconds=settings.STUDIO_CLIENT_SILENT_SECONDS)
    lost_before = at - timedelta(seconds=settings.STUDIO_CLIENT_LOST_SECONDS)
    driven = Run.objects.filter(run_type=RunType.INTERACTIVE, heartbeat_at__isnull=False, ended_at__isnull=True)
    moved = 0
    for run in driven.filter(status=RunStatus.RUNNING, heartbeat_at__lt=silent_before).order_by("id")[:_BATCH]:
        moved += _move_client(run, RunStatus.NOT_RESPONDING, "Its client was last heard at {}.", at)
    for run in driven.filter(status=RunStatus.NOT_RESPONDING, heartbeat_at__lt=lost_before).order_by("id")[:_BATCH]:
        moved += _move_client(run, RunStatus.FAILED, "Its client is lost: it was last heard at {}.", at)
    return moved


def _move_client(run: Run, to: RunStatus, reason: str, at: datetime) -> bool:
    text = reason.format(f"{run.heartbeat_at:%Y-%m-%d %H:%M:%S} UTC")
    try:
        lifecycle.move(run, to, at=at, reason=text, actor=_ACTOR)
    except lifecycle.LostRace:
        return False
    return True
