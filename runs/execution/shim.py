"""The small process between a supervisor and a script: starts it, reaps all, kills all. Pure: knows no Django.

A shim is forked by its supervisor and obeys messages on a socket. It is process 1 of a
namespace where that works, else the reaper of whatever its script leaves behind, with a
control group around the script where it may have one. If its supervisor vanishes, the
socket closes, and the shim kills everything and leaves.
"""

import json
import os
import resource
import select
import signal
import socket
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

from runs.execution import cgroup, kernel

_KILL_SECONDS = 5.0
_NICE_PAUSE_MILLISECONDS = 100
_RLIMITS = {
    "memory_bytes": resource.RLIMIT_AS,
    "process_count": resource.RLIMIT_NPROC,
    "cpu_seconds": resource.RLIMIT_CPU,
    "file_bytes": resource.RLIMIT_FSIZE,
}


def main(channel: socket.socket, *, in_namespace: bool, group: cgroup.Group | None, nicer: int) -> NoReturn:
    """Serve `channel` until it closes, in a child that was just forked. Never returns."""
    status = 0
    try:
        # In the session of the supervisor, which counts as nice already.
        os.setpgid(0, 0)
        _close_all_but(channel.fileno())
        if in_namespace:
            kernel.enter_namespaces()
            if os.fork():
                os._exit(0)
            # The old /proc still tells our number out there.
            pid = int(Path("/proc/self").readlink().name)
            kernel.mount_own_proc()
            _number_processes_high()
        else:
            pid = os.getpid()
            kernel.become_subreaper()
        kernel.hide_memory()
        channel.sendall(json.dumps({"event": "ready", "pid": pid}).encode() + b"\n")
        _Shim(channel, in_namespace=in_namespace, group=group, nicer=nicer).serve()
    except BaseException as error:  # a forked child must never return into its parent's code
        status = 1
        with suppress(OSError):
            channel.sendall(json.dumps({"event": "broken", "message": repr(error)}).encode() + b"\n")
    finally:
        os._exit(status)


def _close_all_but(kept: int) -> None:
    null = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(null, standard)
    os.closerange(3, kept)
    os.closerange(kept + 1, resource.getrlimit(resource.RLIMIT_NOFILE)[1])


def _number_processes_high() -> None:
    """Keep the numbers in here apart from the low ones, which are the system's own out there.

    Somebody who reads "my pid is 2" in a log and kills it elsewhere hits a stranger.
    """
    with suppress(OSError, ValueError), open("/proc/sys/kernel/pid_max") as limit:  # noqa: PTH123
        start = int(limit.read()) * 3 // 4
        with open("/proc/sys/kernel/ns_last_pid", "w") as last:  # noqa: PTH123
            last.write(str(start + os.getpid() + time.monotonic_ns() % (start // 4)))


class _Shim:
    """One thread, one script at a time."""

    def __init__(self, channel: socket.socket, *, in_namespace: bool, group: cgroup.Group | None, nicer: int) -> None:
        self._channel = channel
        self._in_namespace = in_namespace
        self._group = group
        self._nicer = nicer
        self._leader: int | None = None
        self._is_nice = True
        self._received = b""
        self._descriptors: list[int] = []
        self._wake, wake = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        signal.signal(signal.SIGCHLD, lambda *_: None)

    def serve(self) -> None:
        """Answer messages and report the script's end, until the supervisor is gone."""
        actions: dict[str, Callable[..., None]] = {"start": self._start, "signal": self._signal, "kill": self._kill}
        poll = select.poll()
        poll.register(self._channel, select.POLLIN)
        poll.register(self._wake, select.POLLIN)
        while True:
            ready = {descriptor for descriptor, _ in poll.poll(None if self._is_nice else _NICE_PAUSE_MILLISECONDS)}
            if self._wake in ready:
                with suppress(BlockingIOError):
                    os.read(self._wake, 4096)
            self._reap()
            if not self._is_nice:
                self._is_nice = self._leader is None or kernel.be_nice_as_a_session(self._leader)
            if self._channel.fileno() in ready:
                try:
                    data, descriptors, _, _ = socket.recv_fds(self._channel, 65536, 1)
                except OSError:
                    data, descriptors = b"", []
                if not data:
                    # In a namespace the kernel kills everybody with its process 1.
                    if not self._in_namespace:
                        self._kill_all()
                    return
                self._received += data
                self._descriptors += descriptors
                *lines, self._received = self._received.split(b"\n")
                for line in lines:
                    message = json.loads(line)
                    actions[message.pop("do")](**message)

    def _tell(self, **message: Any) -> None:
        with suppress(OSError):  # gone: the next read says so
            self._channel.sendall(json.dumps(message).encode() + b"\n")

    def _start(
        self,
        *,
        argv: list[str],
        environment: dict[str, str],
        folder: str,
        limits: dict[str, int | None],
        user: tuple[int, int, list[int]] | None,
    ) -> None:
        """Start the script; its output goes where the descriptor that came with the message leads."""
        output = self._descriptors.pop(0)
        told, tell = os.pipe2(os.O_CLOEXEC)
        pid = os.fork()
        if pid == 0:
            try:
                if self._group:
                    self._group.enter()
                os.nice(self._nicer)
                _become(argv, environment, folder, limits, user, output, tell)
            except BaseException as error:
                number = getattr(error, "errno", None) or 0
                os.write(tell, json.dumps([number, str(error)[:1000]]).encode())
            finally:
                os._exit(127)
        os.close(tell)
        os.close(output)
        with os.fdopen(told, "rb") as handle:
            refusal = handle.read()
        if refusal:
            os.waitpid(pid, 0)
            number, text = json.loads(refusal)
            self._tell(event="refused", errno=number, message=text)
        else:
            self._leader = pid
            self._tell(event="started", pid=pid)
            # Not by the script's process itself before it is the script: it may not write its own files in /proc then.
            self._is_nice = kernel.be_nice_as_a_session(pid)

    def _signal(self, *, number: int) -> None:
        """Send a signal to everybody, and wake those that are stopped, or they would not hear it."""
        self._send_all(number)
        self._send_all(signal.SIGCONT)

    def _kill(self) -> None:
        left = self._kill_all()
        self._reap()
        self._tell(event="killed", left=left)

    def _everybody(self) -> list[kernel.ProcessId]:
        below = kernel.descendants(os.getpid())
        return list({*below, *self._group.processes()}) if self._group else below

    def _send_all(self, number: int) -> None:
        if self._in_namespace:
            # To all but process 1; nobody can slip through by forking meanwhile.
            with suppress(ProcessLookupError):
                os.kill(-1, number)
        else:
            for process in self._everybody():
                process.send(number)

    def _kill_all(self) -> int:
        """Kill until nobody is left, at most for five seconds; return how many are."""
        deadline = time.monotonic() + _KILL_SECONDS
        pause = 0.0005
        while True:
            if self._group:
                self._group.kill()
            self._send_all(signal.SIGKILL)
            self._reap()
            left = len(self._everybody())
            if not left or time.monotonic() > deadline:
                return left
            time.sleep(pause)
            pause = min(pause * 2, 0.02)

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            if pid == self._leader:
                self._leader = None
                self._tell(event="ended", status=os.waitstatus_to_exitcode(status))


def _become(
    argv: list[str],
    environment: dict[str, str],
    folder: str,
    limits: dict[str, int | None],
    user: tuple[int, int, list[int]] | None,
    output: int,
    tell: int,
) -> NoReturn:
    """Turn the forked child into the script."""
    os.setsid()
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGPIPE, signal.SIGXFSZ, signal.SIGCHLD):
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    os.umask(0o077)
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.set_inheritable(tell, False)
    os.closerange(3, tell)
    os.closerange(tell + 1, resource.getrlimit(resource.RLIMIT_NOFILE)[1])
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    for name, kind in _RLIMITS.items():
        value = limits.get(name)
        if value is not None:
            # At the lower of the two the kernel says which limit it was (SIGXCPU), at the upper it only kills.
            resource.setrlimit(kind, (value, value + 1 if kind == resource.RLIMIT_CPU else value))
    with suppress(OSError), open("/proc/self/oom_score_adj", "w") as score:  # noqa: PTH123
        score.write("500")  # short of memory, the system ends the script before the servers
    if user is not None:
        uid, gid, groups = user
        os.setgroups(groups)
        os.setgid(gid)
        os.setuid(uid)
        kernel.gain_no_privileges()
    # Only now: a change of user forgets it.
    kernel.die_with_parent()
    os.chdir(folder)
    os.execvpe(argv[0], argv, environment)  # noqa: S606


if __name__ == "__main__":  # pragma: no cover
    sys.exit("A shim is forked by its supervisor, see runs.execution.process.")
