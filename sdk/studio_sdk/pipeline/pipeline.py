"""A pipeline: steps, checked, submitted, published, and written as YAML."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Dict, List, Optional, Union

from studio_sdk import yaml_files
from studio_sdk.exceptions import NotAvailable, ServiceException, UserErrorException
from studio_sdk.pipeline import sequence, sources
from studio_sdk.pipeline.data import PipelineParameter
from studio_sdk.pipeline.published import PublishedPipeline
from studio_sdk.pipeline.steps import Step, step_name

if TYPE_CHECKING:
    from studio_sdk.core.workspace import Workspace
    from studio_sdk.pipeline.runs import PipelineRun


class Pipeline:
    """Steps, and what each waits for. Those that others wait for need not be named.

    >>> pipeline = Pipeline(workspace, steps=[report], description="Compares three models.")
    >>> pipeline.submit("penguins").wait_for_completion(show_output=True)
    """

    def __init__(
        self,
        workspace: Workspace,
        steps: Any,
        description: Optional[str] = None,
        default_datastore: Any = None,
        default_source_directory: Union[str, Path, None] = None,
        resolve_closure: bool = True,
        name: Optional[str] = None,
        default_compute_target: Any = None,
        continue_on_step_failure: bool = False,
        **kwargs: Any,
    ) -> None:
        self.workspace = workspace
        self.name = name
        self.description = description
        self._default_source_directory = default_source_directory
        self._default_compute_target = default_compute_target
        self._continue_on_step_failure = continue_on_step_failure
        self._steps: List[Step] = sequence.closure(steps) if resolve_closure else sequence.flat(steps)
        self._names = _unique_names(self._steps)
        self._parameters = _parameters(self._steps)
        self._document_of_file: Optional[Dict[str, Any]] = None

    @staticmethod
    def load_yaml(
        workspace: Workspace, filename: Union[str, Path], _workflow_provider: Any = None, **kwargs: Any
    ) -> Pipeline:
        """Return the pipeline that a YAML file describes; source folders stand relative to it.

        Raises UserErrorException that names step and line if it is none.

        >>> Pipeline.load_yaml(workspace, "pipeline.yml")
        """
        path = Path(filename)
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise UserErrorException(f"{path} can not be read: {error}.") from error
        document = _checked(workspace, {"yaml": text}, where=f"{path}: ")["definition"]
        pipeline = Pipeline(workspace, [], name=document["name"], description=document.get("description"))
        pipeline._document_of_file = document
        pipeline._default_source_directory = path.absolute().parent
        return pipeline

    @property
    def graph(self) -> Any:
        """Raise NotAvailable: the run's page draws the graph."""
        raise NotAvailable("Studio's SDK has no graph object; Pipeline.to_yaml() and the run's page show the graph.")

    def validate(self) -> List[str]:
        """Return what is wrong: missing inputs, loops, unknown names. Nothing, if it can run.

        >>> pipeline.validate()
        []
        """
        try:
            _checked(self.workspace, {"definition": self._document()})
        except UserErrorException as error:
            return [line.strip() for line in str(error).splitlines() if line.strip()]
        return []

    def submit(
        self,
        experiment_name: str,
        pipeline_parameters: Optional[Mapping[str, Any]] = None,
        continue_on_step_failure: Optional[bool] = None,
        regenerate_outputs: bool = False,
        parent_run_id: Optional[str] = None,
        credential_passthrough: Optional[bool] = None,
        *,
        tags: Optional[Mapping[str, Any]] = None,
        description: Optional[str] = None,
        display_name: Optional[str] = None,
        default_compute_target: Any = None,
        **kwargs: Any,
    ) -> PipelineRun:
        """Submit the pipeline, and return at once. Each source folder is uploaded once.

        >>> pipeline.submit("penguins", pipeline_parameters={"seed": 11})
        """
        from studio_sdk.pipeline.runs import PipelineRun, given

        body = {
            "workspace": self.workspace.name,
            "experiment": experiment_name,
            "definition": self._uploaded(name=experiment_name),
            **given(
                parameters=dict(pipeline_parameters or {}),
                tags=tags,
                description=description,
                display_name=display_name,
                default_compute_target=getattr(default_compute_target, "name", default_compute_target),
                continue_on_step_failure=continue_on_step_failure,
                regenerate_outputs=regenerate_outputs,
                parent_run_id=parent_run_id,
            ),
        }
        document = _refusals_said(lambda: self.workspace._client.make("/pipelines/runs", body))
        return PipelineRun._at(self.workspace, document)

    def publish(
        self,
        name: Optional[str] = None,
        description: Optional[str] = None,
        version: Optional[str] = None,
        continue_on_step_failure: Optional[bool] = None,
    ) -> PublishedPipeline:
        """Keep the pipeline under a name, as its next version; `version` is what you call it.

        >>> pipeline.publish(name="nightly", description="Compares three models.", version="1.2")
        """
        definition = self._uploaded(name=name or "pipeline")
        if continue_on_step_failure is not None:
            definition["continue_on_step_failure"] = bool(continue_on_step_failure)
        body = {
            "workspace": self.workspace.name,
            "definition": definition,
            "name": name or "",
            "label": "" if version is None else str(version),
            "description": description,
        }
        document = _refusals_said(lambda: self.workspace._client.post("/published-pipelines", body))
        return PublishedPipeline._of(self.workspace, document)

    def to_yaml(self, path: Union[str, Path, None] = None) -> str:
        """Return the pipeline as YAML, and write it to a file if one is named; source folders are relative to it.

        >>> pipeline.to_yaml("pipeline.yml")
        """
        document = self._document()
        if path is not None:
            home = Path(path).absolute().parent
            for step in document["steps"].values():
                if "source" in step:
                    step["source"] = Path(os.path.relpath(self._folder() / step["source"], home)).as_posix()
        text = yaml_files.dump(document)
        if path is not None:
            Path(path).write_text(text, encoding="utf-8")
        return text

    def _document(self, name: str = "pipeline") -> Dict[str, Any]:
        """Return the definition, with source folders as they were given."""
        if self._document_of_file is not None:
            return {**self._document_of_file, "steps": dict(self._document_of_file["steps"])}
        document: Dict[str, Any] = {"name": self.name or name}
        target = self._default_compute_target
        top = {
            "description": self.description,
            "default_compute_target": getattr(target, "name", target),
            "parameters": {name: each._document() for name, each in self._parameters.items()},
        }
        document.update({key: value for key, value in top.items() if value})
        document["steps"] = {
            self._names[step]: step._document(self._names, self._default_source_directory) for step in self._steps
        }
        if self._continue_on_step_failure:
            document["continue_on_step_failure"] = True
        return document

    def _uploaded(self, *, name: str) -> Dict[str, Any]:
        document = self._document(name)
        # What is wrong is said before folders are sent.
        _checked(self.workspace, {"definition": document})
        return sources.upload(self.workspace, document, folder=self._folder())

    def _folder(self) -> Path:
        """Return what source folders are relative to."""
        return Path(self._default_source_directory or ".") if self._document_of_file is not None else Path.cwd()

    def __repr__(self) -> str:
        return f"Pipeline(Name: {self.name},\nSteps: {', '.join(self._document()['steps'])})"


def _checked(workspace: Workspace, body: Dict[str, Any], *, where: str = "") -> Dict[str, Any]:
    """Return what the server makes of a definition. Raises UserErrorException with a line for each problem."""
    answer: Dict[str, Any] = _refusals_said(
        lambda: workspace._client.post("/pipelines/validate", body, repeatable=True), where=where
    )
    return answer


def _refusals_said(ask: Any, *, where: str = "") -> Any:
    try:
        return ask()
    except ServiceException as error:
        if error.status_code != 422:
            raise
        lines = [_said(each) for each in error.problems] or [str(error)]
        raise UserErrorException("\n".join(where + line for line in lines)) from error


def _said(problem: Dict[str, Any]) -> str:
    place = ".".join(filter(None, ["steps" if problem.get("step") else "", problem.get("step"), problem.get("field")]))
    line = f" (line {problem['line']})" if problem.get("line") else ""
    return f"{place}{line}: {problem['message']}" if place or line else str(problem["message"])


def _unique_names(steps: List[Step]) -> Dict[Step, str]:
    names: Dict[Step, str] = {}
    taken = set()
    for step in steps:
        own = name = step_name(step.name)
        number = 1
        while name in taken:
            number += 1
            name = f"{own}-{number}"
        taken.add(name)
        names[step] = name
    return names


def _parameters(steps: List[Step]) -> Dict[str, PipelineParameter]:
    found: Dict[str, PipelineParameter] = {}
    for step in steps:
        for each in step._parameters():
            held = found.setdefault(each.name, each)
            if held is not each and (held._type, held.default_value) != (each._type, each.default_value):
                raise UserErrorException(
                    f"Two parameters are called {each.name!r}, with the defaults {held.default_value!r} and "
                    f"{each.default_value!r}."
                )
    return found
