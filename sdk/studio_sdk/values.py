"""What may be logged: Python's and numpy's values to the points of a metric. Knows no network."""

from __future__ import annotations

import json
import math
import numbers
import sys
from collections.abc import Iterable, Mapping
from typing import Any, Optional, Union

from studio_sdk.exceptions import UserErrorException

# What a server takes of one text; the rest is cut off, with a warning.
TEXT_LENGTH = 65_536
NAME_LENGTH = 250

Scalar = Union[int, float, str]


def warn(message: str) -> None:
    """Say something to the person at the script's standard error."""
    print(f"studio: {message}", file=sys.stderr, flush=True)  # noqa: T201 - the way out of a library in a script


def check_name(name: Any) -> str:
    """Return the name of a metric. Raises UserErrorException if it is none."""
    if not isinstance(name, str) or not name.strip():
        raise UserErrorException(f"The name of a metric is a text; got {name!r}.")
    if len(name) > NAME_LENGTH:
        raise UserErrorException(f"The name of a metric has at most {NAME_LENGTH} characters; got {len(name)}.")
    return name


def scalar(value: Any, *, hint: str = "log_list(name, values)") -> Scalar:
    """Return `value` as a number or a text.

    A number of numpy, torch or the like is a number, also as an array of one element; None is
    NaN, a gap in the series; what is neither number nor text is stored as text, with a warning.
    Raises UserErrorException for many values at once, with the call that takes them.
    """
    kind = type(value)
    if kind is float or kind is int or kind is str:
        return _text(value) if kind is str else _number(value)
    if value is None:
        return math.nan
    if getattr(value, "shape", None) == () and hasattr(value, "item"):
        return scalar(value.item(), hint=hint)
    if isinstance(value, str):
        return _text(str(value))
    if isinstance(value, (bool, numbers.Number)):
        try:
            return _number(int(value) if isinstance(value, numbers.Integral) else float(value))  # type: ignore[arg-type]
        except (TypeError, ValueError):  # a complex number
            return _text(str(value))
    if getattr(value, "size", None) == 1 and hasattr(value, "item"):
        return scalar(value.item(), hint=hint)
    if isinstance(value, Iterable) and not isinstance(value, (Mapping, bytes, bytearray)):
        raise UserErrorException(f"A {kind.__name__} is more than one value; log it with {hint}.")
    warn(f"a value of type {kind.__name__} is logged as text")
    return _text(str(value))


def series(name: str, values: Any) -> list[Scalar]:
    """Return the elements of any iterable of numbers or texts."""
    if isinstance(values, str) or not isinstance(values, Iterable):
        raise UserErrorException(f"{name!r}: log_list takes a list of values; log one value with log(name, value).")
    return [scalar(value, hint="one call of log_list for each list") for value in values]


def row(name: str, columns: Mapping[str, Any]) -> dict[str, Scalar]:
    """Return one row of a table, by column."""
    if not columns:
        raise UserErrorException(f"{name!r}: a row has at least one column.")
    return {str(key): scalar(value, hint="log_table(name, columns)") for key, value in columns.items()}


def table(name: str, columns: Any) -> list[dict[str, Scalar]]:
    """Return the rows of a table that is given by columns of equal length."""
    if not isinstance(columns, Mapping) or not columns:
        raise UserErrorException(f"{name!r}: log_table takes a dict of columns, as {{'x': [1, 2], 'y': [3, 4]}}.")
    if not any(_is_many(column) for column in columns.values()):
        return [row(name, columns)]
    lists = {str(key): series(str(key), column) for key, column in columns.items() if _is_many(column)}
    lengths = {key: len(column) for key, column in lists.items()}
    if len(lists) < len(columns) or len(set(lengths.values())) > 1:
        said = ", ".join(f"{key!r} has {lengths.get(str(key), 'one value')}" for key in columns)
        raise UserErrorException(f"{name!r}: the columns of a table have equal lengths; {said}.")
    return [dict(zip(lists, line)) for line in zip(*lists.values())]


def document(name: str, value: Any) -> str:
    """Return a document, given as a dict or as JSON text, as JSON text."""
    if isinstance(value, Mapping):
        value = json.dumps(value, default=_plain)
    try:
        content = json.loads(value)
        missing = {"schema_type", "data"} - set(content)
    except (ValueError, TypeError) as error:
        raise UserErrorException(f"{name!r}: this is no JSON: {error}.") from error
    if missing:
        raise UserErrorException(f"{name!r}: the document lacks {', '.join(sorted(missing))}.")
    return str(value)


def wire(kind: str, value: Any, step: Optional[int]) -> dict[str, Any]:
    """Return the fields of one point as the API takes them. JSON has no NaN: it goes as text."""
    point: dict[str, Any]
    if kind == "row":
        point = {"kind": kind, "row": {key: _json(cell) for key, cell in value.items()}}
    elif kind != "number":
        point = {"kind": kind, "text": value}
    elif math.isfinite(value):
        point = {"value": value}
    else:
        point = {"kind": "number", "text": unfinite(value)}
    if step is not None:
        point["step"] = step
    return point


def unfinite(value: float) -> str:
    """Return the name of a number that JSON has no word for."""
    return "NaN" if math.isnan(value) else ("Infinity" if value > 0 else "-Infinity")


def _json(cell: Scalar) -> Scalar:
    return unfinite(cell) if isinstance(cell, float) and not math.isfinite(cell) else cell


def _number(value: Union[int, float]) -> Union[int, float]:
    try:
        float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf
    return value


def _text(value: str) -> str:
    if len(value) > TEXT_LENGTH:
        warn(f"a text of {len(value)} characters is cut to {TEXT_LENGTH}")
        return value[: TEXT_LENGTH - 1] + "\u2026"
    return value


def _is_many(value: Any) -> bool:
    if getattr(value, "shape", None) == ():
        return False
    return isinstance(value, Iterable) and not isinstance(value, (str, bytes, Mapping))


def _plain(value: Any) -> Any:
    if hasattr(value, "tolist"):
        return value.tolist()
    raise UserErrorException(f"A {type(value).__name__} can not be part of a JSON document.")
