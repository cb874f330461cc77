"""The processes that `manage.py up` keeps alive. Knows processes and pipes, and nothing of what runs in them.

Children are forked and not executed anew: the parent has loaded the product once, and they
share its memory (measured: less than half of what four interpreters take). Forking is safe
because the parent has one thread; keep it so.
"""

import contextlib
import ctypes
import os
import selectors
import signal
import socket
import sys
import time
import traceback
from collections.abc import Callable, Iterable

# A child that lived this long was healthy: its next end is a new trouble and not the same one.
_HEALTHY_SECONDS = 30
_LONGEST_PAUSE_SECONDS = 30
_PR_SET_PDEATHSIG, _PR_SET_NAME = 1, 15
_libc = ctypes.CDLL(None) if sys.platform == "linux" else None

Say = Callable[[str, str], None]


class Child:
    """One process: what it runs, and how it fares. `run` is called in the child, which ends with it."""

    def __init__(self, name: str, run: Callable[[], object]) -> None:
        self.name = name
        self.run = run
        self.pid: int | None = None
        self.started_at = 0.0
        self.failure_count = 0
        # When to start it again, as `time.monotonic` counts; None while it runs or is to stay down.
        self.due_at: float | None = None
        self.reader: int | None = None
        self.buffer = b""


class Children:
    """Starts children, passes their lines on, and starts again what ends by itself."""

    def __init__(self, say: Say) -> None:
        self._say = say
        self._children: list[Child] = []
        self._selector = selectors.DefaultSelector()
        # Signals wake the select below through this pair.
        self._wake_reader, self._wake_writer = socket.socketpair()
        for end in (self._wake_reader, self._wake_writer):
            end.setblocking(False)
        self._selector.register(self._wake_reader, selectors.EVENT_READ)
        signal.set_wakeup_fd(self._wake_writer.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)

    def add(self, child: Child) -> None:
        """Start `child` and watch over it."""
        self._children.append(child)
        self._start(child)

    def step(self, timeout_seconds: float) -> None:
        """Pass on what the children say, and see to those that ended, for at most `timeout_seconds`."""
        now = time.monotonic()
        pauses = [max(0.0, child.due_at - now) for child in self._children if child.due_at is not None]
        for key, _ in self._selector.select(min([timeout_seconds, *pauses])):
            if key.data is None:
                with contextlib.suppress(BlockingIOError):
                    self._wake_reader.recv(4096)
            else:
                self._read(key.data)
        for child in self._children:
            if child.pid is not None:
                self._reap(child)
            elif child.due_at is not None and time.monotonic() >= child.due_at:
                self._start(child)

    def stop(self, names: Iterable[str], *, timeout_seconds: float) -> None:
        """Ask the named children to end, wait for it, and kill what has not ended by then."""
        stopping = [child for child in self._children if child.name in set(names)]
        for child in stopping:
            child.due_at = None
            if child.pid is not None:
                os.kill(child.pid, signal.SIGTERM)
        self._children = [child for child in self._children if child not in stopping]
        deadline = time.monotonic() + timeout_seconds
        while any(child.pid is not None for child in stopping) and time.monotonic() < deadline:
            self.step(0.05)
            for child in stopping:
                self._collect(child)
        for child in stopping:
            if child.pid is not None:
                _kill_group(child.pid)
                os.waitpid(child.pid, 0)
                self._ended(child, child.pid)

    def _start(self, child: Child) -> None:
        reader, writer = os.pipe()
        parent = os.getpid()
        sys.stdout.flush()
        sys.stderr.flush()
        pid = os.fork()
        if pid == 0:
            self._become(child, writer, parent)
        os.close(writer)
        os.set_blocking(reader, False)
        child.pid, child.reader, child.due_at, child.started_at = pid, reader, None, time.monotonic()
        self._selector.register(reader, selectors.EVENT_READ, child)

    def _become(self, child: Child, writer: int, parent: int) -> None:
        """Turn this forked process into `child`. Never returns."""
        code = 1
        try:
            signal.set_wakeup_fd(-1)
            for number in (signal.SIGCHLD, signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                signal.signal(number, signal.SIG_DFL)
            # A session of its own: Ctrl-C at the terminal is for the parent, which stops all in order.
            os.setsid()
            _die_with(parent, name=f"studio-{child.name}")
            self._selector.close()
            null = os.open(os.devnull, os.O_RDONLY)
            for source, target in ((null, 0), (writer, 1), (writer, 2)):
                os.dup2(source, target)
            sys.stdout = open(1, "w", buffering=1, closefd=False)  # noqa: SIM115
            sys.stderr = open(2, "w", buffering=1, closefd=False)  # noqa: SIM115
            child.run()
            code = 0
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else int(end.code is not None)
        except BaseException:
            traceback.print_exc()
        finally:
            with contextlib.suppress(OSError, ValueError):
                sys.stdout.flush()
            os._exit(code)

    def _reap(self, child: Child) -> None:
        """See whether `child` ended by itself, and then say so and plan its next start."""
        lived_seconds = time.monotonic() - child.started_at
        status = self._collect(child)
        if status is None:
            return
        child.failure_count = 1 if lived_seconds >= _HEALTHY_SECONDS else child.failure_count + 1
        pause = min(2 ** (child.failure_count - 1), _LONGEST_PAUSE_SECONDS)
        child.due_at = time.monotonic() + pause
        self._say("up", f"{child.name} ended ({_how(status)}); starting it again in {pause} s")

    def _collect(self, child: Child) -> int | None:
        """Return the wait status of `child` if it has just ended, else None."""
        if child.pid is None:
            return None
        pid, status = os.waitpid(child.pid, os.WNOHANG)
        if pid == 0:
            return None
        self._ended(child, pid)
        return status

    def _ended(self, child: Child, pid: int) -> None:
        # What it left in its group, such as a web server's own worker, would hold on to the port.
        _kill_group(pid)
        self._read(child)
        if child.buffer:
            self._say(child.name, child.buffer.decode(errors="replace"))
        self._close(child)
        child.pid, child.buffer = None, b""

    def _read(self, child: Child) -> None:
        if child.reader is None:
            return
        try:
            piece = os.read(child.reader, 65536)
        except BlockingIOError:
            return
        if not piece:
            self._close(child)
        *lines, child.buffer = (child.buffer + piece).split(b"\n")
        for line in lines:
            self._say(child.name, line.decode(errors="replace"))

    def _close(self, child: Child) -> None:
        if child.reader is not None:
            self._selector.unregister(child.reader)
            os.close(child.reader)
            child.reader = None


def _kill_group(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def _die_with(parent: int, *, name: str) -> None:
    """Have the kernel end this process with its parent, and show it as `name` in `top`. Linux only."""
    if _libc is not None:
        _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        _libc.prctl(_PR_SET_NAME, name.encode())
        if os.getppid() != parent:  # it was gone before the kernel was asked
            os._exit(0)


def _how(status: int) -> str:
    if os.WIFSIGNALED(status):
        return f"by {signal.Signals(os.WTERMSIG(status)).name}"
    return f"with exit code {os.WEXITSTATUS(status)}"
