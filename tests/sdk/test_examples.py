"""What the client says of itself: every public name has an example that can be read, and pasted."""

import ast
import inspect
import re

import pytest

from studio_sdk import core

CLASSES = [
    core.Workspace,
    core.Experiment,
    core.Run,
    core.ScriptRunConfig,
    core.RunConfiguration,
    core.Environment,
    core.CondaDependencies,
    core.ComputeTarget,
]
METHODS = [
    (cls, name)
    for cls in CLASSES
    for name, value in inspect.getmembers(cls)
    if callable(value) and not name.startswith("_") and value.__name__ == name  # an alias has its own example
]


@pytest.mark.parametrize("cls", CLASSES)
def test_a_class_shows_an_example(cls):
    assert _examples(cls.__doc__)


@pytest.mark.parametrize(("cls", "name"), METHODS, ids=lambda value: getattr(value, "__name__", value))
def test_a_method_shows_an_example_of_itself(cls, name):
    examples = _examples(inspect.getdoc(getattr(cls, name)))

    assert any(name in example or cls.__name__ in example for example in examples), examples


def _examples(text: str | None) -> list[str]:
    lines = re.findall(r"^\s*(>>>|\.\.\.) ?(.*)$", text or "", re.MULTILINE)
    code = "\n".join(line for _, line in lines)
    ast.parse(code)
    return [line for mark, line in lines if mark == ">>>"]
