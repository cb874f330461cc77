"""Starting supervisors fast: a small process that has Django loaded forks them.

Starting Python and Django takes 0.3 s of CPU for each run; a fork takes 5 ms. The
launcher has one thread and no open connection, so forking it is safe. Supervisors have
sessions of their own: the end of launcher or worker does not touch them.
"""

import logging
import os
import resource
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import NoReturn

from django.conf import settings
from django.db import connections

from runs import dispatch
from runs.execution import bell, host, kernel

logger = logging.getLogger(__name__)

_START_SECONDS = 20.0
_ANSWER_SECONDS = 5.0


def start(attempt_id: int) -> None:
    """Start the supervisor of an attempt, detached from this process, through the launcher or without it."""
    if not _launcher.start(attempt_id):
        logger.warning("No launcher: starting the supervisor of attempt %s by itself.", attempt_id)
        _spawn("supervisor", str(attempt_id), stdin=subprocess.DEVNULL)


def warm_up() -> str:
    """Start the launcher if it is not there, so that no run waits for it; return the kill tier that it found."""
    return _launcher.warm_up()


def fork() -> None:
    """Start the launcher as a fork of this process, whose memory it then shares, and every supervisor with it.

    For a process that has one thread and no open connection yet; elsewhere `warm_up` starts one anew.
    """
    _launcher.fork()


def stop() -> None:
    """Let the launcher of this process go. Supervisors stay."""
    _launcher.stop()


def _spawn(*arguments: str, stdin: int, passed: Sequence[int] = ()) -> "subprocess.Popen[bytes]":
    log = host.log_file()
    log.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with log.open("ab") as output:
        return subprocess.Popen(
            [sys.executable, "-m", "runs.execution", *arguments],
            cwd=settings.BASE_DIR,
            stdin=stdin,
            stdout=output,
            stderr=output,
            pass_fds=passed,
            start_new_session=True,
        )


class _Forked:
    """A forked child, with what is used of `subprocess.Popen`."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._has_ended = False

    def poll(self) -> int | None:
        if not self._has_ended:
            with suppress(ChildProcessError):
                self._has_ended = os.waitpid(self._pid, os.WNOHANG)[0] != 0
        return 0 if self._has_ended else None

    def wait(self, timeout: float = 5.0) -> int:
        deadline = time.monotonic() + timeout
        while self.poll() is None:
            if time.monotonic() > deadline:
                raise subprocess.TimeoutExpired("launcher", timeout)
            time.sleep(0.01)
        return 0

    def kill(self) -> None:
        if not self._has_ended:
            os.kill(self._pid, signal.SIGKILL)


class _Launcher:
    """The worker's end: a child process and the socket to it. Threads take turns."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | _Forked | None = None
        self._channel: socket.socket | None = None
        # Empty until it has said that it is ready.
        self._tier = ""

    def warm_up(self) -> str:
        with self._lock:
            self._ensure()
            return self._tier

    def fork(self) -> None:
        with self._lock:
            ours, theirs = socket.socketpair()
            cord = bell.cord()
            pid = os.fork()
            if pid == 0:
                _serve_in_fork(theirs, cord)
            theirs.close()
            self._process, self._channel, self._tier = _Forked(pid), ours, ""

    def start(self, attempt_id: int) -> bool:
        with self._lock:
            # Once more with a fresh launcher; a supervisor started twice gives way by itself.
            return self._ask(attempt_id) or self._ask(attempt_id)

    def stop(self) -> None:
        with self._lock:
            self._discard()

    def _ask(self, attempt_id: int) -> bool:
        try:
            channel = self._ensure()
            channel.sendall(f"{attempt_id}\n".encode())
            if channel.recv(16) == b"ok\n":
                return True
        except OSError as error:
            logger.warning("The launcher does not answer: %s", error)
        self._discard()
        return False

    def _ensure(self) -> socket.socket:
        if self._channel is None or self._process is None or self._process.poll() is not None:
            self._discard()
            self._channel, theirs = socket.socketpair()
            with theirs:
                cord = bell.cord()
                self._process = _spawn("launcher", str(cord), stdin=theirs.fileno(), passed=[cord])
        if not self._tier:
            self._channel.settimeout(_START_SECONDS)
            word, _, tier = self._channel.recv(64).decode().strip().partition(" ")
            if word != "ready":
                raise OSError(f"it ended while it started, see {host.log_file()}")
            self._tier = tier
            self._channel.settimeout(_ANSWER_SECONDS)
        return self._channel

    def _discard(self) -> None:
        self._tier = ""
        if self._channel is not None:
            self._channel.close()  # the launcher sees this and leaves
            self._channel = None
        if self._process is not None:
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(0.5)
            if self._process.poll() is None:
                self._process.kill()
                self._process.wait()
            self._process = None


_launcher = _Launcher()


def _serve_in_fork(channel: socket.socket, cord: int) -> NoReturn:
    """Be the launcher, in a child that was just forked: keep nothing of the parent's but its memory."""
    status = 1
    try:
        os.setsid()
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD):
            signal.signal(number, signal.SIG_DFL)
        os.dup2(channel.fileno(), 0)
        host.log_file().parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        log = os.open(host.log_file(), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(log, 1)
        os.dup2(log, 2)
        # Locks and sockets of the parent's would live on in every supervisor.
        os.closerange(3, cord)
        os.closerange(cord + 1, resource.getrlimit(resource.RLIMIT_NOFILE)[1])
        serve(cord)
        status = 0
    except BaseException:
        logger.exception("The launcher broke.")
    finally:
        os._exit(status)


def serve(cord: int) -> None:
    """Fork a supervisor for each line on standard input, until it closes. The launcher's own end.

    With `cord` supervisors ring the worker's bell.
    """
    from runs.execution import process, supervisor  # the point of this process is to have them loaded

    kernel.be_nicer(host.niceness()[0])
    channel = socket.socket(fileno=os.dup(0))
    # Made while kombu connects, it is not: for that time a default timeout holds in the whole worker.
    channel.setblocking(True)
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)
    os.close(null)
    os.set_inheritable(cord, False)
    dispatch.hold_cord(cord)
    tier = process.strongest_tier()
    supervisor.load()
    connections.close_all()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # Nobody waits for a supervisor: the kernel forgets those that have ended.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    kernel.tidy_memory()
    channel.sendall(f"ready {tier}\n".encode())
    received = b""
    while data := channel.recv(4096):
        *lines, received = (received + data).split(b"\n")
        for line in lines:
            _fork(int(line), tier, channel)
            channel.sendall(b"ok\n")


def _fork(attempt_id: int, tier: str, channel: socket.socket) -> None:
    """Fork the supervisor, into a session of its own."""
    if os.fork() == 0:
        os.setsid()
        kernel.be_nice_as_a_session(os.getpid())
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        channel.close()
        run_supervisor(attempt_id, tier)


def run_supervisor(attempt_id: int, tier: str) -> NoReturn:
    """Supervise in this process, and end it."""
    from runs.execution import process, supervisor

    status = 1
    try:
        supervisor.main(attempt_id, process.Tier(tier))
        status = 0
    except BaseException:
        logger.exception("The supervisor of attempt %s broke.", attempt_id)
    finally:
        logging.shutdown()
        os._exit(status)
