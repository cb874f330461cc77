"""From a script's pipe and its `logs/` folder into the store, byte by byte, whatever the bytes are.

The pipe is drained always and at once: neither a full disk nor a full log may stop a script.
"""

import math
import os
import select
import threading
import time
from collections import deque
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from stat import S_ISREG

from runs import storage

BLOCK_BYTES = 65536
# A pipe holds one block; somebody who could not be killed may go on filling it.
_PIPES = 16
_ERROR_BYTES = 16384
_ERROR_LINES = 20
_FOLLOW_SECONDS = 0.5
_FOLLOW_BYTES_A_PASS = 4 * 2**20


class LogWriter:
    """One log of a run, with a cap: its first and last halves are kept and the gap between is announced."""

    def __init__(self, run_pk: int, name: str, *, limit_bytes: int, overflow: Path) -> None:
        self._run_pk = run_pk
        self._name = name
        self._head_bytes = limit_bytes // 2
        self._tail_bytes = limit_bytes - self._head_bytes
        self._overflow = overflow
        self._offset = storage.log_size(run_pk, name)
        self._passed_bytes = 0
        self._refused_bytes = 0
        # The end of an announcement for which there was no room.
        self._owed = b""

    @property
    def lost_bytes(self) -> int:
        """Return how much was lost that the log itself does not announce yet."""
        return self._refused_bytes

    def write(self, data: bytes) -> None:
        """Take `data` in. Never raises for a disk that is full: what is lost is counted and announced."""
        room = max(0, self._head_bytes - self._offset)
        if room or not data:
            self._append(data[:room])
        if len(data) > room:
            self._pass(data[room:])

    def close(self) -> None:
        """Append what was held back: the gap, and the tail after it; what a full disk swallowed last."""
        if self._passed_bytes:
            self._append_tail()
        if self._refused_bytes or self._owed:
            self._append(b"")

    def _append_tail(self) -> None:
        kept = min(self._passed_bytes, self._tail_bytes)
        self._append(f"\n[studio: {self._passed_bytes - kept} bytes are left out here]\n".encode())
        with suppress(FileNotFoundError), self._overflow.open("rb") as ring:
            start = self._passed_bytes % self._tail_bytes if self._passed_bytes > self._tail_bytes else 0
            for position, end in ((start, kept), (0, start)):
                ring.seek(position)
                while position < end and (block := ring.read(min(2**20, end - position))):
                    self._append(block)
                    position += len(block)
            self._overflow.unlink()
        self._passed_bytes = 0

    def _pass(self, data: bytes) -> None:
        """Keep `data` in a ring on disk, of which only the end counts."""
        if not self._passed_bytes:
            self._append(
                f"\n[studio: this log is longer than {self._head_bytes} bytes; the last {self._tail_bytes} of what"
                " follows are shown when the run ends]\n".encode()
            )
        try:
            descriptor = os.open(self._overflow, os.O_WRONLY | os.O_CREAT, 0o600)
            try:
                rest = memoryview(data)
                while rest:
                    position = self._passed_bytes % self._tail_bytes
                    written = os.pwrite(descriptor, rest[: self._tail_bytes - position], position)
                    self._passed_bytes += written
                    rest = rest[written:]
            finally:
                os.close(descriptor)
        except OSError:
            self._refused_bytes += len(data)

    def _append(self, data: bytes) -> None:
        words = self._owed
        if self._refused_bytes:
            words += f"\n[studio: {self._refused_bytes} bytes were lost: no room on the disk]\n".encode()
        try:
            self._offset = storage.append_log(self._run_pk, self._name, words + data, offset=self._offset)
            self._owed, self._refused_bytes = b"", 0
        except OSError:
            # Some of it may have found room; words that were begun are finished later.
            written = 0
            with suppress(OSError):
                written = storage.log_size(self._run_pk, self._name) - self._offset
                self._offset += written
            if written > len(self._owed):
                self._owed, self._refused_bytes = words[written:], 0
            else:
                self._owed = self._owed[written:]
            self._refused_bytes += len(data[max(0, written - len(words)) :])


class SystemLog:
    """The system's own words about a run, a line each."""

    def __init__(self, run_pk: int, attempt_number: int) -> None:
        self._run_pk = run_pk
        self._name = storage.attempt_path(attempt_number, "system_logs/run.txt")
        self._offset: int | None = None

    def begin(self) -> None:
        """Make it, if it is not there. Raises OSError where logs cannot be kept at all: then nothing is started."""
        storage.append_log(self._run_pk, self._name, b"", offset=0)

    def say(self, text: str) -> None:
        """Add a line. A full disk is no reason to fail a run."""
        line = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%fZ} {text}\n".encode(errors="replace")
        with suppress(OSError):
            if self._offset is None:
                self._offset = storage.log_size(self._run_pk, self._name)
            offset, self._offset = self._offset, None  # after an error it is asked for again
            self._offset = storage.append_log(self._run_pk, self._name, line, offset=offset)


class Pump(threading.Thread):
    """The thread that drains one pipe into one log, and follows the files of one folder beside it."""

    def __init__(self, pipe: int, writer: LogWriter, follower: "Follower | None" = None) -> None:
        super().__init__(name="pump", daemon=True)
        self._pipe = pipe
        self._writer = writer
        self._follower = follower
        self._latest: deque[bytes] = deque()
        self._latest_bytes = 0
        self._deadline: float | None = None
        self.is_finished = False

    def run(self) -> None:
        """Drain until the last writer is gone, or `finish` says that it has been long enough."""
        self._writer.write(b"")  # the log is there from the start
        os.set_blocking(self._pipe, False)
        poll = select.poll()
        poll.register(self._pipe, select.POLLIN)
        next_look = time.monotonic() + _FOLLOW_SECONDS
        while self._deadline is None or time.monotonic() < self._deadline:
            if poll.poll(50 if self._deadline else _FOLLOW_SECONDS * 1000) and self._take_in() == 0:
                break
            if self._follower and time.monotonic() > next_look:
                self._follower.look()
                next_look = time.monotonic() + _FOLLOW_SECONDS
        else:
            # All of that time may have passed while this process was stopped: what the pipe holds counts.
            for _ in range(_PIPES):
                if not self._take_in():
                    break

    def _take_in(self) -> int | None:
        """Take one block from the pipe; return its size, 0 when the last writer is gone, None if nothing is there."""
        try:
            data = os.read(self._pipe, BLOCK_BYTES)
        except BlockingIOError:
            return None
        if data:
            self._remember(data)
            self._writer.write(data)
        return len(data)

    def finish(self, *, timeout_seconds: float) -> None:
        """Take what is still in the pipe, stop, and complete the logs. The writers should be dead by now."""
        self.is_finished = True
        self._deadline = time.monotonic() + timeout_seconds
        # Second by second: time that passes while this process is stopped is no time for the thread to end.
        for _ in range(math.ceil(timeout_seconds) + 5):
            self.join(1)
        self._writer.close()
        if self._follower:
            self._follower.look(to_the_end=True)
            self._follower.close()

    @property
    def lost_bytes(self) -> int:
        """Return how much output a full disk swallowed without a word in the log."""
        return self._writer.lost_bytes

    def last_words(self) -> str:
        """Return what the script said last: its traceback if it ended with one, else its last lines."""
        text = b"".join(self._latest)[-_ERROR_BYTES:].decode(errors="replace")
        text = text.replace("\r\n", "\n").replace("\0", "\ufffd").rstrip()
        # Of a progress bar only its latest state was ever visible.
        text = "\n".join(line.rpartition("\r")[2] for line in text.split("\n"))
        _, mark, traceback = text.rpartition("Traceback (most recent call last):")
        return mark + traceback if mark else "\n".join(text.split("\n")[-_ERROR_LINES:])

    def _remember(self, data: bytes) -> None:
        self._latest.append(data)
        self._latest_bytes += len(data)
        while self._latest_bytes - len(self._latest[0]) >= _ERROR_BYTES:
            self._latest_bytes -= len(self._latest.popleft())


class Follower:
    """The script's own files under `logs/`, taken over as they grow."""

    def __init__(self, folder: Path, run_pk: int, attempt_number: int, *, limit_bytes: int, overflow: Path) -> None:
        self._folder = folder
        self._run_pk = run_pk
        self._attempt_number = attempt_number
        self._limit_bytes = limit_bytes
        self._overflow = overflow
        self._files: dict[str, tuple[LogWriter, int]] = {}

    def look(self, *, to_the_end: bool = False) -> None:
        """Take over what is new: all of it, or so much that the pipe need not wait."""
        for folder, _, names, descriptor in os.fwalk(self._folder):
            for name in sorted(names):
                path = str((Path(folder) / name).relative_to(self._folder))
                with suppress(OSError, storage.BadPath):
                    self._take(path, name, descriptor, to_the_end=to_the_end)

    def close(self) -> None:
        """Complete the logs that passed the cap."""
        for writer, _ in self._files.values():
            writer.close()

    def _take(self, path: str, name: str, folder: int, *, to_the_end: bool) -> None:
        # Never through a link, and never waiting at a pipe that the script put there.
        descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=folder)
        try:
            status = os.fstat(descriptor)
            if not S_ISREG(status.st_mode):
                return
            if path not in self._files:
                self._files[path] = self._writer(path), 0
                self._files[path][0].write(b"")
            writer, offset = self._files[path]
            if status.st_size < offset:
                offset = 0  # the script began the file anew
            budget = status.st_size if to_the_end else _FOLLOW_BYTES_A_PASS
            while budget > 0 and (block := os.pread(descriptor, min(2**20, budget), offset)):
                writer.write(block)
                offset += len(block)
                budget -= len(block)
            self._files[path] = writer, offset
        finally:
            os.close(descriptor)

    def _writer(self, path: str) -> LogWriter:
        name = storage.attempt_path(self._attempt_number, f"logs/{path}")
        storage.check_path(name)
        return LogWriter(
            self._run_pk,
            name,
            limit_bytes=self._limit_bytes,
            overflow=self._overflow.with_name(f"{self._overflow.name}.{len(self._files)}"),
        )
