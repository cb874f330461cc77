"""Starting supervisors fast: a small process that has Django loaded forks them.

Starting Python and Django takes 0.3 s of CPU for each run; a fork takes 5 ms. The
launcher has one thread and no open connection, so forking it is safe. Supervisors are
detached from it twice over: the end of launcher or worker does not touch them.
"""

import gc
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
from contextlib import suppress
from typing import NoReturn

from django.conf import settings
from django.db import connections

from runs.execution import host

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


def stop() -> None:
    """Let the launcher of this process go. Supervisors stay."""
    _launcher.stop()


def _spawn(*arguments: str, stdin: int) -> "subprocess.Popen[bytes]":
    log = host.log_file()
    log.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with log.open("ab") as output:
        return subprocess.Popen(
            [sys.executable, "-m", "runs.execution", *arguments],
            cwd=settings.BASE_DIR,
            stdin=stdin,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )


class _Launcher:
    """The worker's end: a child process and the socket to it. Threads take turns."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._channel: socket.socket | None = None
        self._tier = ""

    def warm_up(self) -> str:
        with self._lock:
            self._ensure()
            return self._tier

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
        if self._channel is not None and self._process is not None and self._process.poll() is None:
            return self._channel
        self._discard()
        ours, theirs = socket.socketpair()
        with theirs:
            self._process = _spawn("launcher", stdin=theirs.fileno())
        self._channel = ours
        ours.settimeout(_START_SECONDS)
        word, _, tier = ours.recv(64).decode().strip().partition(" ")
        if word != "ready":
            raise OSError(f"it ended while it started, see {host.log_file()}")
        self._tier = tier
        ours.settimeout(_ANSWER_SECONDS)
        return ours

    def _discard(self) -> None:
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


def serve() -> None:
    """Fork a supervisor for each line on standard input, until it closes. The launcher's own end."""
    from runs.execution import process, supervisor  # the point of this process is to have them loaded

    channel = socket.socket(fileno=os.dup(0))
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)
    os.close(null)
    tier = process.strongest_tier()
    supervisor.load()
    connections.close_all()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    gc.collect()
    gc.freeze()
    channel.sendall(f"ready {tier}\n".encode())
    received = b""
    while data := channel.recv(4096):
        *lines, received = (received + data).split(b"\n")
        for line in lines:
            _fork(int(line), tier, channel)
            channel.sendall(b"ok\n")


def _fork(attempt_id: int, tier: str, channel: socket.socket) -> None:
    """Fork twice: the supervisor becomes nobody's child, in a session of its own."""
    child = os.fork()
    if child == 0:
        os.setsid()
        if os.fork() == 0:
            channel.close()
            run_supervisor(attempt_id, tier)
        os._exit(0)
    os.waitpid(child, 0)


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
