"""What a supervisor has at hand of its attempt: the rows, the folder, the process tree, the pulse."""

import os
import select
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

from django.conf import settings

from runs import lifecycle, storage
from runs.execution import bounds, host, patience
from runs.execution.logs import Follower, LogWriter, Pump, SystemLog
from runs.execution.monitor import Monitor
from runs.execution.process import CannotStart, Command, ProcessTree, User
from runs.execution.pulse import Fenced, Pulse, ToStop
from runs.models import Attempt, Run
from runs.status import CLAIMED, RunStatus

# How long output may still come once every process is dead.
DRAIN_SECONDS = 1.0
# A signal handler does not end a wait by itself, so no wait is longer.
_LONGEST_WAIT_SECONDS = 1.0

T = TypeVar("T")


class Custody:
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
        self.monitor = Monitor(attempt)
        self.pulse = Pulse(attempt)
        self.was_told_to_leave = False
        self.script_started_at: datetime | None = None

    @property
    def started_at(self) -> str:
        """Return when the script started, in ISO 8601, or nothing."""
        return self.script_started_at.isoformat() if self.script_started_at else ""

    def ask_to_leave(self) -> None:
        """Let the script be stopped because this process is asked to end."""
        self.was_told_to_leave = True

    def tell(self, tell: Callable[[], T]) -> T:
        """Tell the database something that must be known before we go on, unless the run is to stop meanwhile."""

        def checked() -> T:
            self.pulse.check()
            return tell()

        return patience.persist(checked)

    def advance(self, to: RunStatus) -> None:
        """Move the run on. Raises Fenced or ToStop if it is no longer ours to move."""
        run = self.run
        while True:
            if run.attempt_number != self.attempt.number or run.status not in CLAIMED:
                raise Fenced
            if run.status == RunStatus.CANCEL_REQUESTED:
                raise ToStop
            if run.status == to:
                return
            try:
                lifecycle.move(run, to, at=host.now(), actor="supervisor", attempt=self.attempt.number)
                return
            except lifecycle.LostRace:
                run = Run.objects.get(pk=self.run.pk)

    def wait(self, deadline: float | None) -> None:
        """Wait until the tree or the pulse has news, a signal came, or it is `deadline`."""
        left = _LONGEST_WAIT_SECONDS if deadline is None else max(0.0, deadline - time.monotonic())
        ready, _, _ = select.select([self.tree.fileno(), self.pulse.heard], [], [], min(left, _LONGEST_WAIT_SECONDS))
        if self.pulse.heard in ready:
            os.eventfd_read(self.pulse.heard)
        self.tree.wait(0)

    def pump(self, name: str, *, follow: bool = False) -> "PipePump":
        """Return a pump into the attempt's log `name`, which follows the files under `logs/` too if asked to."""
        place: dict[str, Any] = {
            "limit_bytes": settings.STUDIO_LOG_BYTES,
            "overflow": self.folder / f"overflow-{Path(name).stem}",
        }
        path = storage.attempt_path(self.attempt.number, name)
        follower = Follower(self.code / "logs", self.run.pk, self.attempt.number, **place) if follow else None
        return PipePump(LogWriter(self.run.pk, path, **place), follower)

    def start_in_tree(self, command: Command, pump: "PipePump") -> None:
        """Start a program in the attempt's tree, its output in `pump`."""
        try:
            self.tree.start(command, output=pump.write_end)
        except CannotStart:
            pump.start()
            raise
        finally:
            os.close(pump.write_end)
        pump.start()

    def end_tree(self, pump: Pump) -> None:
        """Kill what the script left behind and take in the last of its output."""
        if not pump.is_finished:
            left = self.tree.kill()
            if left:
                self.system_log.say(f"{left} processes could not be killed.")
            pump.finish(timeout_seconds=DRAIN_SECONDS)


class PipePump(Pump):
    """A pump with a pipe of its own."""

    def __init__(self, writer: LogWriter, follower: Follower | None) -> None:
        read_end, self.write_end = os.pipe2(os.O_CLOEXEC)
        super().__init__(read_end, writer, follower)
