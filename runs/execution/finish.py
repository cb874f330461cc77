"""From a known outcome to a settled run: collect what was left, end the attempt, clean up.

Used by supervisors, and for those that died before they could, by the janitor.
"""

import shutil
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Protocol

from runs import lifecycle
from runs.execution import delivery, host, outcome, outputs, settle
from runs.execution.logs import SystemLog
from runs.execution.outcome import Outcome, Retry
from runs.models import Attempt, Run
from runs.status import CLAIMED, RunStatus


class Persist(Protocol):
    """How to insist: call it, and again while the database or the bytes' server is away."""

    def __call__(self, tell: Callable[[], Any]) -> Any:
        """Return what `tell` returns."""


def finish(attempt: Attempt, ended: Outcome, *, persist: Persist) -> None:
    """Collect the outputs and settle the attempt; then nothing of it is left on this machine. Safe to call again."""
    words = SystemLog(attempt.run_id, attempt.number)
    folder = host.work_folder(attempt)
    persist(lambda: delivery.sign_in(attempt))
    if ended.started_at:
        if ended.retry is not Retry.LOST:
            persist(lambda: _say_finalizing(attempt, ended))
        count = persist(
            lambda: outputs.collect(run=attempt.run, folder=folder / "code" / "outputs", at=host.now(), say=words.say)
        )
        words.say(f"Collected {count} files of outputs.")
    # Before the rows say that it is over: nothing is taken from an attempt that has ended.
    persist(lambda: delivery.deliver(attempt))
    actor = "reaper" if ended.retry is Retry.LOST else "supervisor"
    persist(lambda: settle.settle(attempt, ended, at=host.now(), actor=actor))
    outcome.forget(attempt.pk)
    delivery.sign_out(attempt)
    shutil.rmtree(folder, ignore_errors=True)


def _say_finalizing(attempt: Attempt, ended: Outcome) -> None:
    """Show that the script has ended and its outputs are being collected. A run that is to stop stays so."""
    run = Run.objects.get(pk=attempt.run_id)
    if run.attempt_number != attempt.number or run.status not in CLAIMED or run.status == RunStatus.CANCEL_REQUESTED:
        return
    with suppress(lifecycle.LostRace, lifecycle.IllegalTransition):
        settle.catch_up(run, RunStatus.FINALIZING, ended, at=host.now(), actor="supervisor", attempt=attempt.number)
