"""The definition of a pipeline: from YAML or a document, checked, and back. Pure: knows no rows.

What only rows can tell (compute targets, snapshots and what they hold) is checked at submission.
"""

from collections.abc import Mapping
from typing import Any

from runs.pipelines import checking, reading, yaml_text
from runs.pipelines.nodes import Definition, ForEach, Input, Parameter, Step
from runs.pipelines.problems import BadPipeline, Problem
from runs.pipelines.schema import JSON_SCHEMA

__all__ = [
    "JSON_SCHEMA",
    "BadPipeline",
    "Definition",
    "ForEach",
    "Input",
    "Parameter",
    "Problem",
    "Step",
    "from_document",
    "from_yaml",
]


def from_yaml(text: str) -> Definition:
    """Return the definition that YAML text describes. Raises BadPipeline with all problems and their lines."""
    document, lines = yaml_text.read(text)
    return _checked(document, lines)


def from_document(document: Mapping[str, Any]) -> Definition:
    """Return the definition that a document describes. Raises BadPipeline with all problems."""
    return _checked(document, {})


def _checked(document: Any, lines: yaml_text.Lines) -> Definition:
    reader = reading.Reader(lines)
    definition = reader.definition(document)
    # Names that could not be read would only be missed once more.
    problems = reader.problems or [
        Problem(each.step, reader.line_of(each), each.field, each.message) for each in checking.check(definition)
    ]
    if problems:
        raise BadPipeline(sorted(problems, key=lambda problem: problem.line or 0))
    return definition
