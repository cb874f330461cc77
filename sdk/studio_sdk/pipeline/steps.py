"""The steps of a pipeline: the names of `azureml.pipeline.steps`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Dict, List, Optional, Union

from studio_sdk import values
from studio_sdk.core.runconfig import RunConfiguration
from studio_sdk.core.script_run_config import ScriptRunConfig
from studio_sdk.core.unavailable import _SaysSo
from studio_sdk.exceptions import UserErrorException
from studio_sdk.pipeline.data import PipelineData, PipelineParameter, _AsInput

# What a step takes of a run configuration; the rest of it is a script's.
_OF_A_STEP = ("environment_variables", "requirements", "interpreter_path", "max_run_duration_seconds")


class Step:
    """A step: what all kinds of them have in common."""

    def __init__(
        self,
        name: str,
        *,
        arguments: Optional[List[Any]],
        compute_target: Any,
        runconfig: Optional[RunConfiguration],
        inputs: Optional[List[Any]],
        outputs: Optional[List[Any]],
        params: Optional[Mapping[str, Any]],
        source_directory: Union[str, Path, None],
        allow_reuse: bool,
        environment_variables: Optional[Mapping[str, Any]] = None,
        requirements: Union[str, List[str], None] = None,
        for_each: Optional[Mapping[str, Any]] = None,
        retries: int = 0,
        max_run_duration_seconds: Optional[int] = None,
        continue_on_failure: bool = False,
    ) -> None:
        self.name = name
        self.source_directory = str(source_directory) if source_directory is not None else None
        self.compute_target = compute_target
        self.runconfig = runconfig
        self._arguments = list(arguments or [])
        self._params = dict(params or {})
        self._environment_variables = dict(environment_variables or {})
        self._requirements = requirements
        self._for_each = dict(for_each or {})
        self._options = {
            "retries": retries,
            "max_run_duration_seconds": max_run_duration_seconds,
            "continue_on_failure": continue_on_failure,
        }
        self._allow_reuse = allow_reuse
        self._after: List[Step] = []
        self._outputs = [_output(name, each) for each in outputs or []]
        self._inputs: Dict[str, PipelineData] = {}
        for each in inputs or []:
            self._add_input(each)
        for data in self._outputs:
            if data._producer is not None and data._producer is not self:
                raise UserErrorException(
                    f"{data!r} is an output of the step {data._producer.name!r} already; a folder has one writer."
                )
            data._producer = self

    def run_after(self, step: Step) -> None:
        """Let this step start only when another has ended, without reading from it.

        >>> report.run_after(cleanup)
        """
        if step not in self._after:
            self._after.append(step)

    def _parents(self) -> List[Step]:
        """Return the steps that come before this one."""
        found = [*self._after, *(data._producer for data in self._inputs.values() if data._producer is not None)]
        return list(dict.fromkeys(found))

    def _parameters(self) -> Iterable[PipelineParameter]:
        held = [*self._arguments, *self._params.values(), *self._environment_variables.values()]
        return (each for each in [*held, *self._for_each.values()] if isinstance(each, PipelineParameter))

    def _document(self, names: Mapping[Step, str], default_folder: Union[str, Path, None]) -> Dict[str, Any]:
        """Return the step as a pipeline's document has it, with its source folder. Raises UserErrorException."""
        folder = self.source_directory or default_folder or "."
        body = self._what()
        if self.runconfig is not None:
            body = {**_of_configuration(self.runconfig, folder), **body}
        target = self.compute_target or (self.runconfig.target if self.runconfig is not None else None)
        if target is not None:
            body["compute_target"] = getattr(target, "name", target)
        variables = {**body.get("environment_variables", {}), **self._environment_variables}
        given = {
            "source": str(folder),
            "params": {str(key): self._scalar(value) for key, value in self._params.items()},
            "environment_variables": {str(key): str(self._word(value)) for key, value in variables.items()},
            "requirements": self._requirements,
            "inputs": {
                name: f"${{{{ steps.{self._name_of(names, data)}.outputs.{data.name} }}}}"
                for name, data in self._inputs.items()
            },
            "outputs": [data.name for data in self._outputs],
            "depends_on": [names[step] for step in self._after],
            "for_each": {
                item: str(listed) if isinstance(listed, PipelineParameter) else list(listed)
                for item, listed in self._for_each.items()
            },
            **self._options,
        }
        body.update({key: value for key, value in given.items() if value})
        if not self._allow_reuse:
            body["allow_reuse"] = False
        return body

    def _what(self) -> Dict[str, Any]:
        """Return what the step executes."""
        raise NotImplementedError

    def _words(self, given: Iterable[Any]) -> List[Any]:
        return [self._word(each) for each in given]

    def _word(self, given: Any) -> Any:
        """Return one argument: a folder or a parameter by its reference."""
        if isinstance(given, _AsInput):
            return f"${{{{ inputs.{given.name} }}}}"
        if isinstance(given, PipelineData):
            if given in self._outputs:
                return f"${{{{ outputs.{given.name} }}}}"
            name = next((name for name, data in self._inputs.items() if data is given), None)
            if name is None:
                raise UserErrorException(
                    f"The step {self.name!r} has {given!r} among its arguments, but neither among its inputs nor its "
                    "outputs."
                )
            return f"${{{{ inputs.{name} }}}}"
        if given is None:
            raise UserErrorException(f"The step {self.name!r} has None among its arguments; every word has a value.")
        return self._scalar(given)

    @staticmethod
    def _scalar(given: Any) -> Any:
        if hasattr(given, "item") and getattr(given, "shape", None) == ():
            return given.item()
        return given if isinstance(given, (bool, int, float, str)) else str(given)

    def _add_input(self, given: Any) -> None:
        data, name = (given.data, given.name) if isinstance(given, _AsInput) else (given, getattr(given, "name", ""))
        if not isinstance(data, PipelineData):
            raise UserErrorException(
                f"The step {self.name!r} has a {type(given).__name__} among its inputs; expected PipelineData. "
                "Studio has no datasets: read files where they lie, or let a first step fetch them."
            )
        if name in self._inputs:
            raise UserErrorException(
                f"The step {self.name!r} has two inputs {name!r}: give one another name with as_input('other_name')."
            )
        self._inputs[name] = data

    def _name_of(self, names: Mapping[Step, str], data: PipelineData) -> str:
        if data._producer is None:
            raise UserErrorException(f"The step {self.name!r} reads {data!r}, which no step has among its outputs.")
        if data._producer not in names:
            raise UserErrorException(
                f"The step {self.name!r} reads {data!r} of the step {data._producer.name!r}, which is not in the "
                "pipeline."
            )
        return names[data._producer]

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r})"


class PythonScriptStep(Step):
    """A step that runs a Python script of its source folder.

    Beside what Azure ML's has: `requirements` (a file of the folder or a list), `for_each` (a step run per value:
    `{"model": ["ridge", "forest"]}`, or a PipelineParameter with a list; `${{ item.model }}` in the arguments is the
    value), `retries`, `max_run_duration_seconds`, `continue_on_failure`, `environment_variables`.

    >>> PythonScriptStep("train.py", source_directory="train", inputs=[table], arguments=["--data", table])
    """

    def __init__(
        self,
        script_name: str,
        name: Optional[str] = None,
        arguments: Optional[List[Any]] = None,
        compute_target: Any = None,
        runconfig: Optional[RunConfiguration] = None,
        runconfig_pipeline_params: Optional[Mapping[str, Any]] = None,
        inputs: Optional[List[Any]] = None,
        outputs: Optional[List[Any]] = None,
        params: Optional[Mapping[str, Any]] = None,
        source_directory: Union[str, Path, None] = None,
        allow_reuse: bool = True,
        version: Optional[str] = None,
        hash_paths: Optional[List[str]] = None,
        **options: Any,
    ) -> None:
        if not script_name or not isinstance(script_name, str):
            raise UserErrorException("A PythonScriptStep has the name of a script.")
        if runconfig_pipeline_params:
            values.warn("runconfig_pipeline_params ignored: a run configuration takes no parameters here")
        super().__init__(
            name or script_name,
            arguments=arguments,
            compute_target=compute_target,
            runconfig=runconfig,
            inputs=inputs,
            outputs=outputs,
            params=params,
            source_directory=source_directory,
            allow_reuse=allow_reuse,
            **options,
        )
        self.script_name = script_name

    def _what(self) -> Dict[str, Any]:
        return {"script": Path(self.script_name).as_posix(), "arguments": self._words(self._arguments)}


class CommandStep(Step):
    """A step that runs a command line: a list of words, or one line for the shell.

    >>> CommandStep(command=["python", "-m", "json.tool", "values.json"], name="check")
    """

    def __init__(
        self,
        command: Union[str, List[Any], None] = None,
        name: Optional[str] = None,
        compute_target: Any = None,
        runconfig: Optional[RunConfiguration] = None,
        runconfig_pipeline_params: Optional[Mapping[str, Any]] = None,
        inputs: Optional[List[Any]] = None,
        outputs: Optional[List[Any]] = None,
        params: Optional[Mapping[str, Any]] = None,
        source_directory: Union[str, Path, None] = None,
        allow_reuse: bool = True,
        version: Optional[str] = None,
        **options: Any,
    ) -> None:
        if not command:
            raise UserErrorException("A CommandStep has a command.")
        words = ["/bin/sh", "-c", command] if isinstance(command, str) else list(command)
        super().__init__(
            name or Path(str(words[0])).name,
            arguments=words,
            compute_target=compute_target,
            runconfig=runconfig,
            inputs=inputs,
            outputs=outputs,
            params=params,
            source_directory=source_directory,
            allow_reuse=allow_reuse,
            **options,
        )

    def _what(self) -> Dict[str, Any]:
        return {"command": self._words(self._arguments)}


def step_name(name: str) -> str:
    """Return a name as the server takes it: other characters become `-`."""
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", name).strip("-._")[:90] or "step"


def _of_configuration(config: RunConfiguration, folder: Any) -> Dict[str, Any]:
    body = ScriptRunConfig(folder, script=config.script or "-", run_config=config)._body()
    found = {key: body[key] for key in _OF_A_STEP if body.get(key)}
    if body.get("max_retries"):
        found["retries"] = body["max_retries"]
    for key in sorted(set(body) & {"priority", "memory_bytes", "process_count", "cpu_seconds", "file_bytes"}):
        values.warn(f"{key} of the run configuration is a script's; a step does not have it")
    for key in body.get("properties", {}):
        values.warn(f"{key.replace('requested.', '')} of the run configuration is passed over for a step")
    return found


def _output(step: str, given: Any) -> PipelineData:
    if not isinstance(given, PipelineData):
        raise UserErrorException(
            f"The step {step!r} has a {type(given).__name__} among its outputs; expected PipelineData."
        )
    return given


_PYTHON = "Write it as a PythonScriptStep, which may start whatever it needs; requirements install packages."


class AutoMLStep(metaclass=_SaysSo):
    """Not available."""

    _instead = _PYTHON


class DatabricksStep(metaclass=_SaysSo):
    """Not available."""

    _instead = _PYTHON


class DataTransferStep(metaclass=_SaysSo):
    """Not available."""

    _instead = "Data passes between steps as PipelineData; let a first step fetch what lies elsewhere."


class EstimatorStep(metaclass=_SaysSo):
    """Not available."""

    _instead = _PYTHON


class HyperDriveStep(metaclass=_SaysSo):
    """Not available."""

    _instead = "A step with for_each={'name': [values]} runs once per value."


class ParallelRunStep(metaclass=_SaysSo):
    """Not available."""

    _instead = "A step with for_each={'part': [...]} runs once per value, in parallel."


class ModuleStep(metaclass=_SaysSo):
    """Not available."""

    _instead = _PYTHON
