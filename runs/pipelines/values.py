"""The types of a pipeline's parameters, and how a value is read as one of them. Pure."""

import json
import math
import re
from collections.abc import Callable
from typing import Any

from runs.wording import say

# PostgreSQL stores no NUL, and half of a surrogate pair is no text at all.
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
# As a column of whole numbers, and what JSON carries between languages, hold them.
_LARGEST = 2**63 - 1
_WORDS = {"true": True, "false": False}

TYPES = ("string", "integer", "number", "boolean", "list")


def is_text(value: Any) -> bool:
    """Return whether `value` is text that every database can hold."""
    return isinstance(value, str) and not _UNSTORABLE.search(value)


def is_scalar(value: Any) -> bool:
    """Return whether `value` is a text, a truth value or a finite number."""
    if isinstance(value, bool) or is_text(value):
        return True
    if isinstance(value, int):
        return abs(value) <= _LARGEST
    return isinstance(value, float) and math.isfinite(value)


def is_of(value: Any, kind: str) -> bool:
    """Return whether `value` is of the type `kind`."""
    if kind == "list":
        return isinstance(value, list | tuple) and all(is_scalar(item) for item in value)
    if not is_scalar(value):
        return False
    if kind == "boolean" or isinstance(value, bool):
        return kind == "boolean" and isinstance(value, bool)
    return isinstance(value, {"string": str, "integer": int}.get(kind, int | float))


def read(value: Any, kind: str) -> Any:
    """Return `value` as `kind`; a text is read as the command line and forms give it. Raises ValueError."""
    if isinstance(value, str) and kind != "string":
        value = _parsed(value.strip(), kind)
    if not is_of(value, kind):
        raise ValueError(
            say(
                "{value!r} is no {kind}; expected {expected}.",
                value=as_text(value)[:100],
                kind=kind,
                expected=_EXPECTED[kind],
            )
        )
    return list(value) if kind == "list" else value


def as_text(value: Any) -> str:
    """Return a value as an argument has it: a list as JSON, the rest as Python prints it."""
    return json.dumps(value, ensure_ascii=False, default=str) if isinstance(value, list | tuple) else str(value)


_EXPECTED = {
    "string": say("text"),
    "integer": say("a whole number"),
    "number": say("a number"),
    "boolean": say("true or false"),
    "list": say("a list of texts, numbers and truth values, such as [1, 2]"),
}


def _parsed(text: str, kind: str) -> Any:
    if kind == "boolean":
        return _WORDS.get(text.lower(), text)
    readers: dict[str, Callable[[str], Any]] = {"integer": int, "number": float, "list": json.loads}
    try:
        return readers[kind](text)
    except (ValueError, RecursionError):
        return text
