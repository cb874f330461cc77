"""Filters on tags and properties: sent to the server as a query, and checked again here to the letter."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Optional, Union

from studio_sdk.exceptions import UserErrorException

# A key that must be there, several of them, or keys with the values they must have.
Filter = Union[None, str, Iterable[str], Mapping[str, Any]]

# What Azure ML calls the types of runs.
_TYPES = {
    "script": "azureml.scriptrun",
    "interactive": None,
    "pipeline": "azureml.PipelineRun",
    "step": "azureml.StepRun",
}


def azure_type(run_type: str) -> Optional[str]:
    """Return a run's type in Azure ML's words; None for an interactive one."""
    return _TYPES.get(run_type, run_type)


def own_type(given: str) -> str:
    """Return our word for a type that is given in either."""
    own = next((own for own, azure in _TYPES.items() if given in (own, azure)), None)
    if own is None:
        known = ", ".join(repr(each) for each in _TYPES)
        raise UserErrorException(f"There is no type of run {given!r}; there are {known}.")
    return own


def to_query(
    *,
    tags: Filter = None,
    properties: Filter = None,
    status: Union[str, Iterable[str], None] = None,
    type: Optional[str] = None,
    target: Optional[str] = None,
) -> str:
    """Return the conditions in the language of the search bar."""
    terms = [
        _term(kind, key, value)
        for kind, given in (("tags", tags), ("properties", properties))
        for key, value in pairs(kind, given)
    ]
    if status:
        words = [status] if isinstance(status, str) else list(status)
        terms.append(f"status:{','.join(words)}")
    if type:
        terms.append(f"type:{own_type(type)}")
    if target:
        terms.append(f"target:{_quoted(target)}")
    return " ".join(terms)


_ANY = object()


def matches(document: dict[str, Any], *, tags: Filter = None, properties: Filter = None) -> bool:
    """Return whether a run has just these tags and properties: the search bar is less strict about case."""
    for kind, given in (("tags", tags), ("properties", properties)):
        has = document[kind]
        for key, value in pairs(kind, given):
            if key not in has or (value is not _ANY and has[key] != value):
                return False
    return True


def pairs(kind: str, given: Filter) -> list[tuple[str, Any]]:
    """Return keys and the values they must have; any value where none is given."""
    if given is None:
        return []
    if isinstance(given, str):
        return [(given, _ANY)]
    if isinstance(given, Mapping):
        return [(str(key), None if value is None else str(value)) for key, value in given.items()]
    try:
        return [(str(key), _ANY) for key in given]
    except TypeError as error:
        raise UserErrorException(f"{kind} are filtered by a key or by a dict; got {given!r}.") from error


def _term(kind: str, key: str, value: Any) -> str:
    # The search bar knows no empty texts; `matches` tells them from others.
    if value is _ANY or value is None or not value.strip():
        return f"has:{_quoted(f'{kind}.{key}')}"
    return f"{kind}.{_quoted(key)}={_quoted(value)}"


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
