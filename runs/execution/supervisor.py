"""The life of one attempt, in a process of its own: prepare, start, watch, finalize, settle.

The main thread owns the process tree, a second one drains its output, a third talks to
the database: none of them waits for another.
"""

import logging
import os
import select
import shutil
import signal
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

from django.conf import settings
from django.db import InterfaceError, OperationalError, connections
from django.utils import timezone

from runs import dispatch, lifecycle, log_context, storage
from runs.actions import snapshots, tokens, unmet
from runs.errors import RunsError
from runs.execution import bounds, delivery, environment, finish, host, kernel, outcome, packages
from runs.execution.logs import Follower, LogWriter, Pump, SystemLog
from runs.execution.outcome import Outcome, Retry
from runs.execution.process import CannotContain, CannotStart, Command, Exit, ProcessTree, Tier, User
from runs.execution.pulse import Fenced, Pulse, ToStop
from runs.models import Attempt, Run
from runs.status import CLAIMED, RunStatus

logger = logging.getLogger(__name__)

# How long output may still come once every process is dead.
_DRAIN_SECONDS = 1.0
_HINT_SECONDS = 1.0
_RETRY_SECONDS = 0.2
_LONGEST_RETRY_SECONDS = 10.0
# A supervisor that cannot tell its outcome for so long leaves it to the spool.
_TELL_SECONDS = 3600.0
# A signal handler does not end a wait by itself, so no wait is longer.
_LONGEST_WAIT_SECONDS = 1.0

T = TypeVar("T")


class CannotRun(RunsError):
    """The run cannot be started."""

    code = "cannot_run"


# Why a run is not started that is no bug of ours.
_REFUSALS = (
    CannotRun,
    CannotStart,
    packages.CannotPrepare,
    snapshots.BadSnapshot,
    storage.Unreachable,
    bounds.NoSuchUser,
)


def load() -> None:
    """Load what the first run would have to wait for: models, queries, the drivers of database and broker."""
    dispatch.load()
    environment.passed()
    Attempt.objects.select_related("run__experiment", "run__workspace", "run__snapshot", "compute_target").first()
    Run.objects.first()


def main(attempt_id: int, tier: Tier) -> None:
    """Adopt the attempt and live its life. Does nothing if another supervisor has adopted it, or it has ended."""
    with _tree(tier) as tree:
        kernel.hide_memory()
        attempt = _persist(lambda: _adopt(attempt_id))
        if attempt is not None:
            log_context.set_for_process(run_id=attempt.run.run_id, attempt=attempt.number)
            _persist(lambda: delivery.sign_in(attempt))
            Supervisor(attempt, tree).live()


def _tree(tier: Tier) -> ProcessTree:
    try:
        return ProcessTree(tier)
    except CannotContain:
        logger.warning("No process tree of tier %s; the next best serves.", tier)
        return ProcessTree(Tier.SUBREAPER)


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
    return Attempt.objects.select_related(
        "run__experiment", "run__workspace", "run__snapshot", "run__submitted_by", "compute_target"
    ).get(pk=attempt_id)


def _persist(tell: Callable[[], T], *, seconds: float = _TELL_SECONDS) -> T:
    """Call `tell`, and again while the database or the store does not answer. Raises its error after `seconds`."""
    deadline, pause = time.monotonic() + seconds, _RETRY_SECONDS
    while True:
        try:
            return tell()
        except (OperationalError, InterfaceError, storage.Unreachable) as error:
            connections.close_all()
            if time.monotonic() > deadline:
                raise
            logger.warning("No answer, trying again in %.1f s: %s", pause, error)
        time.sleep(pause)
        pause = min(2 * pause, _LONGEST_RETRY_SECONDS)


class Supervisor:
    """One attempt and everything that its life needs at hand."""

    def __init__(self, attempt: Attempt, tree: ProcessTree) -> None:
        self.attempt = attempt
        self.run: Run = attempt.run
        self.tree = tree
        self.folder = host.work_folder(attempt)
        self.code = self.folder / "code"
        self.system_log = SystemLog(self.run.pk, attempt.number)
        self.limits = bounds.limits_of(self.run, attempt.compute_target)
        self.user: User | None = None
        self.pulse = Pulse(attempt)
        self.was_told_to_leave = False
        self.script_started_at: datetime | None = None

    def live(self) -> None:
        """Live the whole life. Whatever happens, no process is left and the run is settled or in the spool."""
        signal.signal(signal.SIGTERM, self._leave)
        self.pulse.start()
        try:
            ended = self._prepare_start_watch()
        except Fenced:
            logger.warning("Attempt %s was replaced or settled by others; stopping.", self.attempt)
            self.tree.kill()
            shutil.rmtree(self.folder, ignore_errors=True)
            return
        self.finalize(ended)

    def _prepare_start_watch(self) -> Outcome:
        with ExitStack() as held:
            try:
                command = self.prepare(held)
                pump = self.start(command)
                try:
                    ended = self.watch(pump)
                finally:
                    self._end_tree(pump)
                return ended.with_loss(pump.lost_bytes)
            except ToStop:
                return Outcome(RunStatus.CANCELED)
            except _REFUSALS as error:
                words = str(error)
                if self.user is not None and "Permission denied" in words:
                    words += f" The user {self.user.name} must reach it: see STUDIO_WORK_FOLDER."
                return Outcome(RunStatus.FAILED, reason="It could not be started.", error=words)
            except Fenced:
                raise
            except Exception as error:
                if isinstance(error, OSError) and self.script_started_at is None:
                    reason = f"It could not be prepared on {host.name()}."  # no room on the disk, no right to write
                    return Outcome(RunStatus.FAILED, reason=reason, error=str(error))
                logger.exception("Attempt %s: internal error", self.attempt)
                return Outcome(
                    RunStatus.FAILED,
                    reason=f"Internal error of the supervisor on {host.name()}; its log says more.",
                    started_at=self._started_at(),
                    retry=Retry.LOST,
                )

    # --- prepare ---

    def prepare(self, held: ExitStack) -> Command:
        """Unpack the code, make the Python environment, and return what to start."""
        self.user = bounds.user_of(self.attempt.compute_target)
        if self.user is not None and self.run.requirements:
            # Installing runs code of the packages, and its result would be shared between users.
            raise CannotRun("Packages are not installed for runs as another user: name an interpreter that has them.")
        for name in ("outputs", "logs"):
            (self.code / name).mkdir(parents=True, exist_ok=True, mode=0o700)
        if self.run.snapshot is not None:
            snapshot = self.run.snapshot
            # Unreachable comes before the first file is written.
            self._tell(lambda: snapshots.extract(snapshot, self.code))
        self.pulse.check()
        interpreter = held.enter_context(
            packages.interpreter_for(
                self.run, folder=self.code, execute=self._execute, pause=self._pause, say=self.system_log.say
            )
        )
        for warning in self._tell(lambda: unmet.warnings(self.run)):
            self.system_log.say(f"Warning: {warning}")
        argv = self._argv(interpreter)
        _, token = self._tell(
            lambda: tokens.create_run_token(run=self.run, attempt_number=self.attempt.number, at=host.now())
        )
        if self.user is not None:
            bounds.hand_over(self.folder, self.user)
        if self.limits["process_count"] and os.geteuid() == 0 and self.user is None:
            self.system_log.say("The limit of processes does not bind root: let the compute target name a user.")
        self.system_log.say(f"Prepared on {host.name()}, attempt {self.attempt.number}.")
        variables = environment.build(self.run, self.attempt, token=token, interpreter=interpreter)
        if self.user is not None:
            variables |= {"HOME": self.user.home, "USER": self.user.name, "LOGNAME": self.user.name}
        return Command(argv, variables, str(self.code), self.limits, self.user)

    def _argv(self, interpreter: Path) -> list[str]:
        arguments = [str(argument) for argument in self.run.arguments]
        if self.run.command:
            return [*map(str, self.run.command), *arguments]
        if not (self.code / self.run.script).is_file():
            raise CannotRun(f"There is no {self.run.script} in the run's code.")
        return [str(interpreter), self.run.script, *arguments]

    def _execute(self, command: Command) -> tuple[Exit, str]:
        """Run a program of ours in the run's tree, its output in environment.txt; stop with the run."""
        deadline = time.monotonic() + settings.STUDIO_PREPARE_SECONDS
        pump = self._pump("system_logs/environment.txt")
        try:
            self._start_in_tree(command, pump)
            while self.tree.exit is None:
                self._wait(deadline)
                self.pulse.check()
                if time.monotonic() > deadline:
                    raise packages.CannotPrepare(
                        f"Its packages were not installed within {settings.STUDIO_PREPARE_SECONDS:g} s."
                    )
        finally:
            self.tree.kill()
            pump.finish(timeout_seconds=_DRAIN_SECONDS)
        return self.tree.exit, pump.last_words()

    def _pause(self, seconds: float) -> None:
        time.sleep(seconds)
        self.pulse.check()

    # --- start ---

    def start(self, command: Command) -> Pump:
        """Start the script; return the pump that drains its output."""
        self._tell(lambda: self._advance(RunStatus.STARTING))
        self.pulse.check()
        pump = self._pump("user_logs/std_log.txt", follow=True)
        self._start_in_tree(command, pump)
        self.script_started_at = timezone.now()
        self.pulse.script_runs = True
        self.pulse.look_now()
        self.system_log.say(f"Started: {' '.join(command.argv)[:1000]}")
        # What is needed from here on, the pulse asks for.
        connections.close_all()
        return pump

    def _pump(self, name: str, *, follow: bool = False) -> "_PipePump":
        place: dict[str, Any] = {
            "limit_bytes": settings.STUDIO_LOG_BYTES,
            "overflow": self.folder / f"overflow-{Path(name).stem}",
        }
        path = storage.attempt_path(self.attempt.number, name)
        follower = Follower(self.code / "logs", self.run.pk, self.attempt.number, **place) if follow else None
        return _PipePump(LogWriter(self.run.pk, path, **place), follower)

    def _start_in_tree(self, command: Command, pump: "_PipePump") -> None:
        try:
            self.tree.start(command, output=pump.write_end)
        except CannotStart:
            pump.start()
            raise
        finally:
            os.close(pump.write_end)
        pump.start()

    # --- watch ---

    def watch(self, pump: Pump) -> Outcome:
        """Wait for the script's end, a wish to stop, or the longest duration; return how it ended."""
        longest = self._longest_seconds()
        deadline = time.monotonic() + longest if longest is not None else None
        while self.tree.exit is None:
            self._wait(deadline)
            # An end that was seen before the stop signal went out is the script's own.
            if self.tree.exit is not None:
                break
            if self.pulse.is_fenced:
                raise Fenced
            if self.pulse.is_to_stop:
                return self._stop()
            if deadline is not None and time.monotonic() >= deadline:
                return self._stop_because(f"It ran longer than its maximum duration of {longest:g} s.")
            if self.was_told_to_leave:
                return self._stop_because(f"Its supervisor on {host.name()} was asked to end.")
        return self._by_exit(self.tree.exit, pump)

    def _longest_seconds(self) -> float | None:
        limits = [self.run.max_run_duration_seconds, self.attempt.compute_target.max_run_duration_seconds]
        return min((limit for limit in limits if limit is not None), default=None)

    def _by_exit(self, ended: Exit, pump: Pump) -> Outcome:
        started_at = self._started_at()
        if ended == Exit(0, None):
            self.system_log.say("Ended: exit code 0.")
            return Outcome(RunStatus.COMPLETED, exit_code=0, started_at=started_at)
        # The last words count, so the output must be in first.
        self._end_tree(pump)
        if ended.signal is None:
            reason = f"Exit code {ended.code}."
        else:
            reason = f"Killed by signal {ended.signal} ({_signal_name(ended.signal)})."
            if ended.signal == signal.SIGKILL:
                reason += " Perhaps the machine was short of memory."
        words = pump.last_words()
        if limit := bounds.explain(ended, words, self.limits):
            reason = f"{reason.removesuffix('.')}: {limit}."
        self.system_log.say(f"Ended: {reason}")
        return Outcome(
            RunStatus.FAILED,
            reason=reason,
            error=words,
            exit_code=ended.code,
            exit_signal=ended.signal,
            retry=Retry.FAILURE,
            started_at=started_at,
        )

    def _stop_because(self, reason: str) -> Outcome:
        """Ask the run to stop in the name of the system, as a person would, and stop it."""
        with suppress(OperationalError, InterfaceError, lifecycle.LostRace, lifecycle.IllegalTransition):
            at = host.now()
            fields: dict[str, Any] = {"cancel_requested_at": at, "attempt": self.attempt.number, "actor": "supervisor"}
            run = Run.objects.get(pk=self.run.pk)
            lifecycle.move(run, RunStatus.CANCEL_REQUESTED, at=at, reason=reason, **fields)
        return self._stop(reason)

    def _stop(self, reason: str = "") -> Outcome:
        """Stop politely, wait for the grace time, then kill until nobody is left."""
        started = time.monotonic()
        stop_signal = signal.SIGTERM
        if self.pulse.grace_seconds > 0:
            self.system_log.say(f"Sent SIGTERM, {self.pulse.grace_seconds:g} s of grace.")
            self.tree.signal(signal.SIGTERM)
            # The grace may be cut short meanwhile ("stop now").
            while self.tree.exit is None and time.monotonic() < started + self.pulse.grace_seconds:
                self._wait(started + self.pulse.grace_seconds)
        if self.tree.exit is None:
            self.system_log.say("Sent SIGKILL.")
            stop_signal = signal.SIGKILL
        left = self.tree.kill()
        seconds = time.monotonic() - started
        ended = self.tree.wait(1)
        self.system_log.say(f"Stopped after {seconds:.2f} s.")
        if left:
            reason = f"{reason} {left} of its processes could not be killed.".strip()
            logger.error("Attempt %s: %s processes could not be killed.", self.attempt, left)
        return Outcome(
            RunStatus.CANCELED,
            reason=reason,
            exit_code=ended.code if ended else None,
            exit_signal=ended.signal if ended else None,
            stop_signal=int(stop_signal),
            stop_seconds=round(seconds, 3),
            started_at=self._started_at(),
        )

    def _end_tree(self, pump: Pump) -> None:
        """Kill what the script left behind and take in the last of its output."""
        if not pump.is_finished:
            left = self.tree.kill()
            if left:
                self.system_log.say(f"{left} processes could not be killed.")
            pump.finish(timeout_seconds=_DRAIN_SECONDS)

    # --- finalize, settle ---

    def finalize(self, ended: Outcome) -> None:
        """Write the outcome where it outlives this process, then to the rows, for as long as that takes."""
        self.tree.kill()
        self.pulse.script_runs = False
        try:
            outcome.save(self.attempt, ended)
        except OSError as error:  # a full disk: the rows may still take it
            logger.error("Attempt %s: the outcome cannot be spooled: %s", self.attempt, error)
        self.tree.close()
        try:
            finish.finish(self.attempt, ended, persist=_persist)
        except (OperationalError, InterfaceError, storage.Unreachable):
            logger.exception("Attempt %s: the outcome stays in the spool.", self.attempt)
        self.pulse.stop(timeout_seconds=1)
        dispatch.flush(timeout_seconds=_HINT_SECONDS)

    # --- small things ---

    def _tell(self, tell: Callable[[], T]) -> T:
        """Tell the database something that must be known before we go on, unless the run is to stop meanwhile."""

        def checked() -> T:
            self.pulse.check()
            return tell()

        return _persist(checked)

    def _advance(self, to: RunStatus) -> None:
        while True:
            run = Run.objects.get(pk=self.run.pk)
            if run.attempt_number != self.attempt.number or run.status not in CLAIMED:
                raise Fenced
            if run.status == RunStatus.CANCEL_REQUESTED:
                raise ToStop
            if run.status == to:
                return
            with suppress(lifecycle.LostRace):
                lifecycle.move(run, to, at=host.now(), actor="supervisor", attempt=self.attempt.number)
                return

    def _wait(self, deadline: float | None) -> None:
        """Wait until the tree or the pulse has news, a signal came, or it is `deadline`."""
        left = _LONGEST_WAIT_SECONDS if deadline is None else max(0.0, deadline - time.monotonic())
        ready, _, _ = select.select([self.tree.fileno(), self.pulse.heard], [], [], min(left, _LONGEST_WAIT_SECONDS))
        if self.pulse.heard in ready:
            os.eventfd_read(self.pulse.heard)
        self.tree.wait(0)

    def _leave(self, *_: object) -> None:
        self.was_told_to_leave = True

    def _started_at(self) -> str:
        return self.script_started_at.isoformat() if self.script_started_at else ""


class _PipePump(Pump):
    """A pump with a pipe of its own."""

    def __init__(self, writer: LogWriter, follower: Follower | None) -> None:
        read_end, self.write_end = os.pipe2(os.O_CLOEXEC)
        super().__init__(read_end, writer, follower)


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
