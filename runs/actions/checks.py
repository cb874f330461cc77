"""Checks that several actions share: texts that every database can hold, and key-values within their limits."""

import math
import re
from collections.abc import Mapping
from typing import Any

from runs import limits
from runs.errors import InvalidInput
from runs.wording import say

# PostgreSQL stores no NUL, and half of a surrogate pair is no text at all.
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


def text(value: str, *, field: str, limit: int) -> str:
    """Return `value` if it is storable and of at most `limit` characters, else raise InvalidInput."""
    if not isinstance(value, str):
        raise InvalidInput(
            say("{field} is {name}; expected text.", field=field, name=type(value).__name__), field=field
        )
    if len(value) > limit:
        raise InvalidInput(
            say(
                "{field} has {value:,} characters; at most {limit:,} are allowed.",
                field=field,
                value=len(value),
                limit=limit,
            ),
            field=field,
        )
    if _UNSTORABLE.search(value):
        raise InvalidInput(
            say("{field} holds a character that is no text (NUL or half a surrogate pair).", field=field), field=field
        )
    return value


def as_text(value: Any, *, field: str, limit: int) -> str:
    """Return `value` as text: numbers and truth values as Python prints them. Raises InvalidInput for the rest."""
    if value is None or isinstance(value, (bool, int, float)):
        value = str(value)
    return text(value, field=field, limit=limit)


def key(name: str, *, field: str, limit: int) -> str:
    """Return `name` if it can be the key of a tag, property, param or metric, else raise InvalidInput."""
    if not isinstance(name, str) or not name.strip():
        raise InvalidInput(say("{field} has an empty name.", field=field), field=field)
    return text(name, field=field, limit=limit)


def tags(values: Mapping[str, Any]) -> dict[str, str | None]:
    """Return `values` as tags: a value is text, or None for a tag without one."""
    return {
        key(name, field="tags", limit=limits.TAG_KEY_LENGTH): None
        if value is None
        else as_text(value, field=f"tags.{name}", limit=limits.TAG_VALUE_LENGTH)
        for name, value in _few(values, field="tags", limit=limits.TAGS_PER_RUN).items()
    }


def properties(values: Mapping[str, Any]) -> dict[str, str]:
    """Return `values` as properties: a value is text."""
    return {
        key(name, field="properties", limit=limits.TAG_KEY_LENGTH): as_text(
            value, field=f"properties.{name}", limit=limits.TAG_VALUE_LENGTH
        )
        for name, value in _few(values, field="properties", limit=limits.PROPERTIES_PER_RUN).items()
    }


def params(values: Mapping[str, Any]) -> dict[str, str]:
    """Return `values` as params: a value is text."""
    return {
        key(name, field="params", limit=limits.PARAM_NAME_LENGTH): as_text(
            value, field=f"params.{name}", limit=limits.PARAM_VALUE_LENGTH
        )
        for name, value in _few(values, field="params", limit=limits.PARAMS_PER_RUN).items()
    }


def finite(value: str) -> float | None:
    """Return the number that `value` reads as, or None if it is none, NaN or infinite."""
    try:
        number = float(value)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def count(number: int, *, field: str, limit: int) -> None:
    """Raise InvalidInput if a run would have more than `limit` of `field`."""
    if number > limit:
        raise InvalidInput(
            say(
                "This would make {number:,} {field}; at most {limit:,} are allowed.",
                number=number,
                field=field,
                limit=limit,
            ),
            field=field,
        )


def _few(values: Mapping[str, Any], *, field: str, limit: int) -> Mapping[str, Any]:
    count(len(values), field=field, limit=limit)
    return values
