"""A definition and the values of its parameters to what each step run executes. Pure."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from runs.errors import InvalidInput
from runs.pipelines import references, values
from runs.pipelines.nodes import Definition, Step
from runs.pipelines.problems import nearest
from runs.pipelines.references import Reference
from runs.wording import say

# Where a step finds its inputs and leaves its outputs, in its working folder.
INPUTS, OUTPUTS = "inputs", "outputs"


@dataclass(frozen=True)
class Planned:
    """One step run to make, its references filled in."""

    step: Step
    index: int
    item: Any
    command: tuple[str, ...]
    arguments: tuple[str, ...]
    params: dict[str, Any]
    environment_variables: dict[str, str]

    @property
    def title(self) -> str:
        """Return its heading: the step's name, and which value it is of a fan-out."""
        return f"{self.step.name} ({values.as_text(self.item)})" if self.step.for_each else self.step.name

    def code_digest(self, snapshot: str) -> str:
        """Return a digest of what it executes, or nothing if it may not be reused."""
        if not self.step.allow_reuse:
            return ""
        step = self.step
        code: list[Any] = [snapshot, step.script, self.command, self.arguments, self.params, self.environment_variables]
        code += [step.requirements, step.interpreter_path, sorted(step.outputs)]
        return hashlib.sha256(json.dumps(code, sort_keys=True).encode("utf-8", "replace")).hexdigest()


def assign(definition: Definition, assignments: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of all parameters: those assigned, else the defaults. Raises InvalidInput naming the field."""
    known = {parameter.name: parameter for parameter in definition.parameters}
    for name in assignments:
        if name not in known:
            otherwise = say("; the pipeline has {names}", names=", ".join(known) or say("none"))
            raise InvalidInput(
                say("There is no parameter {name!r}{guess}", name=name[:100], guess=nearest(name, known, otherwise)),
                field=f"parameters.{name}",
            )
    assigned: dict[str, Any] = {}
    for name, parameter in known.items():
        value = assignments.get(name)
        if value is None:
            if parameter.is_required:
                raise InvalidInput(
                    say("The parameter {name!r} has no default: set it.", name=name), field=f"parameters.{name}"
                )
            value = parameter.default
        try:
            assigned[name] = parameter.read(value)
        except ValueError as error:
            raise InvalidInput(error.args[0], field=f"parameters.{name}") from error
    return assigned


def plan(definition: Definition, parameters: Mapping[str, Any]) -> Iterator[Planned]:
    """Return the step runs in the order of the steps: one for each, or for each value of a fan-out.

    Raises InvalidInput for a fan-out over nothing.
    """
    for step in definition.steps:
        items: list[Any] = [None]
        if step.for_each is not None:
            items = list(step.for_each.values or parameters[step.for_each.parameter])
            if not items:
                raise InvalidInput(
                    say(
                        "The parameter {parameter!r} is empty: {step!r} needs a value at least.",
                        parameter=step.for_each.parameter,
                        step=step.name,
                    ),
                    field=f"parameters.{step.for_each.parameter}",
                )
        for index, item in enumerate(items):
            yield _planned(step, index, item, parameters)


def folder_of(index: int, item: Any) -> str:
    """Return the name of the folder of one value, in an input that gathers all values of a fan-out."""
    slug = "".join(
        letter if letter.isascii() and (letter.isalnum() or letter in "_.-") else "-" for letter in str(item)
    )
    return f"{index}-{slug.strip('-.')[:50] or 'value'}"


def _planned(step: Step, index: int, item: Any, parameters: Mapping[str, Any]) -> Planned:
    def value_of(reference: Reference) -> Any:
        if reference.room == "parameters":
            return parameters[reference.name]
        return item if reference.room == "item" else f"{reference.room}/{reference.name}"

    def filled(text: str) -> str:
        return references.fill(text, lambda reference: values.as_text(value_of(reference)))

    def param(value: Any) -> Any:
        if not isinstance(value, str):
            return value
        reference = references.whole(value)
        whole = value_of(reference) if reference is not None else None
        return whole if values.is_scalar(whole) else filled(value)

    return Planned(
        step=step,
        index=index,
        item=item,
        command=tuple(filled(word) for word in step.command),
        arguments=tuple(filled(word) for word in step.arguments),
        params={name: param(value) for name, value in step.params.items()},
        environment_variables={name: filled(value) for name, value in step.environment_variables.items()},
    )
