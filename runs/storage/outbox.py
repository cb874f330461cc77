"""Logs on their way to the web server: kept on this machine first, then sent by offset, in the order they grew.

Writing costs the script a write to a local file and no more. A thread sends what is new;
while the web server is away nothing is lost and nothing waits.
"""

import logging
import os
import threading
from pathlib import Path

from runs.storage import logs
from runs.storage.link import AttemptOver, Link, Refused, Unreachable

logger = logging.getLogger(__name__)

# What comes within this time of the last request goes in one.
_COALESCE_SECONDS = 0.2
_LONGEST_PAUSE_SECONDS = 10.0
_PART_BYTES = 2**19


class Outbox:
    """The logs of one attempt and the thread that sends them."""

    def __init__(self, folder: Path, *, url: str, secret: str) -> None:
        self._folder = folder
        self._link = Link(url, secret)
        # How much of each log the web server has; less than is true does no harm.
        self._sent: dict[str, int] = {}
        self._is_over = False
        self._news = threading.Event()
        # Held while sending: the thread and `flush` take turns.
        self._sending = threading.Lock()
        self._thread: threading.Thread | None = None

    def append(self, name: str, data: bytes, *, offset: int) -> int:
        """Take over what `storage.append_log` is given."""
        size = logs.append(self._folder, name, data, offset=offset)
        self._news.set()
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="outbox", daemon=True)
            self._thread.start()
        return size

    def size(self, name: str) -> int:
        """Return the size of a log as it was written here."""
        return logs.size(self._folder, name)

    def flush(self) -> None:
        """Send all that is not sent. Raises Unreachable."""
        with self._sending:
            self._send_all()

    def close(self) -> None:
        """End the thread, sent or not."""
        self._is_over = True
        self._news.set()
        with self._sending:
            self._link.close()

    def _run(self) -> None:
        pause = _COALESCE_SECONDS
        while not self._is_over:
            self._news.wait()
            self._news.clear()
            try:
                self.flush()
                pause = _COALESCE_SECONDS
            except Unreachable as error:
                logger.warning("Logs wait in %s: %s", self._folder, error)
                self._news.set()
                pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)
            except Exception:
                logger.exception("Sending the logs in %s failed.", self._folder)
                pause = _LONGEST_PAUSE_SECONDS
            threading.Event().wait(pause)

    def _send_all(self) -> None:
        for path in sorted(self._folder.rglob("*")):
            if path.is_file() and not self._is_over:
                try:
                    self._send(str(path.relative_to(self._folder)), path)
                except AttemptOver:
                    logger.warning("The attempt has ended; what is left in %s stays.", self._folder)
                    self._is_over = True

    def _send(self, name: str, path: Path) -> None:
        with path.open("rb") as handle:
            while self._sent.get(name, -1) < os.fstat(handle.fileno()).st_size:
                offset = max(self._sent.get(name, 0), 0)
                part = os.pread(handle.fileno(), _PART_BYTES, offset)
                try:
                    answer = self._link.send("POST", f"logs/{name}", part, patience_seconds=0, offset=offset)
                    self._sent[name] = answer["size_bytes"]
                except Refused as refused:
                    if refused.code != logs.OffsetGap.code:
                        # It would be refused for ever, and other logs wait.
                        logger.error("The log %s of %s was refused: %s", name, self._folder, refused)
                        self._sent[name] = 2**63
                        return
                    self._sent[name] = refused.size_bytes
