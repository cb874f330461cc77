"""What stands in `${{ }}`: found in texts, named, and replaced by its value. Pure."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

_REFERENCE = re.compile(r"\$\{\{(.*?)\}\}", re.DOTALL)
_NAMED = re.compile(r"(parameters|inputs|outputs|item)\.([A-Za-z0-9_-]+)")
_OUTPUT = re.compile(r"steps\.([A-Za-z0-9_.-]+)\.outputs\.([A-Za-z0-9_-]+)")


@dataclass(frozen=True)
class Reference:
    """A name in one of the rooms `parameters`, `inputs`, `outputs`, `item`; the room is empty if it is none."""

    room: str
    name: str
    text: str


def find(text: str) -> Iterator[Reference]:
    """Return the references in `text`, in their order."""
    return (_read(match) for match in _REFERENCE.finditer(text))


def fill(text: str, value_of: Callable[[Reference], str]) -> str:
    """Return `text` with each reference replaced by its value."""
    return _REFERENCE.sub(lambda match: value_of(_read(match)), text)


def whole(text: str) -> Reference | None:
    """Return the reference that `text` is, or None if it is more or other than one."""
    match = _REFERENCE.fullmatch(text.strip())
    return _read(match) if match else None


def output_of(text: str) -> tuple[str, str] | None:
    """Return the step and the output that `${{ steps.<step>.outputs.<output> }}` names, or None."""
    match = _REFERENCE.fullmatch(text.strip())
    named = _OUTPUT.fullmatch(match[1].strip()) if match else None
    return (named[1], named[2]) if named else None


def to_output(step: str, output: str) -> str:
    """Return the reference to an output of a step."""
    return f"${{{{ steps.{step}.outputs.{output} }}}}"


def _read(match: re.Match[str]) -> Reference:
    named = _NAMED.fullmatch(match[1].strip())
    return Reference(named[1], named[2], match[0]) if named else Reference("", "", match[0])
