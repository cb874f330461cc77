"""A pipeline as a tree of frozen dataclasses, and the way back to a document. Pure."""

import dataclasses
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from runs.pipelines import references, values, yaml_text

Scalar = str | int | float | bool
Value = Scalar | Sequence[Scalar]
Document = dict[str, Any]


@dataclass(frozen=True)
class Parameter:
    """A value that is set at each submission. Without a default it must be."""

    name: str
    type: str
    default: Value | None = None

    @property
    def is_required(self) -> bool:
        """Whether a submission must set it."""
        return self.default is None

    def read(self, value: Any) -> Value:
        """Return `value` in the parameter's type; text is read as such. Raises ValueError saying what was expected."""
        return values.read(value, self.type)


@dataclass(frozen=True)
class Input:
    """A folder that another step leaves."""

    step: str
    output: str


@dataclass(frozen=True)
class ForEach:
    """A step run per value: of a list, or of the parameter that is named."""

    item: str
    values: tuple[Scalar, ...] = ()
    parameter: str = ""


@dataclass(frozen=True)
class Step:
    """One step: what to execute and where, what it needs and what it leaves."""

    name: str
    script: str = ""
    command: tuple[str, ...] = ()
    source: str = ""
    snapshot: str = ""
    arguments: tuple[str, ...] = ()
    params: Mapping[str, Scalar] = field(default_factory=dict)
    environment_variables: Mapping[str, str] = field(default_factory=dict)
    requirements: str | tuple[str, ...] | None = None
    interpreter_path: str = ""
    compute_target: str = ""
    inputs: Mapping[str, Input] = field(default_factory=dict)
    outputs: tuple[str, ...] = ()
    depends_on: tuple[str, ...] = ()
    for_each: ForEach | None = None
    retries: int = 0
    max_run_duration_seconds: int | None = None
    allow_reuse: bool = True
    continue_on_failure: bool = False

    @property
    def parents(self) -> tuple[str, ...]:
        """Return the names of the steps that must have ended before, in order, each once."""
        return tuple(dict.fromkeys([*self.depends_on, *(source.step for source in self.inputs.values())]))

    def to_document(self) -> Document:
        """Return the step as its document: what differs from the default, without the name."""
        document: Document = {}
        for each in dataclasses.fields(self):
            value = getattr(self, each.name)
            default = each.default_factory() if each.default_factory is not dataclasses.MISSING else each.default
            if each.name != "name" and value != default:
                document[each.name] = _plain(value)
        return document


@dataclass(frozen=True)
class Definition:
    """A pipeline that has passed every check that needs no rows."""

    name: str
    steps: tuple[Step, ...]
    description: str = ""
    default_compute_target: str = ""
    parameters: tuple[Parameter, ...] = ()
    continue_on_step_failure: bool = False

    def step(self, name: str) -> Step:
        """Return the step `name`. Raises KeyError."""
        return {step.name: step for step in self.steps}[name]

    @property
    def parents(self) -> dict[str, tuple[str, ...]]:
        """Return for each step the steps that come before it."""
        return {step.name: step.parents for step in self.steps}

    def to_document(self) -> Document:
        """Return the stored form. `from_document` reads it back to an equal definition."""
        document: Document = {"name": self.name}
        for name in ("description", "default_compute_target"):
            if text := getattr(self, name):
                document[name] = text
        if self.parameters:
            document["parameters"] = {
                each.name: {"type": each.type} | ({} if each.is_required else {"default": _plain(each.default)})
                for each in self.parameters
            }
        document["steps"] = {step.name: step.to_document() for step in self.steps}
        if self.continue_on_step_failure:
            document["continue_on_step_failure"] = True
        return document

    def to_yaml(self) -> str:
        """Return the definition as YAML. `from_yaml` reads it back to an equal definition."""
        return yaml_text.write(self.to_document())


def variable(prefix: str, name: str) -> str:
    """Return the environment variable that holds the folder of an input or output."""
    return f"STUDIO_{prefix}_{re.sub(r'[^A-Za-z0-9]', '_', name).upper()}"


def _plain(value: Any) -> Any:
    """Return a value of a field as its document has it."""
    if isinstance(value, Input):
        return references.to_output(value.step, value.output)
    if isinstance(value, ForEach):
        return {value.item: f"${{{{ parameters.{value.parameter} }}}}" if value.parameter else list(value.values)}
    if isinstance(value, Mapping):
        return {name: _plain(each) for name, each in value.items()}
    return list(value) if isinstance(value, tuple) else value
