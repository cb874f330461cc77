"""What must hold between the parts of a pipeline: names that exist, values that fit, no cycle. Pure."""

from collections.abc import Iterable, Iterator

from runs import limits
from runs.pipelines import graph, references
from runs.pipelines.nodes import Definition, Step, variable
from runs.pipelines.problems import Problem, nearest
from runs.wording import say

_ROOMS = say("parameters.<name>, inputs.<name>, outputs.<name> or item.<name>")


def check(definition: Definition) -> list[Problem]:
    """Return the problems of a definition, step by step, without lines."""
    steps = {step.name: step for step in definition.steps}
    parameters = {each.name: each.type for each in definition.parameters}
    problems = [problem for step in definition.steps for problem in _step(step, steps, parameters)]
    for cycle in graph.cycles({step.name: [name for name in step.parents if name in steps] for step in steps.values()}):
        way = " → ".join(cycle)
        problems.append(_of(steps[cycle[0]], "depends_on", say("These steps wait for each other: {way}.", way=way)))
    if len(steps) > limits.PIPELINE_STEPS:
        problems.append(
            Problem(
                "",
                None,
                "steps",
                say("{steps:,} steps; at most {most:,} are allowed.", steps=len(steps), most=limits.PIPELINE_STEPS),
            )
        )
    return problems


def _step(step: Step, steps: dict[str, Step], parameters: dict[str, str]) -> Iterator[Problem]:
    if bool(step.script) == bool(step.command):
        yield _of(step, "script", say("Expected either a script or a command."))
    if step.source and step.snapshot:
        yield _of(step, "source", say("Expected either a source folder or a snapshot."))
    if step.script and not step.source and not step.snapshot:
        yield _of(
            step,
            "snapshot",
            say("The script {script!r} needs a snapshot (or a source folder) to be in.", script=step.script),
        )
    for number, name in enumerate(step.depends_on):
        if name not in steps:
            yield _of(
                step,
                f"depends_on.{number}",
                say("There is no step {name!r}{guess}", name=name, guess=nearest(name, steps)),
            )
    for name, source in step.inputs.items():
        field = f"inputs.{name}"
        if source.step not in steps:
            yield _of(
                step,
                field,
                say("There is no step {step!r}{guess}", step=source.step, guess=nearest(source.step, steps)),
            )
        elif source.output not in steps[source.step].outputs:
            there = steps[source.step].outputs
            guess = nearest(source.output, there, say("; it has {names}", names=", ".join(there) or say("none")))
            yield _of(
                step,
                field,
                say(
                    "The step {step!r} has no output {output!r}{guess}",
                    step=source.step,
                    output=source.output,
                    guess=guess,
                ),
            )
    for prefix, names in (("inputs", step.inputs), ("outputs", step.outputs)):
        yield from _same_variable(step, prefix, names)
    if step.for_each and step.for_each.parameter:
        yield from _fan_out(step, step.for_each.item, step.for_each.parameter, parameters)
    yield from _references(step, parameters)


def _same_variable(step: Step, prefix: str, names: Iterable[str]) -> Iterator[Problem]:
    seen: dict[str, str] = {}
    for name in names:
        held = variable(prefix[:-1].upper(), name)
        if held in seen:
            yield _of(
                step,
                prefix,
                say(
                    "{first!r} and {name!r} would both be the environment variable {held}.",
                    first=seen[held],
                    name=name,
                    held=held,
                ),
            )
        seen[held] = name


def _fan_out(step: Step, item: str, parameter: str, parameters: dict[str, str]) -> Iterator[Problem]:
    field = f"for_each.{item}"
    if parameter not in parameters:
        yield _of(
            step,
            field,
            say(
                "There is no parameter {parameter!r}{guess}", parameter=parameter, guess=nearest(parameter, parameters)
            ),
        )
    elif parameters[parameter] != "list":
        yield _of(
            step,
            field,
            say(
                "The parameter {parameter!r} is of type {parameters}; expected list.",
                parameter=parameter,
                parameters=parameters[parameter],
            ),
        )


def _references(step: Step, parameters: dict[str, str]) -> Iterator[Problem]:
    rooms = {
        "parameters": list(parameters),
        "inputs": list(step.inputs),
        "outputs": list(step.outputs),
        "item": [step.for_each.item] if step.for_each else [],
    }
    for field, text in _texts(step):
        for reference in references.find(text):
            if not reference.room:
                yield _of(
                    step,
                    field,
                    say("{reference!r} names nothing; expected {rooms}.", reference=reference.text[:100], rooms=_ROOMS),
                )
            elif reference.name not in rooms[reference.room]:
                there = rooms[reference.room]
                guess = nearest(reference.name, there, say("; there is {names}", names=", ".join(there) or say("none")))
                yield _of(
                    step,
                    field,
                    say(
                        "There is no {room}.{reference}{guess}",
                        room=reference.room,
                        reference=reference.name,
                        guess=guess,
                    ),
                )


def _texts(step: Step) -> Iterator[tuple[str, str]]:
    """Return each text in which references may stand, with its field."""
    for field in ("command", "arguments"):
        for number, word in enumerate(getattr(step, field)):
            yield f"{field}.{number}", word
    for field in ("params", "environment_variables"):
        for name, value in getattr(step, field).items():
            if isinstance(value, str):
                yield f"{field}.{name}", value


def _of(step: Step, field: str, message: str) -> Problem:
    return Problem(step.name, None, field, message)
