"""A run: what a script logs to, and what its owner watches, tags, cancels and reads."""

from __future__ import annotations

import re
import time
import traceback
import uuid
from collections.abc import Iterator, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, List, Optional, Union

from studio_sdk import connection, env, heartbeats, values
from studio_sdk.core import _filters, _logging
from studio_sdk.core._details import RunDetails
from studio_sdk.core._files import RunFiles
from studio_sdk.core._metrics import RunMetrics
from studio_sdk.core._offline import _OfflineRun
from studio_sdk.core._tree import RunTree
from studio_sdk.core._watching import RunWatching
from studio_sdk.exceptions import AzureMLException, RunEnvironmentException, ServiceException, UserErrorException
from studio_sdk.outbox import Image, Sink, outbox
from studio_sdk.transport import quote

if TYPE_CHECKING:
    from studio_sdk.core.experiment import Experiment
    from studio_sdk.core.workspace import Workspace

TERMINAL = frozenset({"Completed", "Failed", "Canceled"})
# Longer than a script may take to clean up after the signal to stop.
_FAIL_SECONDS = 20.0


class RunStatus:
    """The words of a run's status."""

    NOT_STARTED = "NotStarted"
    QUEUED = "Queued"
    PREPARING = "Preparing"
    STARTING = "Starting"
    RUNNING = "Running"
    FINALIZING = "Finalizing"
    CANCEL_REQUESTED = "CancelRequested"
    NOT_RESPONDING = "NotResponding"
    COMPLETED = "Completed"
    FAILED = "Failed"
    CANCELED = "Canceled"

    @classmethod
    def list(cls) -> List[str]:
        """Return all of them."""
        return [value for name, value in vars(cls).items() if name.isupper()]

    @classmethod
    def get_running_statuses(cls) -> List[str]:
        """Return those that may still change."""
        return [status for status in cls.list() if status not in TERMINAL]


class Run(_logging.MetricLogger, RunDetails, RunWatching, RunMetrics, RunFiles, RunTree):
    """One run on the server.

    >>> run = Run(experiment, "explore-runs_1579000000_0a1b2c3d")
    >>> run.get_status()
    'Completed'
    """

    def __init__(self, experiment: Experiment, run_id: str, outputs: Optional[str] = None, **kwargs: Any) -> None:
        self._set_up(experiment, run_id, outputs=outputs)
        self._fetch()

    @classmethod
    def _of(cls, experiment: Experiment, run_id: str, document: Optional[dict[str, Any]] = None, **kwargs: Any) -> Any:
        """Return the run without asking the server."""
        run = cls.__new__(cls)
        run._set_up(experiment, run_id, document, **kwargs)
        return run

    def _set_up(
        self,
        experiment: Experiment,
        run_id: str,
        document: Optional[dict[str, Any]] = None,
        outputs: Optional[str] = None,
    ) -> None:
        self._experiment = experiment
        self._client = experiment.workspace._client
        self._id = run_id
        self._path = f"/runs/{quote(run_id)}"
        self._document = document
        self._sink = Sink(self._client, run_id)
        self._outputs = outputs
        self._started_here_at: Optional[float] = None

    # --- Lookup ---------------------------------------------------------------------------------

    @staticmethod
    def get(workspace: Workspace, run_id: str) -> Run:
        """Return the run of that id in any experiment of the workspace.

        >>> Run.get(workspace, "explore-runs_1579000000_0a1b2c3d")
        """
        return workspace.get_run(run_id)

    @staticmethod
    def list(
        experiment: Experiment,
        type: Optional[str] = None,
        tags: _filters.Filter = None,
        properties: _filters.Filter = None,
        status: Optional[str] = None,
        include_children: bool = False,
        _rehydrate_runs: bool = True,
    ) -> Iterator[Run]:
        """Yield the runs of an experiment, newest first; see `Experiment.get_runs`.

        >>> [run.id for run in Run.list(experiment, status="Failed")]
        """
        return experiment._runs(
            type=type, tags=tags, properties=properties, status=status, include_children=include_children
        )

    @staticmethod
    def list_by_compute(
        compute: Any,
        type: Optional[str] = None,
        tags: _filters.Filter = None,
        properties: _filters.Filter = None,
        status: Optional[str] = None,
    ) -> Iterator[Run]:
        """Yield the runs that wait for or run on a compute target.

        >>> list(Run.list_by_compute(workspace.compute_targets["local"]))
        """
        active = [status] if status else ["Queued", "Preparing", "Starting", "Running", "Finalizing"]
        yield from compute.workspace._runs(
            {"include_children": True}, type=type, tags=tags, properties=properties, status=active, target=compute.name
        )

    @staticmethod
    def get_context(allow_offline: bool = True, used_for_context_manager: bool = False, **kwargs: Any) -> Any:
        """Return the run that this script is, or an offline run where no worker started it.

        Asks the server nothing. Raises RunEnvironmentException if there is none and
        `allow_offline` is false.

        >>> run = Run.get_context()
        >>> run.log("accuracy", 0.91)
        """
        run_id = env.text(env.RUN_ID)
        if run_id and env.text(env.URL):
            from studio_sdk.core.experiment import Experiment
            from studio_sdk.core.workspace import Workspace

            workspace = Workspace._of(env.text(env.WORKSPACE, "default"), connection.for_this_run())
            return _SubmittedRun._of(Experiment._of(workspace, env.text(env.EXPERIMENT)), run_id)
        if not allow_offline:
            raise RunEnvironmentException(
                f"This script was not started by Studio: {env.RUN_ID} and {env.URL} are not set. "
                "Submit it with Experiment.submit or `studio run submit-script`."
            )
        return _OfflineRun()

    # --- Lifecycle ------------------------------------------------------------------------------

    def complete(self, _set_status: bool = True) -> None:
        """Send what was logged, upload the outputs, and mark the run as Completed.

        >>> run.complete()
        """
        self.flush()
        self._upload_outputs()
        self._document = self._client.post(f"{self._path}/complete", repeatable=True)
        heartbeats.end(self._id)

    def fail(
        self,
        error_details: Union[str, BaseException, None] = None,
        error_code: Optional[str] = None,
        _set_status: bool = True,
    ) -> None:
        """Mark the run as Failed, with a text or an exception as its error. A running script is stopped.

        >>> run.fail("the data are of last year")
        """
        self.flush()
        self._upload_outputs()
        body = {"error": _error_text(error_details, error_code)}
        self._document = self._client.post(f"{self._path}/fail", body, repeatable=True)
        heartbeats.end(self._id)
        # A script is stopped first; what is asked next is mostly the status.
        ends_at = time.monotonic() + _FAIL_SECONDS
        while self.get_status() not in TERMINAL and time.monotonic() < ends_at:
            time.sleep(0.1)

    def cancel(self) -> None:
        """Ask for the run to be stopped. It is Canceled once no process of it is left.

        >>> run.cancel()
        """
        self._document = self._client.post(f"{self._path}/cancel", repeatable=True)

    def flush(self, timeout_seconds: float = 300) -> None:
        """Wait until what was logged is with the server, at most so long.

        >>> run.flush()
        """
        outbox.flush(timeout_seconds)

    def __enter__(self) -> Run:
        return self

    def __exit__(
        self, kind: Optional[type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> Optional[bool]:
        is_clean = error is None or (isinstance(error, SystemExit) and not error.code)
        try:
            self.complete() if is_clean else self.fail(error)
        except ServiceException as refused:
            # It was canceled or failed from elsewhere meanwhile, which stays so.
            if refused.code != "already_ended":
                raise
            values.warn(f"{self._id}: {refused}")
        return is_clean and error is not None

    # --- Tags and properties --------------------------------------------------------------------

    def tag(self, key: str, value: Any = None) -> None:
        """Set a tag, or change it. Without a value it is a mark: its value is None.

        >>> run.tag("quality", "fantastic run")
        >>> run.tag("worth another look")
        """
        self.set_tags({key: value})

    def set_tags(self, tags: Mapping[str, Any]) -> None:
        """Set several tags; others stay as they are.

        >>> run.set_tags({"quality": "good", "checked": None})
        """
        if not isinstance(tags, Mapping):
            raise UserErrorException(f"Tags are a dict; got a {type(tags).__name__}.")
        if tags:
            self._document = self._client.patch(self._path, {"tags": texts(tags)})

    def remove_tags(self, tags: Union[str, List[str]]) -> None:
        """Remove tags by their keys.

        >>> run.remove_tags(["quality"])
        """
        keys = [tags] if isinstance(tags, str) else list(tags)
        if keys:
            self._document = self._client.patch(self._path, {"remove_tags": keys})

    def get_tags(self) -> dict[str, Optional[str]]:
        """Return the tags as they are now.

        >>> run.get_tags()
        {'quality': 'fantastic run', 'worth another look': None}
        """
        return dict(self._fetch()["tags"])

    def add_properties(self, properties: Mapping[str, Any]) -> None:
        """Add properties, which stay for ever. Raises ServiceException if a key is there with another value.

        >>> run.add_properties({"author": "azureml-user"})
        """
        if not isinstance(properties, Mapping):
            raise UserErrorException(f"Properties are a dict; got a {type(properties).__name__}.")
        if properties:
            given = {key: value or "" for key, value in texts(properties).items()}
            self._document = self._client.post(f"{self._path}/properties", {"properties": given}, repeatable=True)

    def get_properties(self) -> dict[str, str]:
        """Return the properties as they are now.

        >>> run.get_properties()["author"]
        'azureml-user'
        """
        return dict(self._fetch()["properties"])

    # --- For the mixins -------------------------------------------------------------------------

    def _put(self, name: str, kind: str, value: Any, step: Optional[int]) -> None:
        outbox.put(self._sink, name, kind, value, step, time.time())

    def _put_image(self, name: str, data: bytes, suffix: str, step: Optional[int]) -> None:
        stem = re.sub(r"[^\w.-]+", "_", name)[:80]
        self._put(name, "image", Image(f"images/{stem}_{uuid.uuid4().hex[:8]}{suffix}", data), step)

    def _fetch(self) -> dict[str, Any]:
        self._document = self._client.get(self._path)
        return self._document

    def _known(self) -> dict[str, Any]:
        return self._document or self._fetch()


class _SubmittedRun(Run):
    """The run that this script is. Its status is the worker's to set, by the exit code of the script."""

    def complete(self, _set_status: bool = True) -> None:
        """Send what was logged. The run ends with the script."""
        self.flush()

    def fail(
        self,
        error_details: Union[str, BaseException, None] = None,
        error_code: Optional[str] = None,
        _set_status: bool = True,
    ) -> None:
        """Record the error on the run and in its log. The exit code of the script decides how the run ends."""
        self.flush()
        text = _error_text(error_details, error_code) or "fail() was called, without details."
        values.warn(f"fail() inside the script, whose exit code sets the status: {text}")
        try:
            self._document = self._client.post(
                f"{self._path}/error", {"error": text}, repeatable=True, retry_seconds=_FAIL_SECONDS
            )
        except AzureMLException as error:
            values.warn(f"the error is in the log only: {error}")

    def cancel(self) -> None:
        """Warn: a script ends itself by exiting."""
        values.warn("cancel() inside the script has no effect; end the script with sys.exit() instead.")

    def __exit__(
        self, kind: Optional[type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        self.complete()


def texts(pairs: Mapping[str, Any]) -> dict[str, Optional[str]]:
    """Return keys and values as texts; None stays None."""
    return {str(key): None if value is None else str(value) for key, value in pairs.items()}


def _error_text(details: Union[str, BaseException, None], code: Optional[str]) -> str:
    if isinstance(details, BaseException):
        text = "".join(traceback.format_exception(type(details), details, details.__traceback__)).rstrip()
    else:
        text = "" if details is None else str(details)
    return f"{code}: {text}" if code and text else text or (code or "")
