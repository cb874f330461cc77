"""A process tree that can be killed whole. Knows argv, environment, signals; pure: no Django.

The tree hangs on a shim (see `shim`). How sure the kill is depends on the tier: in a
process id `namespace` the kernel itself kills everybody, and nobody can leave it; in a
`cgroup` too, but a script that is allowed to can leave it; as a `subreaper` the shim
walks /proc until nobody is left, which a fork storm may outrun.
"""

import json
import os
import select
import signal
import socket
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from runs.execution import cgroup, kernel, shim

_ANSWER_SECONDS = 30.0
_KILL_ANSWER_SECONDS = 10.0


class Tier(StrEnum):
    """The ways to kill a process tree, the strongest first."""

    NAMESPACE = "namespace"
    CGROUP = "cgroup"
    SUBREAPER = "subreaper"


class CannotStart(Exception):
    """The system refused to start the program."""


class CannotContain(Exception):
    """The system refused to make a process tree of this tier."""


@dataclass(frozen=True)
class User:
    """Somebody else than the one that this process belongs to, as the system's list of users has them."""

    name: str
    uid: int
    gid: int
    groups: tuple[int, ...]
    home: str


@dataclass(frozen=True)
class Command:
    """What to start: argv, its whole environment, its folder, limits of each process (None is none), as whom."""

    argv: Sequence[str]
    environment: Mapping[str, str]
    folder: str
    limits: Mapping[str, int | None] = field(default_factory=dict)
    # None is the user of this process; anybody else needs root.
    user: User | None = None


@dataclass(frozen=True)
class Exit:
    """How a program ended: by itself with `code`, or by `signal`."""

    code: int | None
    signal: int | None

    @classmethod
    def of(cls, status: int) -> "Exit":
        """Read Python's convention, in which a negative number is a signal."""
        return cls(None, -status) if status < 0 else cls(status, None)


def strongest_tier() -> Tier:
    """Return the strongest tier that works here, by trying. For processes of one thread: it forks."""
    # In a child, because whoever makes a tree becomes the reaper of its descendants for good.
    child = os.fork()
    if child == 0:
        works = [tier for tier in Tier if _works(tier)]
        os._exit(list(Tier).index(works[0]) if works else 255)
    _, status = os.waitpid(child, 0)
    index = os.waitstatus_to_exitcode(status)
    return list(Tier)[index] if 0 <= index < len(Tier) else Tier.SUBREAPER


def _works(tier: Tier) -> bool:
    try:
        with ProcessTree(tier) as tree, open(os.devnull, "wb") as nothing:  # noqa: PTH123
            tree.start(Command(["/bin/true"], {}, "/"), output=nothing.fileno())
            return tree.wait(5) == Exit(0, None)
    except Exception:  # this child must end in the exit below, whatever the system refused
        return False


class ProcessTree:
    """One tree, in which one program after another may be started. Make it before any thread starts: it forks.

    Its programs let others come first at the processor, by `nicer` steps more than this process does.
    """

    def __init__(self, tier: Tier, *, nicer: int = 0) -> None:
        kernel.become_subreaper()  # of the shim itself, and of its children should it be killed
        self.tier = tier
        self.exit: Exit | None = None
        try:
            self._group = cgroup.Group() if tier is Tier.CGROUP else None
        except OSError as error:
            raise CannotContain(f"no process tree of tier {tier}: {error}") from error
        self._channel, theirs = socket.socketpair()
        self._received = b""
        self._running = False
        forked = os.fork()
        if forked == 0:
            self._channel.close()
            shim.main(theirs, in_namespace=tier is Tier.NAMESPACE, group=self._group, nicer=nicer)
        theirs.close()
        answer = self._await("ready")
        if answer is None:
            os.waitpid(forked, 0)
            if self._group:
                self._group.remove()
            raise CannotContain(f"no process tree of tier {tier}")
        self._shim = int(answer["pid"])
        if self._shim != forked:
            os.waitpid(forked, 0)

    def __enter__(self) -> "ProcessTree":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def fileno(self) -> int:
        """Return a descriptor that is readable when there is news for `wait`."""
        return self._channel.fileno()

    def start(self, command: Command, *, output: int) -> None:
        """Start a program whose both streams go to the descriptor `output`. Raises CannotStart."""
        self.exit = None
        message = {
            "do": "start",
            "argv": list(command.argv),
            "environment": dict(command.environment),
            "folder": command.folder,
            "limits": dict(command.limits),
            "user": [command.user.uid, command.user.gid, list(command.user.groups)] if command.user else None,
        }
        data = json.dumps(message).encode() + b"\n"
        try:
            sent = socket.send_fds(self._channel, [data], [output])
            self._channel.sendall(data[sent:])
        except OSError as error:
            raise CannotStart(f"the process tree is gone: {error}") from error
        answer = self._await("started", "refused")
        if answer is None:
            raise CannotStart("the process tree is gone")
        if answer["event"] == "refused":
            raise CannotStart(answer["message"])
        self._running = True

    def wait(self, timeout_seconds: float | None) -> Exit | None:
        """Wait for the program's end; return it, or None when the time is over."""
        deadline = None if timeout_seconds is None else time.monotonic() + timeout_seconds
        while self.exit is None:
            left = None if deadline is None else max(0.0, deadline - time.monotonic())
            if not self._receive(left):
                break
        return self.exit

    def signal(self, number: int) -> None:
        """Send a signal to every process of the tree, stopped ones included."""
        self._send({"do": "signal", "number": number})

    def kill(self) -> int:
        """Kill every process of the tree; return how many could not be killed."""
        self._send({"do": "kill"})
        answer = self._await("killed", timeout_seconds=_KILL_ANSWER_SECONDS)
        if answer is not None and not answer["left"]:
            return 0
        # The shim was killed or stopped, or is outrun. Its end is that of its namespace; else take its place.
        with suppress(ProcessLookupError):
            os.kill(self._shim, signal.SIGKILL)
        if self._group:
            self._group.kill()
        return kill_descendants()

    def close(self) -> None:
        """Kill what is left and let the shim go. Closing twice does nothing."""
        if self._channel.fileno() < 0:
            return
        self._channel.close()
        with suppress(ChildProcessError):
            os.waitpid(self._shim, 0)
        if self._group:
            self._group.remove()

    def _send(self, message: dict[str, Any]) -> None:
        with suppress(OSError):
            self._channel.sendall(json.dumps(message).encode() + b"\n")

    def _await(self, *events: str, timeout_seconds: float = _ANSWER_SECONDS) -> dict[str, Any] | None:
        """Return the next message of one of these kinds, or None if the shim is gone or silent."""
        deadline = time.monotonic() + timeout_seconds
        while time.monotonic() < deadline:
            message = self._take()
            if message and message["event"] == "broken":
                return None
            if message and message["event"] in events:
                return message
            if message is None and not self._fill(max(0.0, deadline - time.monotonic())):
                return None
        return None

    def _receive(self, timeout_seconds: float | None) -> bool:
        """Take in one message; return False when the time is over."""
        if self._take() is not None:
            return True
        if not self._is_readable(timeout_seconds):
            return False
        if not self._fill(0):
            # A shim dies by force only, and with it its namespace, or its script.
            self.exit = Exit(None, int(signal.SIGKILL))
        return True

    def _is_readable(self, timeout_seconds: float | None) -> bool:
        waiting = select.poll()
        waiting.register(self._channel, select.POLLIN)
        return bool(waiting.poll(None if timeout_seconds is None else timeout_seconds * 1000))

    def _fill(self, timeout_seconds: float) -> bool:
        """Read what the shim sent, waiting at most so long; return False if nothing came or it is gone."""
        if not self._is_readable(timeout_seconds):
            return False
        try:
            data = self._channel.recv(65536)
        except OSError:
            data = b""
        self._received += data
        return bool(data)

    def _take(self) -> dict[str, Any] | None:
        """Return one whole message that has arrived, remembering an end; None if there is none."""
        line, newline, rest = self._received.partition(b"\n")
        if not newline:
            return None
        self._received = rest
        message: dict[str, Any] = json.loads(line)
        if message["event"] == "ended":
            self.exit = Exit.of(message["status"])
        return message


def kill_descendants(*, timeout_seconds: float = 5.0) -> int:
    """Kill and reap every descendant of this process; return how many could not be killed."""
    deadline = time.monotonic() + timeout_seconds
    while True:
        found = kernel.descendants(os.getpid())
        for process in found:
            process.send(signal.SIGKILL)
        with suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        if not found or time.monotonic() > deadline:
            return len(found)
        time.sleep(0.005)
