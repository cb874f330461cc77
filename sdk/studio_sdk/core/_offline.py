"""The run that `Run.get_context()` gives where no server stands behind the script: it prints what would be kept."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from types import TracebackType
from typing import Any, NoReturn, Optional, Union

from studio_sdk.core import _logging


class _OfflineRun(_logging.MetricLogger):
    """A run without a server. Its id begins with `OfflineRun_`."""

    def __init__(self, run_id: Optional[str] = None, name: str = "") -> None:
        self.id = run_id or f"OfflineRun_{uuid.uuid4()}"
        self.display_name = name
        self.description = ""
        self._tags: dict[str, Optional[str]] = {}
        self._properties: dict[str, str] = {}

    def __repr__(self) -> str:
        return f"OfflineRun(Id: {self.id})"

    def __getattr__(self, name: str) -> NoReturn:
        raise AttributeError(
            f"{name!r} needs a server, and this script runs without one (run {self.id}). Submit it with "
            "Experiment.submit or `studio run submit-script`, or look first: run.id.startswith('OfflineRun')."
        )

    def __enter__(self) -> _OfflineRun:
        return self

    def __exit__(
        self, kind: Optional[type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        if error is None:
            self.complete()

    def _put(self, name: str, kind: str, value: Any, step: Optional[int]) -> None:
        at_step = "" if step is None else f" at step {step}"
        _say(f"{name} = {_logging.shown(kind, value)}{at_step}")

    def _put_image(self, name: str, data: bytes, suffix: str, step: Optional[int]) -> None:
        _say(f"{name} = an image of {len(data)} bytes")

    def tag(self, key: str, value: Any = None) -> None:
        """Set a tag of this object alone."""
        self._tags[str(key)] = None if value is None else str(value)
        _say(f"tag {key}" if value is None else f"tag {key} = {value}")

    def set_tags(self, tags: Mapping[str, Any]) -> None:
        """Set several tags."""
        for key, value in tags.items():
            self.tag(key, value)

    def add_properties(self, properties: Mapping[str, Any]) -> None:
        """Add properties to this object alone."""
        self._properties.update({str(key): str(value) for key, value in properties.items()})
        _say(f"properties {dict(properties)}")

    def upload_file(self, name: str, path_or_stream: Any, datastore_name: Optional[str] = None) -> None:
        """Say what would be uploaded."""
        _say(f"file {name}")

    def upload_files(self, names: list[str], paths: list[str], **_: Any) -> None:
        """Say what would be uploaded."""
        for name in names:
            _say(f"file {name}")

    def upload_folder(self, name: str, path: str, datastore_name: Optional[str] = None) -> None:
        """Say what would be uploaded."""
        _say(f"folder {name}")

    def child_run(self, name: Optional[str] = None, run_id: Optional[str] = None, outputs: Any = None) -> _OfflineRun:
        """Return another offline run."""
        return _OfflineRun(run_id, name or "")

    def flush(self, timeout_seconds: float = 300) -> None:
        """Do nothing: what is logged is printed at once."""

    def complete(self, _set_status: bool = True) -> None:
        """Do nothing: the run ends with the script."""

    def fail(self, error_details: Union[str, BaseException, None] = None, error_code: Optional[str] = None) -> None:
        """Print the error."""
        _say(f"failed: {error_details}")

    def cancel(self) -> None:
        """Do nothing: end the script instead."""
        _say("cancel has no effect on a script that runs by itself")


def _say(message: str) -> None:
    print(f"offline: {message}", flush=True)  # noqa: T201 - an offline run is what is printed
