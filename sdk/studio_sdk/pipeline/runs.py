"""Runs of pipelines and of their steps."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Dict, List, NoReturn, Optional, TextIO, Union

from studio_sdk.core._watching import MAIN_LOG
from studio_sdk.core.run import TERMINAL, Run
from studio_sdk.exceptions import (
    ActivityFailedException,
    ExperimentExecutionException,
    NotAvailable,
    UserErrorException,
)
from studio_sdk.lending import LentSlot
from studio_sdk.transport import quote

if TYPE_CHECKING:
    from studio_sdk.core.workspace import Workspace
    from studio_sdk.pipeline.published import PublishedPipeline

_WORDS = {"NotStarted": "NotStarted", "Completed": "Finished", "Failed": "Failed", "Canceled": "Canceled"}
_FIRST_PAUSE_SECONDS = 0.2
_LONGEST_PAUSE_SECONDS = 3.0
_FOREVER = float(sys.maxsize)


class _OfPipeline(Run):
    """What runs of pipelines and of steps have in common: they are driven by the server, in words of their own."""

    def get_status(self) -> str:
        """Return NotStarted, Running, Finished, Failed or Canceled.

        >>> run.get_status()
        'Finished'
        """
        return _WORDS.get(super().get_status(), "Running")

    def complete(self, _set_status: bool = True) -> NoReturn:
        """Raise NotAvailable: the server completes it."""
        raise NotAvailable(f"complete() is not for a {type(self).__name__}: it ends when its work has ended.")

    def fail(self, error_details: Any = None, error_code: Optional[str] = None, _set_status: bool = True) -> NoReturn:
        """Raise NotAvailable: cancel it instead."""
        raise NotAvailable(f"fail() is not for a {type(self).__name__}; stop it with cancel().")

    def child_run(self, name: Optional[str] = None, run_id: Optional[str] = None, outputs: Any = None) -> NoReturn:
        """Raise NotAvailable: its steps are its children."""
        raise NotAvailable(f"child_run() is not for a {type(self).__name__}.")

    def wait_for_completion(  # type: ignore[override]
        self, show_output: bool = True, timeout_seconds: float = _FOREVER, raise_on_error: bool = True
    ) -> str:
        """Wait until it has ended; return its status. With `show_output` it is said what happens meanwhile.

        Raises ActivityFailedException if it ends as Failed, unless `raise_on_error` is false.

        >>> run.wait_for_completion(show_output=True)
        'Finished'
        """
        out = sys.stdout if show_output else None
        try:
            self._watch(out, ends_at=time.monotonic() + timeout_seconds)
        except KeyboardInterrupt:
            raise ExperimentExecutionException(
                f"No longer waiting for {self._id}, which goes on. Cancel it with: studio run cancel -r {self._id}"
            ) from None
        status = self.get_status()
        if status == "Failed" and raise_on_error:
            document = self._known()
            raise ActivityFailedException(document["error"] or document["reason"] or "no details")
        return status

    def _watch(self, out: Optional[TextIO], *, ends_at: float) -> None:
        raise NotImplementedError

    def _has_ended(self) -> bool:
        self.get_status()
        return self.status in TERMINAL


class PipelineRun(_OfPipeline):
    """The run of a pipeline. Its children are the runs of its steps.

    >>> PipelineRun.get(workspace, "penguins_1579000000_0a1b2c3d").get_status()
    'Running'
    """

    @staticmethod
    def get(workspace: Workspace, run_id: str) -> PipelineRun:
        """Return the pipeline run of that id.

        >>> PipelineRun.get(workspace, "penguins_1579000000_0a1b2c3d")
        """
        return PipelineRun._at(workspace, workspace._client.get(f"/runs/{quote(run_id)}"))

    @staticmethod
    def get_pipeline_runs(workspace: Workspace, pipeline_id: str) -> List[PipelineRun]:
        """Return the runs of a published pipeline, newest first.

        >>> PipelineRun.get_pipeline_runs(workspace, published.id)
        """
        found = workspace._runs({}, properties={"azureml.pipelineid": pipeline_id})
        return [PipelineRun._at(workspace, run._known()) for run in found]

    @classmethod
    def _at(cls, workspace: Workspace, document: Dict[str, Any]) -> Any:
        if document["run_type"] != "pipeline":
            raise UserErrorException(
                f"{document['run_id']} is no run of a pipeline; it is a {document['run_type']} run."
            )
        return workspace._run(document, cls)

    def get_steps(self) -> Iterator[StepRun]:
        """Yield the runs of the steps, in the pipeline's order; a step that was fanned out has one per value.

        >>> [step.name for step in run.get_steps()]
        """
        for step in self._steps():
            yield self._step_run(step)

    def find_step_run(self, name: str) -> List[StepRun]:
        """Return the runs of the steps of that name.

        >>> run.find_step_run("train.py")[0].get_stdout_log()
        """
        from studio_sdk.pipeline.steps import step_name

        return [self._step_run(step) for step in self._steps() if step["name"] in (name, step_name(name))]

    def publish_pipeline(
        self,
        name: str,
        description: Optional[str] = None,
        version: Optional[str] = None,
        continue_on_step_failure: Optional[bool] = None,
        **kwargs: Any,
    ) -> PublishedPipeline:
        """Publish what this run executed, as the next version of that name.

        >>> run.publish_pipeline("nightly", "Compares three models.", "1.0")
        """
        from studio_sdk.pipeline.published import PublishedPipeline

        body = {"run_id": self._id, "name": name, "label": str(version or ""), "description": description}
        return PublishedPipeline._of(self._experiment.workspace, self._client.post("/published-pipelines", body))

    def resume(self) -> PipelineRun:
        """Run the pipeline again, from where it failed: what is completed is taken over.

        >>> run.resume().wait_for_completion()
        """
        document = self._client.make(f"/pipelines/runs/{quote(self._id)}/resume", {})
        found: PipelineRun = PipelineRun._at(self._experiment.workspace, document)
        return found

    def _steps(self) -> List[Dict[str, Any]]:
        steps: List[Dict[str, Any]] = self._client.get(f"/pipelines/runs/{quote(self._id)}")["steps"]
        return steps

    def _step_run(self, step: Dict[str, Any]) -> StepRun:
        run: StepRun = StepRun._of(self._experiment, step["run_id"])
        run._step = step
        return run

    def _stream(self, out: TextIO, *, summary: bool = True) -> None:
        self._watch(out, ends_at=_FOREVER)

    def _follow(self, out: TextIO) -> None:
        self._watch(out, ends_at=_FOREVER)

    def _watch(self, out: Optional[TextIO], *, ends_at: float) -> None:
        """Say which step is where whenever that changes, until all is over."""
        if out:
            _say(out, f"PipelineRunId: {self._id}\nLink to Studio: {self.get_portal_url()}")
        said: Dict[str, str] = {}
        pause = _FIRST_PAUSE_SECONDS
        with LentSlot(self._id) as slot:
            while True:
                # The status first: what is said before the end is read after it was seen.
                has_ended = self._has_ended()
                news = self._news(said) if out or has_ended else []
                if out:
                    for line in news:
                        _say(out, line)
                if has_ended or time.monotonic() > ends_at:
                    break
                slot.renew()
                time.sleep(pause)
                pause = _FIRST_PAUSE_SECONDS if news else min(pause * 1.3, _LONGEST_PAUSE_SECONDS)
        if out:
            _say(out, f"PipelineRun Status: {self.get_status()}")
            if self._known()["reason"]:
                _say(out, self._known()["reason"])

    def _news(self, said: Dict[str, str]) -> List[str]:
        lines = []
        for step in self._steps():
            state = step["status"] + (" (reused)" if step.get("reused_from") else "")
            if said.get(step["run_id"]) == state or state == "NotStarted":
                continue
            said[step["run_id"]] = state
            why = f" ({step['reason']})" if step["reason"] and step["status"] in ("Failed", "Canceled") else ""
            lines.append(f"Step {_title(step)}: {state}{why}")
            if step["status"] == "Failed":
                lines += self._step_run(step)._last_lines()
        return lines


class StepRun(_OfPipeline):
    """The run of one step.

    >>> step = run.find_step_run("train.py")[0]
    """

    _step: Optional[Dict[str, Any]] = None

    @property
    def name(self) -> str:
        """The name of the step."""
        return str(self._described()["name"])

    def get_stdout_log(self) -> str:
        """Return what the step printed, on both streams: there is one log.

        >>> print(step.get_stdout_log())
        """
        return self._source()._read_log(MAIN_LOG).decode("utf-8", "replace")

    def get_stderr_log(self) -> str:
        """Return what the step printed, on both streams: there is one log.

        >>> print(step.get_stderr_log())
        """
        return self.get_stdout_log()

    def get_job_log(self) -> str:
        """Return what the worker said of the step.

        >>> print(step.get_job_log())
        """
        source = self._source()
        names = [name for name in source._log_names() if name.startswith("system_logs/")]
        return "".join(source._read_log(name).decode("utf-8", "replace") for name in names)

    def get_outputs(self) -> Dict[str, StepRunOutput]:
        """Return the folders that the step leaves, by name.

        >>> step.get_outputs()["table"].get_port_data_reference().download("here")
        """
        return {name: StepRunOutput(self, name) for name in self._output_names()}

    def get_output(self, name: str) -> StepRunOutput:
        """Return one of the folders that the step leaves. Raises UserErrorException.

        >>> step.get_output("table")
        """
        outputs = self.get_outputs()
        if name not in outputs:
            raise UserErrorException(f"The step {self.name!r} has no output {name!r}; it has {', '.join(outputs)}.")
        return outputs[name]

    def get_output_data(self, name: str) -> PortDataReference:
        """Return one of the folders that the step leaves, to download it.

        >>> step.get_output_data("table").download("here")
        """
        return self.get_output(name).get_port_data_reference()

    def _output_names(self) -> List[str]:
        return list(self._described().get("outputs") or [])

    def _described(self) -> Dict[str, Any]:
        """Return what the pipeline's run says of this step."""
        if self._step is None or "outputs" not in self._step:
            parent = self._known()["parent_run_id"]
            held = self._client.get(f"/pipelines/runs/{quote(parent)}")
            found = next(each for each in held["steps"] if each["run_id"] == self._id)
            self._step = {**found, "outputs": held["definition"]["steps"][found["name"]].get("outputs", [])}
        return self._step

    def _source(self) -> Run:
        """Return the run that did the work: this one, or that whose result was reused."""
        earlier = self._described().get("reused_from")
        run: Run = Run._of(self._experiment, earlier) if earlier else self
        return run

    def _watch(self, out: Optional[TextIO], *, ends_at: float) -> None:
        """Print the log as it grows, until the step has ended."""
        offset, pause = 0, _FIRST_PAUSE_SECONDS
        while True:
            has_ended = self._has_ended()
            data = self._read_log(MAIN_LOG, offset) if out else b""
            offset += len(data)
            if out and data:
                out.write(data.decode("utf-8", "replace"))
                out.flush()
            if has_ended or time.monotonic() > ends_at:
                return
            time.sleep(pause)
            pause = _FIRST_PAUSE_SECONDS if data else min(pause * 1.3, _LONGEST_PAUSE_SECONDS)

    def _follow(self, out: TextIO) -> None:
        self._watch(out, ends_at=_FOREVER)

    def _last_lines(self) -> List[str]:
        return [f"  | {line}" for line in self.get_stdout_log().splitlines()[-10:]]


class StepRunOutput:
    """A folder that a step leaves."""

    def __init__(self, step_run: StepRun, name: str) -> None:
        self.step_run = step_run
        self.name = name

    def get_port_data_reference(self) -> PortDataReference:
        """Return the folder, to download it.

        >>> output.get_port_data_reference().download("here")
        """
        return PortDataReference(self.step_run, self.name)

    def __repr__(self) -> str:
        return f"StepRunOutput({self.name!r})"


class PortDataReference:
    """The files of a folder that a step left."""

    def __init__(self, step_run: StepRun, name: str) -> None:
        self._step_run = step_run
        self.name = name

    @property
    def path_on_datastore(self) -> str:
        """Where the files are below the folder that they are downloaded to."""
        return f"azureml/{self._step_run.id}/{self.name}"

    def download(
        self,
        local_path: Union[str, Path],
        overwrite: Optional[bool] = None,
        show_progress: Optional[bool] = None,
    ) -> int:
        """Fetch the files into `local_path/azureml/<run id>/<output>`; return how many there were.

        >>> step.get_output_data("table").download("here")
        """
        prefix = f"outputs/{self.name}/"
        source = self._step_run._source()
        target = Path(local_path) / self.path_on_datastore
        paths = [item["path"] for item in self._stored(source, prefix)]
        for path in paths:
            file = target / path[len(prefix) :]
            if overwrite or not file.exists():
                source._fetch_file(path, file)
        return len(paths)

    def _stored(self, source: Run, prefix: str) -> Iterator[Dict[str, Any]]:
        return source._client.pages(f"{source._path}/artifacts", {"prefix": prefix, "limit": 500})

    def __repr__(self) -> str:
        return f"PortDataReference({self.path_on_datastore!r})"


def given(**values: Any) -> Dict[str, Any]:
    """Return what is set, as a request has it: tags as texts, nothing for what is empty."""
    from studio_sdk.core.run import texts

    if values.get("tags"):
        values["tags"] = texts(values["tags"])
    return {key: value for key, value in values.items() if value or (value is False and key.startswith("continue"))}


def _title(step: Dict[str, Any]) -> str:
    """Return a step as it is named in one line, with the value that it was made for."""
    item = step.get("item")
    if isinstance(item, dict):
        item = ", ".join(str(value) for value in item.values())
    return f"{step['name']} [{item}]" if item not in (None, "") else str(step["name"])


def _say(out: TextIO, text: str) -> None:
    print(text, file=out, flush=True)
