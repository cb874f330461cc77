"""The way out for metrics: a queue in memory, one background thread, a spool file at the worst.

Logging is never in the way of a script: `put` only appends. The thread sends batches, in
order, each under an id of its own, so that one that is sent again is stored once. A server
that is away is tried again; one that stays away until the script's end costs one warning
and a file that `studio sync FILE` sends later.
"""

from __future__ import annotations

import atexit
import base64
import io
import itertools
import json
import os
import random
import sys
import tempfile
import threading
import time
import uuid
from collections import deque
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, NamedTuple, Optional

from studio_sdk import env, values
from studio_sdk.exceptions import AuthenticationException, ServerUnreachable, ServiceException
from studio_sdk.transport import Client, quote, quote_path

_INTERVAL_SECONDS = 0.5
_POINTS_PER_BATCH = 2_000
_BYTES_PER_BATCH = 4 << 20
# More points than this wait for a server that is away: they go to the spool file from then on.
_WAITING_POINTS = 1_000_000
_WARN_AFTER_SECONDS = 10.0
_EXIT_WAIT_SECONDS = 75.0
_LONGEST_PAUSE_SECONDS = 5.0


class Sink(NamedTuple):
    """Where points go: a run on a server."""

    client: Client
    run_id: str


class Image(NamedTuple):
    """The value of an image's point: a file that goes first, as an artifact."""

    path: str
    data: bytes


class Batch(NamedTuple):
    """Points on their way, with the id that makes sending them twice harmless, and the files they name."""

    sink: Sink
    batch_id: str
    points: list[dict[str, Any]]
    files: list[Image]


class Outbox:
    """The queue of one process. Use the module's `outbox`."""

    def __init__(self) -> None:
        # (sink, name, kind, value, step, seconds since the epoch); appending is atomic.
        self._queue: deque[tuple[Sink, str, str, Any, Optional[int], float]] = deque()
        self._wake = threading.Event()
        self._hurry = threading.Event()
        # Held while batches are taken and sent, so that order survives a flush from another thread.
        self._sending = threading.RLock()
        self._unsent: deque[Batch] = deque()
        self._thread: Optional[threading.Thread] = None
        self._gives_up_at: Optional[float] = None
        self._down_since: Optional[float] = None
        self._has_warned = False
        self._refused: set[str] = set()
        self._spool: Optional[Path] = None

    def put(self, sink: Sink, name: str, kind: str, value: Any, step: Optional[int], at: float) -> None:
        """Queue one point; never waits, never raises."""
        self._queue.append((sink, name, kind, value, step, at))
        if not self._wake._flag:  # type: ignore[attr-defined]
            self._start()

    def flush(self, timeout_seconds: float = 300.0) -> bool:
        """Wait until all that was put is sent or spooled, or the time is up; return whether all is."""
        ends_at = time.monotonic() + timeout_seconds
        self._hurry.set()
        while True:
            # Looked at under the lock only: a batch that the thread is just taking stands in neither list.
            if self._sending.acquire(timeout=max(0.0, min(0.5, ends_at - time.monotonic()))):
                try:
                    if self._send_waiting():
                        return True
                finally:
                    self._sending.release()
                time.sleep(min(0.2, max(0.0, ends_at - time.monotonic())))
            if time.monotonic() >= ends_at:
                return False

    def close(self) -> None:
        """Send what waits; write to the spool file what the server does not take in time."""
        wait = env.seconds(env.EXIT_WAIT_SECONDS, _EXIT_WAIT_SECONDS)
        try:
            done = self.flush(0.5)
            if not done and self._down_since is not None:
                self._warn_once(f"waiting up to {wait:.0f} s for the server to take the last metrics")
            done = done or self.flush(wait)
        except KeyboardInterrupt:
            done = False
        if not done:
            with self._sending:
                self._spool_all()

    def _start(self) -> None:
        self._wake.set()
        if self._thread is None or not self._thread.is_alive():
            self._thread = threading.Thread(target=self._run, name="studio-outbox", daemon=True)
            try:
                self._thread.start()
            except RuntimeError:  # the interpreter is shutting down: `close` sends
                self._thread = None

    def _run(self) -> None:
        while True:
            self._wake.wait()
            self._wake.clear()
            # A short wait makes one batch of what is logged in a row; `flush` cuts it short.
            self._hurry.wait(_INTERVAL_SECONDS)
            self._hurry.clear()
            pause = 0.2
            while self._queue or self._unsent:
                with self._sending:
                    is_sent = self._send_waiting()
                if is_sent:
                    pause = 0.2
                    continue
                time.sleep(pause * random.uniform(0.5, 1.5))  # noqa: S311 - no secret
                pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)

    def _send_waiting(self) -> bool:
        """Send batches until nothing waits; return False as soon as the server does not answer."""
        while self._queue or self._unsent:
            if not self._unsent:
                self._unsent.extend(self._take())
            if self._spool is not None:
                self._spool_all()
                return True
            try:
                self._post(self._unsent[0])
            except ServerUnreachable as error:
                self._is_down(error)
                return False
            except AuthenticationException as error:
                values.warn(str(error))
                self._spool_all()
                return True
            self._unsent.popleft()
            self._down_since = None
        return True

    def _take(self) -> list[Batch]:
        """Take points from the queue; return them as one batch for each run, in order of arrival."""
        taken = []
        size = 0
        for _ in range(_POINTS_PER_BATCH):
            try:
                item = self._queue.popleft()
            except IndexError:
                break
            taken.append(item)
            size += len(item[3]) if isinstance(item[3], str) else 32
            if size > _BYTES_PER_BATCH:
                break
        batches: dict[Sink, Batch] = {}
        for sink, name, kind, value, step, at in taken:
            batch = batches.get(sink) or batches.setdefault(sink, Batch(sink, uuid.uuid4().hex, [], []))
            if kind == "image":
                batch.files.append(value)
                value = value.path
            moment = datetime.fromtimestamp(at, timezone.utc).isoformat()
            batch.points.append({"name": name, **values.wire(kind, value, step), "at": moment})
        return list(batches.values())

    def _post(self, batch: Batch) -> None:
        """Send one batch. What the server refuses for good is dropped, with one warning for each run and reason."""
        try:
            send(batch)
        except ServerUnreachable:
            raise
        except ServiceException as error:
            if error.status_code >= 500:
                raise ServerUnreachable(str(error), status_code=error.status_code) from error
            if error.status_code in {400, 413, 422} and len(batch.points) > 1:
                # One bad point must not take the good ones with it.
                middle = len(batch.points) // 2
                self._post(Batch(batch.sink, batch.batch_id + "a", batch.points[:middle], []))
                self._post(Batch(batch.sink, batch.batch_id + "b", batch.points[middle:], []))
                return
            self._warn_refused(batch, error)

    def _warn_refused(self, batch: Batch, error: Exception) -> None:
        key = f"{batch.sink.run_id} {error}"
        if key not in self._refused and len(self._refused) < 20:
            self._refused.add(key)
            names = sorted({point["name"] for point in batch.points})
            values.warn(f"metrics of {batch.sink.run_id} were refused ({', '.join(names[:5])}): {error}")

    def _is_down(self, error: Exception) -> None:
        now = time.monotonic()
        self._down_since = self._down_since or now
        if now - self._down_since > _WARN_AFTER_SECONDS:
            self._warn_once(f"metrics wait in memory: {error}")
        if len(self._queue) > _WAITING_POINTS:
            self._spool_all()

    def _warn_once(self, message: str) -> None:
        if not self._has_warned:
            self._has_warned = True
            values.warn(message)

    def _spool_all(self) -> None:
        """Write all that waits to the spool file; from then on everything goes there, so that order is kept."""
        is_new = self._spool is None
        while self._queue:
            self._unsent.extend(self._take())
        if not self._unsent:
            return
        try:
            self._spool = self._spool or _spool_path()
            with self._spool.open("a", encoding="utf-8") as file:
                while self._unsent:
                    batch = self._unsent[0]
                    line = {
                        "url": batch.sink.client.url,
                        "run_id": batch.sink.run_id,
                        "batch_id": batch.batch_id,
                        "points": batch.points,
                        "files": {image.path: base64.b64encode(image.data).decode() for image in batch.files},
                    }
                    file.write(json.dumps(line) + "\n")
                    self._unsent.popleft()
        except OSError as error:
            count = sum(len(batch.points) for batch in self._unsent)
            self._unsent.clear()
            values.warn(f"{count} points are lost: neither the server nor {self._spool} takes them: {error}")
            return
        if is_new:
            values.warn(
                f"the server stayed away; metrics are kept in {self._spool}. Send them with: studio sync {self._spool}"
            )


def send(batch: Batch) -> None:
    """Send one batch: its files, then its points. Sent again, it changes nothing."""
    run = f"/runs/{quote(batch.sink.run_id)}"
    client = batch.sink.client
    for image in batch.files:
        try:
            client.upload(f"{run}/artifacts/{quote_path(image.path)}", io.BytesIO(image.data), retry_seconds=0)
        except ServiceException as error:
            if error.code != "conflict":  # it is there already, from the first time
                raise
    client.post(f"{run}/metrics", {"batch_id": batch.batch_id, "points": batch.points}, retry_seconds=0)


def read_spool(path: Path, connect: Callable[[str], Client]) -> list[Batch]:
    """Return the batches of a spool file, with a client for each server; a line that a crash cut off ends it."""
    batches = []
    clients: dict[str, Client] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            row = json.loads(line)
        except ValueError:
            break
        client = clients.get(row["url"]) or clients.setdefault(row["url"], connect(row["url"]))
        files = [Image(name, base64.b64decode(data)) for name, data in row.get("files", {}).items()]
        batches.append(Batch(Sink(client, row["run_id"]), row["batch_id"], row["points"], files))
    return batches


def _spool_path() -> Path:
    """Make the spool file: in the folder that is set, in `outputs` beside the script, or where there is a place."""
    name = f"studio-metrics-{datetime.now(timezone.utc):%Y%m%dT%H%M%S}-{os.getpid()}-{next(_numbers)}.jsonl"
    folders = [env.text(env.SPOOL_FOLDER), "outputs", ".", tempfile.gettempdir()]
    for folder in folders:
        if folder and Path(folder).is_dir() and os.access(folder, os.W_OK):
            path = (Path(folder) / name).resolve()
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
            return path
    raise OSError("no folder to write to")


def _begin_anew_in_a_forked_child() -> None:
    """Leave the parent's points to the parent; have the child's own sent when multiprocessing ends it."""
    outbox.__init__()  # type: ignore[misc]
    util = sys.modules.get("multiprocessing.util")
    if util is not None:
        # multiprocessing ends its children without atexit; it clears its own list of last acts right after the fork.
        util.register_after_fork(outbox, lambda box: util.Finalize(None, box.close, exitpriority=100))


_numbers = itertools.count(1)
outbox = Outbox()
atexit.register(outbox.close)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_anew_in_a_forked_child)
