"""YAML to a plain document with the line of each of its parts, and back. Pure."""

from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from runs import limits
from runs.pipelines.problems import BadPipeline, Problem
from runs.wording import say

Path = tuple[str | int, ...]
Lines = dict[Path, int]

# libyaml reads a thousand steps in a fraction of the time, where PyYAML was built with it.
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_DUMPER: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
_DEPTH = 20
_NODES = 500_000


def read(text: str) -> tuple[Any, Lines]:
    """Return what `text` says, and the line of each path in it. Raises BadPipeline.

    Only what JSON knows comes out: an unquoted date is text.
    """
    if len(text) > limits.PIPELINE_LENGTH:
        raise _refusal(None, say("It is longer than {most:,} characters.", most=limits.PIPELINE_LENGTH))
    try:
        loader = _LOADER(text)
        try:
            node = loader.get_single_node()
            return _Walk(loader).read(node)
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        message = say("This is no YAML: {why}.", why=error.problem or error.context or say("it cannot be read"))
        raise _refusal(mark.line + 1 if mark else None, message) from error
    except yaml.YAMLError as error:  # characters that YAML does not know
        raise _refusal(None, say("This is no YAML: {why}.", why=str(error).splitlines()[0])) from error


def write(document: Mapping[str, Any]) -> str:
    """Return `document` as YAML in its own order."""
    return yaml.dump(document, Dumper=_DUMPER, sort_keys=False, allow_unicode=True, width=120)


class _Walk:
    """One walk over the nodes; it counts them, since aliases make much out of little."""

    def __init__(self, loader: Any) -> None:
        self._loader = loader
        self._lines: Lines = {}
        self._problems: list[Problem] = []
        self._count = 0

    def read(self, node: Any) -> tuple[Any, Lines]:
        value = self._value(node, ()) if node is not None else None
        if self._problems:
            raise BadPipeline(self._problems)
        return value, self._lines

    def _value(self, node: Any, path: Path) -> Any:
        line = node.start_mark.line + 1
        self._lines.setdefault(path, line)
        self._count += 1
        if self._count > _NODES or len(path) > _DEPTH:
            raise _refusal(line, say("It is nested too deep, or its aliases make it too large."))
        if isinstance(node, yaml.SequenceNode):
            return [self._value(each, (*path, number)) for number, each in enumerate(node.value)]
        if isinstance(node, yaml.MappingNode):
            return dict(self._pairs(node, path))
        if node.tag.endswith(":timestamp"):
            return node.value
        return self._loader.construct_object(node)

    def _pairs(self, node: Any, path: Path) -> Iterator[tuple[str, Any]]:
        seen: dict[str, int] = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            if not isinstance(key_node, yaml.ScalarNode):
                self._problems.append(_problem(path, line, say("Expected a name before the colon.")))
                continue
            key = key_node.value
            if key in seen:
                self._problems.append(
                    _problem(
                        (*path, key),
                        line,
                        say("{key!r} stands here twice; first in line {seen}.", key=key, seen=seen[key]),
                    )
                )
                continue
            seen[key] = self._lines[*path, key] = line
            yield key, self._value(value_node, (*path, key))


def _problem(path: Path, line: int, message: str) -> Problem:
    if len(path) > 1 and path[0] == "steps":
        return Problem(str(path[1]), line, ".".join(map(str, path[2:])), message)
    return Problem("", line, ".".join(map(str, path)), message)


def _refusal(line: int | None, message: str) -> BadPipeline:
    return BadPipeline([Problem("", line, "", message)])
