"""Watching a run: waiting for its end, its log as it grows."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Optional, TextIO

from studio_sdk.exceptions import ActivityFailedException, ExperimentExecutionException, ServiceException
from studio_sdk.lending import LentSlot
from studio_sdk.transport import Client, quote_path

if TYPE_CHECKING:
    from studio_sdk.core.experiment import Experiment

_TERMINAL = frozenset({"Completed", "Failed", "Canceled"})
MAIN_LOG = "user_logs/std_log.txt"
# A run that has just begun is looked at often, a long one seldom.
_FIRST_PAUSE_SECONDS = 0.2
_LONGEST_PAUSE_SECONDS = 5.0
_LONGEST_LOG_PAUSE_SECONDS = 1.0
_WINDOW_BYTES = 4 << 20


class RunWatching:
    """Waits for a run and reads its logs."""

    _client: Client
    _experiment: Experiment
    _id: str
    _path: str

    def wait_for_completion(
        self, show_output: bool = False, wait_post_processing: bool = False, raise_on_error: bool = True
    ) -> dict[str, Any]:
        """Wait until the run has ended; return its details. With `show_output` its log is printed as it grows.

        Raises ActivityFailedException if it ends as Failed (unless `raise_on_error` is false), and
        ExperimentExecutionException on Ctrl-C, which leaves the run going.

        >>> run.wait_for_completion(show_output=True)
        """
        try:
            if show_output:
                self._stream(sys.stdout)
            else:
                self._wait()
        except KeyboardInterrupt:
            raise ExperimentExecutionException(
                f"No longer waiting for {self._id}, which goes on. Cancel it with Run.cancel() or: "
                f"studio run cancel -r {self._id}"
            ) from None
        details: dict[str, Any] = self.get_details()  # type: ignore[attr-defined]
        if details["status"] == "Failed" and raise_on_error:
            raise ActivityFailedException(details.get("error", {}).get("error", {}).get("message") or "no details")
        return details

    def get_details_with_logs(self) -> dict[str, Any]:
        """Return the details with the text of each log instead of its address.

        >>> run.get_details_with_logs()["logFiles"]["user_logs/std_log.txt"]
        """
        details: dict[str, Any] = self.get_details()  # type: ignore[attr-defined]
        details["logFiles"] = {name: self._read_log(name).decode("utf-8", "replace") for name in details["logFiles"]}
        return details

    def get_all_logs(self, destination: Optional[str] = None) -> list[str]:
        """Download the logs to a folder (by default the current one); return their paths.

        >>> run.get_all_logs("logs")
        """
        folder = Path(destination or ".")
        paths = []
        for name in self._log_names():  # type: ignore[attr-defined]
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            with target.open("wb") as file:
                self._client.download(f"{self._path}/logs/{quote_path(name)}", file)
            paths.append(str(target))
        return paths

    def _wait(self) -> None:
        pause = _FIRST_PAUSE_SECONDS
        with LentSlot(self._id) as slot:
            while self.get_status() not in _TERMINAL:  # type: ignore[attr-defined]
                slot.renew()
                time.sleep(pause)
                pause = min(pause * 1.3, _LONGEST_PAUSE_SECONDS)

    def _stream(self, out: TextIO, *, summary: bool = True) -> None:
        """Print the log until the run has ended, between a heading and a summary."""
        _say(out, f"RunId: {self._id}\nWeb View: {self.get_portal_url()}")  # type: ignore[attr-defined]
        _say(out, f"\nStreaming {MAIN_LOG}\n{'=' * (10 + len(MAIN_LOG))}\n")
        self._follow(out)
        if summary:
            _say(out, "\nExecution Summary\n=================")
            _say(out, f"RunId: {self._id}\nWeb View: {self.get_portal_url()}\n")  # type: ignore[attr-defined]

    def _follow(self, out: TextIO) -> None:
        """Print the log from its first byte to its last, as it grows."""
        with LentSlot(self._id) as slot:
            self._follow_while(slot, out)

    def _follow_while(self, slot: LentSlot, out: TextIO) -> None:
        offset = 0
        pause = _FIRST_PAUSE_SECONDS
        while True:
            # The status first: what is printed before the end is read after it was seen.
            has_ended = self.get_status() in _TERMINAL  # type: ignore[attr-defined]
            if not has_ended:
                slot.renew()
            data = self._read_log(MAIN_LOG, offset, _WINDOW_BYTES)
            # Half a character waits for its other half.
            whole = len(data) - _cut_off(data)
            if has_ended and len(data) < _WINDOW_BYTES:
                whole = len(data)
            if whole:
                offset += whole
                out.write(data[:whole].decode("utf-8", "replace"))
                out.flush()
                pause = _FIRST_PAUSE_SECONDS
            elif has_ended:
                return
            else:
                time.sleep(pause)
                pause = min(pause * 1.3, _LONGEST_LOG_PAUSE_SECONDS)

    def _read_log(self, name: str, offset: int = 0, limit: Optional[int] = None) -> bytes:
        """Return a log from a byte offset on, whole or a window of it; nothing where there is nothing yet."""
        headers = {} if limit is None else {"Range": f"bytes={offset}-{offset + limit - 1}"}
        try:
            response = self._client.request("GET", f"{self._path}/logs/{quote_path(name)}", headers=headers)
        except ServiceException as error:
            if error.status_code in {404, 416}:
                return b""
            raise
        return response.body if response.status == 206 else response.body[offset:]


def _say(out: TextIO, text: str) -> None:
    print(text, file=out, flush=True)


def _cut_off(data: bytes) -> int:
    """Return how many bytes at the end begin a character of UTF-8 without ending it."""
    for back in range(1, min(4, len(data)) + 1):
        byte = data[-back]
        if byte < 0x80:
            return 0
        if byte >= 0xC0:
            length = 2 if byte < 0xE0 else 3 if byte < 0xF0 else 4
            return back if back < length else 0
    return 0
