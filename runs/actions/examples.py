"""The examples that come with Studio: small scripts that a newcomer runs with one click."""

import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from django.conf import settings

from runs.errors import NotFound
from runs.pipelines import yaml_text
from runs.wording import say

_ABOUT, _PIPELINE = "example.json", "pipeline.yml"


@dataclass(frozen=True)
class Example:
    """One example: its name is its folder's, and `requirements` is a file of it or None."""

    name: str
    title: str
    description: str
    script: str
    arguments: tuple[str, ...]
    requirements: str | None


@dataclass(frozen=True)
class ExamplePipeline:
    """A pipeline among the examples: its name is its folder's, and each step's `source` is a folder in there."""

    name: str
    document: dict[str, Any]


def list_examples() -> list[Example]:
    """Return all examples, sorted by name."""
    return [_read(about.parent) for about in sorted(_root().glob(f"*/{_ABOUT}"))]


def get_example(name: str) -> Example:
    """Return the example `name`, or raise NotFound."""
    examples = {example.name: example for example in list_examples()}
    if name not in examples:
        raise NotFound(
            say("There is no example {name!r}; there is {names}.", name=name[:100], names=", ".join(examples)),
            field="example",
        )
    return examples[name]


def list_pipelines() -> list[ExamplePipeline]:
    """Return all pipelines among the examples, sorted by name."""
    files = sorted(_root().glob(f"*/{_PIPELINE}"))
    return [ExamplePipeline(file.parent.name, yaml_text.read(file.read_text(encoding="utf-8"))[0]) for file in files]


def get_pipeline(name: str) -> ExamplePipeline:
    """Return the example pipeline `name`, or raise NotFound."""
    found = next((each for each in list_pipelines() if each.name == name), None)
    if found is None:
        raise NotFound(say("There is no example pipeline {name!r}.", name=name[:100]), field="example")
    return found


def open_files(example: Example | ExamplePipeline, source: str = "") -> list[tuple[str, BinaryIO]]:
    """Return the files of `example`, or of one of its folders, as an upload gives them: each path with its bytes."""
    folder = _root() / example.name / source
    return [
        (str(path.relative_to(folder)), io.BytesIO(path.read_bytes()))
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != _ABOUT and "__pycache__" not in path.parts
    ]


def _root() -> Path:
    return Path(settings.BASE_DIR) / "examples"


def _read(folder: Path) -> Example:
    about = json.loads((folder / _ABOUT).read_text(encoding="utf-8"))
    return Example(
        name=folder.name,
        title=about["title"],
        description=about["description"],
        script=about["script"],
        arguments=tuple(about["arguments"]),
        requirements=about["requirements"],
    )
