"""From a known outcome to a settled run: collect what was left, end the attempt, clean up.

Used by supervisors, and for those that died before they could, by the janitor.
"""

import shutil
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from typing import Any, Protocol

from django.conf import settings

from runs import lifecycle, storage
from runs.execution import delivery, host, outcome, outputs, settle
from runs.execution.logs import SystemLog
from runs.execution.outcome import Outcome, Retry
from runs.models import Attempt, Run
from runs.status import CLAIMED, RunStatus

# How long a machine may bring the last bytes of an attempt that was settled without them.
_LATE = timedelta(days=7)


class Persist(Protocol):
    """How to insist: call it, and again while the database or, for `store_seconds`, the bytes' server is away."""

    def __call__(self, tell: Callable[[], Any], *, store_seconds: float = ...) -> Any:
        """Return what `tell` returns."""


def finish(attempt: Attempt, ended: Outcome, *, persist: Persist) -> None:
    """Collect the outputs and settle the attempt; then nothing of it is left on this machine. Safe to call again.

    Where the bytes' server stays away, the attempt is settled without its last bytes,
    which stay here until `finish_late` brings them. Until that time has come, raises
    storage.Unreachable.
    """
    persist(lambda: delivery.sign_in(attempt))
    if ended.started_at and ended.retry is not Retry.LOST and _takes_time(attempt):
        persist(lambda: _say_finalizing(attempt, ended))
    due_until = None
    try:
        # Before the rows say that it is over: else nothing is taken from an attempt that has ended.
        persist(
            lambda: _bring(attempt, has_started=bool(ended.started_at)), store_seconds=settings.STUDIO_FINALIZE_SECONDS
        )
    except storage.Unreachable:
        if outcome.spooled_seconds(attempt.pk) < settings.STUDIO_FINALIZE_SECONDS:
            raise
        due_until = host.now() + _LATE
        ended = ended.with_remark(
            f"{settings.STUDIO_URL} did not answer {host.name()}: the rest of its logs and outputs comes later."
        )
    actor = "reaper" if ended.retry is Retry.LOST else "supervisor"
    persist(lambda: settle.settle(attempt, ended, at=host.now(), actor=actor, bytes_due_until=due_until))
    outcome.forget(attempt.pk)
    if due_until is None:
        _leave(attempt)


def finish_late(attempt: Attempt) -> None:
    """Bring the last bytes of an attempt that was settled without them. Raises storage.Unreachable."""
    delivery.sign_in(attempt)
    _bring(attempt, has_started=attempt.started_at is not None)
    Attempt.objects.filter(pk=attempt.pk).update(bytes_due_until=None)
    _leave(attempt)


def _bring(attempt: Attempt, *, has_started: bool) -> None:
    """Return once the outputs are stored and every byte of the logs has arrived. Raises storage.Unreachable."""
    if has_started:
        words = SystemLog(attempt.run_id, attempt.number)
        folder = host.work_folder(attempt) / "code" / "outputs"
        count = outputs.collect(run=attempt.run, folder=folder, at=host.now(), say=words.say)
        words.say(f"Collected {count} files of outputs.")
    delivery.deliver(attempt)


def _takes_time(attempt: Attempt) -> bool:
    """Return whether there is more to collect than what is done before anybody looks."""
    return storage.is_remote() or not outputs.is_empty(host.work_folder(attempt) / "code" / "outputs")


def _leave(attempt: Attempt) -> None:
    delivery.sign_out(attempt)
    shutil.rmtree(host.work_folder(attempt), ignore_errors=True)


def _say_finalizing(attempt: Attempt, ended: Outcome) -> None:
    """Show that the script has ended and its outputs are being collected. A run that is to stop stays so."""
    run = Run.objects.get(pk=attempt.run_id)
    if run.attempt_number != attempt.number or run.status not in CLAIMED or run.status == RunStatus.CANCEL_REQUESTED:
        return
    way = settle.on_the_way(run)
    if not way:
        return
    started_at: dict[str, Any] = {"started_at": ended.script_started_at} if run.started_at is None else {}
    with suppress(lifecycle.LostRace, lifecycle.IllegalTransition):
        lifecycle.move(
            run, way[-1], at=host.now(), actor="supervisor", attempt=attempt.number, by_way_of=way[:-1], **started_at
        )
