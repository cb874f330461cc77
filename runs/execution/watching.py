"""While the script runs: waiting for its end, a wish to stop it, its longest duration; and stopping it."""

import logging
import math
import signal
import time
from contextlib import suppress
from typing import Any

from django.db import connections

from runs import lifecycle
from runs.execution import bounds, host
from runs.execution.custody import Custody
from runs.execution.logs import Pump
from runs.execution.outcome import Outcome, Retry
from runs.execution.process import Exit
from runs.execution.pulse import Fenced
from runs.models import Run
from runs.outage import NO_DATABASE
from runs.status import RunStatus

# A script that has ended by then passes Running in the rows together with its end.
_MOMENT_SECONDS = 0.05

logger = logging.getLogger(__name__)


def watch(custody: Custody, pump: Pump) -> Outcome:
    """Wait for the script's end, a wish to stop, the longest duration or a limit; return how it ended."""
    together = bounds.Together(custody.limits)
    longest = _longest_seconds(custody)
    began, is_first = time.monotonic(), True
    deadline = began + longest if longest is not None else None
    while custody.tree.exit is None:
        custody.wait(began + min(longest or math.inf, _MOMENT_SECONDS) if is_first else deadline)
        # An end that was seen before the stop signal went out is the script's own.
        if custody.tree.exit is not None:
            break
        if is_first:
            _settle_down(custody)
            is_first = False
        if custody.pulse.is_fenced:
            raise Fenced
        if custody.pulse.is_to_stop:
            return _stop(custody)
        if deadline is not None and time.monotonic() >= deadline:
            return _stop_because(custody, f"It ran longer than its maximum duration of {longest:g} s.")
        if custody.was_told_to_leave:
            return _stop_because(custody, f"Its supervisor on {host.name()} was asked to end.")
        if reason := together.exceeded():
            custody.tree.kill()
            custody.end_tree(pump)
            return _failed(custody, reason, pump.last_words(), custody.tree.wait(1))
    return _by_exit(custody, custody.tree.exit, pump)


def _settle_down(custody: Custody) -> None:
    """Do what is of no use to a script that is over in a moment: say that it is Running, look what it is busy with."""
    custody.pulse.script_runs = True
    custody.pulse.look_now()
    custody.monitor.start()
    # What is needed from here on, the pulse asks for.
    connections.close_all()


def _longest_seconds(custody: Custody) -> float | None:
    limits = [custody.run.max_run_duration_seconds, custody.attempt.compute_target.max_run_duration_seconds]
    return min((limit for limit in limits if limit is not None), default=None)


def _by_exit(custody: Custody, ended: Exit, pump: Pump) -> Outcome:
    if ended == Exit(0, None):
        custody.system_log.say("Ended: exit code 0.")
        return Outcome(RunStatus.COMPLETED, exit_code=0, started_at=custody.started_at)
    # The last words count, so the output must be in first.
    custody.end_tree(pump)
    if ended.signal is None:
        reason = f"Exit code {ended.code}."
    else:
        reason = f"Killed by signal {ended.signal} ({_signal_name(ended.signal)})."
        if ended.signal == signal.SIGKILL:
            reason += " Perhaps the machine was short of memory."
    words = pump.last_words()
    if limit := bounds.explain(ended, words, custody.limits):
        reason = f"{reason.removesuffix('.')}: {limit}."
    return _failed(custody, reason, words, ended)


def _failed(custody: Custody, reason: str, words: str, ended: Exit | None) -> Outcome:
    custody.system_log.say(f"Ended: {reason}")
    return Outcome(
        RunStatus.FAILED,
        reason=reason,
        error=words,
        exit_code=ended.code if ended else None,
        exit_signal=ended.signal if ended else None,
        retry=Retry.FAILURE,
        started_at=custody.started_at,
    )


def _stop_because(custody: Custody, reason: str) -> Outcome:
    """Ask the run to stop in the name of the system, as a person would, and stop it."""
    with suppress(*NO_DATABASE, lifecycle.LostRace, lifecycle.IllegalTransition):
        at = host.now()
        fields: dict[str, Any] = {"cancel_requested_at": at, "attempt": custody.attempt.number, "actor": "supervisor"}
        run = Run.objects.get(pk=custody.run.pk)
        lifecycle.move(run, RunStatus.CANCEL_REQUESTED, at=at, reason=reason, **fields)
    return _stop(custody, reason)


def _stop(custody: Custody, reason: str = "") -> Outcome:
    """Stop politely, wait for the grace time, then kill until nobody is left."""
    started = time.monotonic()
    stop_signal = signal.SIGTERM
    if custody.pulse.grace_seconds > 0:
        custody.system_log.say(f"Sent SIGTERM, {custody.pulse.grace_seconds:g} s of grace.")
        custody.tree.signal(signal.SIGTERM)
        # The grace may be cut short meanwhile ("stop now").
        while custody.tree.exit is None and time.monotonic() < started + custody.pulse.grace_seconds:
            custody.wait(started + custody.pulse.grace_seconds)
    if custody.tree.exit is None:
        custody.system_log.say("Sent SIGKILL.")
        stop_signal = signal.SIGKILL
    left = custody.tree.kill()
    seconds = time.monotonic() - started
    ended = custody.tree.wait(1)
    custody.system_log.say(f"Stopped after {seconds:.2f} s.")
    if left:
        reason = f"{reason} {left} of its processes could not be killed.".strip()
        logger.error("Attempt %s: %s processes could not be killed.", custody.attempt, left)
    return Outcome(
        RunStatus.CANCELED,
        reason=reason,
        exit_code=ended.code if ended else None,
        exit_signal=ended.signal if ended else None,
        stop_signal=int(stop_signal),
        stop_seconds=round(seconds, 3),
        started_at=custody.started_at,
    )


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
