"""The life of one attempt, in a process of its own: prepare, start, watch, finalize, settle.

The main thread owns the process tree, a second one drains its output, a third talks to
the database: none of them waits for another.
"""

import logging
import os
import shutil
import signal
from contextlib import ExitStack
from datetime import timedelta

from django.conf import settings
from django.utils import timezone

from runs import dispatch, log_context, storage
from runs.actions import snapshots
from runs.execution import (
    bounds,
    delivery,
    environment,
    finish,
    host,
    inputs,
    kernel,
    monitor,
    outcome,
    packages,
    patience,
    preparing,
    watching,
)
from runs.execution.custody import Custody
from runs.execution.logs import Pump
from runs.execution.outcome import Outcome, Retry
from runs.execution.process import CannotContain, CannotStart, Command, ProcessTree, Tier
from runs.execution.pulse import Fenced, ToStop
from runs.models import Attempt
from runs.outage import NO_DATABASE
from runs.prepared import Prepared
from runs.status import RunStatus

logger = logging.getLogger(__name__)

_HINT_SECONDS = 1.0
# How long the last of the system metrics may take: a database that is away is not waited for.
_MONITOR_SECONDS = 0.5
# Why a run is not started that is no bug of ours.
_REFUSALS = (
    preparing.CannotRun,
    CannotStart,
    packages.CannotPrepare,
    inputs.InputsMissing,
    snapshots.BadSnapshot,
    storage.Unreachable,
    bounds.NoSuchUser,
)


_attempt = Prepared(
    lambda attempt: Attempt.objects.select_related(
        "run__experiment", "run__workspace", "run__snapshot", "run__submitted_by", "compute_target"
    ).filter(pk=attempt)
)


def load() -> None:
    """Load what the first run would have to wait for: models, queries, the drivers of database and broker."""
    dispatch.load()
    environment.passed()
    monitor.load()
    snapshots.load()
    _attempt(0)


def main(attempt_id: int, tier: Tier) -> None:
    """Adopt the attempt and live its life. Does nothing if another supervisor has adopted it, or it has ended."""
    with _tree(tier) as tree:
        kernel.hide_memory()
        attempt = patience.persist(lambda: _adopt(attempt_id))
        if attempt is not None:
            log_context.set_for_process(run_id=attempt.run.run_id, attempt=attempt.number)
            patience.persist(lambda: delivery.sign_in(attempt))
            live(Custody(attempt, tree))


def _tree(tier: Tier) -> ProcessTree:
    _, nicer = host.niceness()
    try:
        return ProcessTree(tier, nicer=nicer)
    except CannotContain:
        logger.warning("No process tree of tier %s; the next best serves.", tier)
        return ProcessTree(Tier.SUBREAPER, nicer=nicer)


def _adopt(attempt_id: int) -> Attempt | None:
    me = kernel.ProcessId.of(os.getpid())
    assert me is not None  # noqa: S101
    mine = {"pid": me.pid, "pid_started_at": me.started}
    # With a lease of its own: the claim's may be about to run out, and a reaper about to act on that.
    lease_until = host.now() + timedelta(seconds=settings.STUDIO_LEASE_SECONDS)
    adopted = Attempt.objects.live().filter(pk=attempt_id, pid__isnull=True).update(lease_until=lease_until, **mine)
    # The second look is for an update that was made but whose answer was lost.
    if not adopted and not Attempt.objects.live().filter(pk=attempt_id, **mine).exists():
        return None
    return _attempt.first(attempt_id)


def live(custody: Custody) -> None:
    """Live the whole life. Whatever happens, no process is left and the run is settled or in the spool."""
    signal.signal(signal.SIGTERM, lambda *_: custody.ask_to_leave())
    custody.pulse.start()
    try:
        ended = _prepare_start_watch(custody)
    except Fenced:
        logger.warning("Attempt %s was replaced or settled by others; stopping.", custody.attempt)
        custody.tree.kill()
        shutil.rmtree(custody.folder, ignore_errors=True)
        return
    _finalize(custody, ended)


def _prepare_start_watch(custody: Custody) -> Outcome:
    with ExitStack() as held:
        try:
            command = preparing.prepare(custody, held)
            pump = _start(custody, command)
            try:
                ended = watching.watch(custody, pump)
            finally:
                custody.end_tree(pump)
                custody.monitor.stop(timeout_seconds=_MONITOR_SECONDS)
            return ended.with_loss(pump.lost_bytes)
        except ToStop:
            return Outcome(RunStatus.CANCELED)
        except _REFUSALS as error:
            words = str(error)
            if custody.user is not None and "Permission denied" in words:
                words += f" The user {custody.user.name} must reach it: see STUDIO_WORK_FOLDER."
            return Outcome(RunStatus.FAILED, reason="It could not be started.", error=words)
        except Fenced:
            raise
        except Exception as error:
            if isinstance(error, OSError) and custody.script_started_at is None:
                reason = f"It could not be prepared on {host.name()}."  # no room on the disk, no right to write
                return Outcome(RunStatus.FAILED, reason=reason, error=str(error))
            logger.exception("Attempt %s: internal error", custody.attempt)
            return Outcome(
                RunStatus.FAILED,
                reason=f"Internal error of the supervisor on {host.name()}; its log says more.",
                started_at=custody.started_at,
                retry=Retry.LOST,
            )


def _start(custody: Custody, command: Command) -> Pump:
    """Start the script; return the pump that drains its output."""
    custody.tell(lambda: custody.advance(RunStatus.STARTING))
    custody.pulse.check()
    pump = custody.pump("user_logs/std_log.txt", follow=True)
    custody.start_in_tree(command, pump)
    custody.script_started_at = timezone.now()
    custody.system_log.say(f"Started: {' '.join(command.argv)[:1000]}")
    return pump


def _finalize(custody: Custody, ended: Outcome) -> None:
    """Write the outcome where it outlives this process, then to the rows, for as long as that takes."""
    custody.tree.kill()
    custody.pulse.script_runs = False
    try:
        outcome.save(custody.attempt, ended)
    except OSError as error:  # a full disk: the rows may still take it
        logger.error("Attempt %s: the outcome cannot be spooled: %s", custody.attempt, error)
    custody.tree.close()
    custody.monitor.record()
    try:
        finish.finish(custody.attempt, ended, persist=patience.persist)
    except (*NO_DATABASE, storage.Unreachable):
        logger.exception("Attempt %s: the outcome stays in the spool.", custody.attempt)
    custody.pulse.stop(timeout_seconds=1)
    dispatch.flush(timeout_seconds=_HINT_SECONDS)
