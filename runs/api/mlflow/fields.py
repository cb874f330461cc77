"""Reading the fields of a request as MLflow's do: loosely in spelling and type of numbers, strictly in the rest."""

import math
import posixpath
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from runs.api.mlflow import errors

KEY_LENGTH = 250
_KEY = re.compile(r"[/\w.\- :]*")
_INT64 = 2**63
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# The last millisecond that both databases and Python can hold with room to reckon.
_LATEST_MS = 253_000_000_000_000
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


class Fields:
    """The fields of a request, by their MLflow names."""

    def __init__(self, given: Mapping[str, Any], *, where: str = "") -> None:
        self._given, self._where = given, where

    def get(self, name: str) -> Any:
        """Return the field as it came, or None; `run_id` may be spelled `runId`, but not both."""
        value = self._given.get(name)
        if "_" in name:
            head, *rest = name.split("_")
            other = self._given.get(head + "".join(part.capitalize() for part in rest))
            if other is not None:
                if value is not None:
                    raise errors.MlflowError(errors.BAD_REQUEST, f"'{name}' is given in two spellings.")
                return other
        return value

    def text(self, name: str, *, required: bool = False) -> str:
        """Return a text; empty if there is none and none is `required`."""
        value = self.get(name)
        if value is None or value == "":
            if required:
                raise errors.missing(self._where + name)
            return ""
        return text(value, self._where + name)

    def integer(self, name: str, *, default: int | None = None) -> int | None:
        """Return a 64-bit number, which may come as a text."""
        value = self.get(name)
        return default if value is None else integer(value, self._where + name)

    def flag(self, name: str, *, default: bool) -> bool:
        """Return a truth value."""
        value = self.get(name)
        if value is None:
            return default
        if value in (True, False, "true", "false"):
            return value in (True, "true")
        raise errors.wrong(self._where + name, value)

    def items(self, name: str) -> list["Fields"]:
        """Return the objects of a list; none if there is no list."""
        found = self.get(name)
        if found is None:
            return []
        if not isinstance(found, list) or not all(isinstance(item, dict) for item in found):
            raise errors.wrong(self._where + name, found)
        return [Fields(item, where=f"{self._where}{name}[{place}].") for place, item in enumerate(found)]

    def part(self, name: str) -> "Fields":
        """Return the object in this field; an empty one if there is none."""
        found = self.get(name)
        if found is not None and not isinstance(found, dict):
            raise errors.wrong(self._where + name, found)
        return Fields(found or {}, where=f"{self._where}{name}.")

    def texts(self, name: str) -> list[str]:
        """Return the texts of a list; a single one counts as a list of one."""
        found = self.get(name)
        if found is None:
            return []
        found = found if isinstance(found, list) else [found]
        return [text(item, f"{self._where}{name}[{place}]") for place, item in enumerate(found)]

    def at(self, name: str) -> datetime | None:
        """Return an instant, given in milliseconds; None if there is none."""
        value = self.integer(name)
        return None if value is None else instant(value, self._where + name)

    def run_id(self) -> str:
        """Return the run's id, whose old name is run_uuid."""
        return self.text("run_id") or self.text("run_uuid") or self.text("run_id", required=True)

    def key_values(self, name: str) -> dict[str, str]:
        """Return the keys and values of a list of {key, value}, the keys checked; of equal keys the last counts."""
        return {
            key(item.text("key", required=True), f"{item._where}key"): item.text("value") for item in self.items(name)
        }

    def limit(self, name: str = "max_results", *, default: int, most: int) -> int:
        """Return how many results are wanted."""
        value = self.integer(name, default=default)
        if value is None or value <= 0:
            raise errors.wrong(name, value, "It must be a positive integer")
        if value > most:
            raise errors.wrong(name, value, f"It must be at most {most}.")
        return value


def text(value: Any, name: str) -> str:
    """Return `value` if it is a text that a database can hold."""
    if not isinstance(value, str) or _UNSTORABLE.search(value):
        raise errors.wrong(name, value)
    return value


def integer(value: Any, name: str) -> int:
    """Return `value` as a 64-bit number."""
    if type(value) is int and -_INT64 <= value < _INT64:
        return value
    if isinstance(value, str) and re.fullmatch(r"-?[0-9]{1,19}", value):
        value = int(value)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not -_INT64 <= value < _INT64:
        raise errors.wrong(name, value)
    return value


def number(value: Any, name: str) -> float:
    """Return `value` as a double; NaN and infinities come as texts."""
    if isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            raise errors.wrong(name, value) from None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise errors.wrong(name, value)
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def instant(value: int, name: str) -> datetime:
    """Return the instant of so many milliseconds since 1970."""
    if not 0 <= value <= _LATEST_MS:
        raise errors.wrong(name, value, "It must be a time in milliseconds since 1970.")
    return EPOCH + timedelta(milliseconds=value)


def milliseconds(at: datetime) -> int:
    """Return `at` in milliseconds since 1970."""
    return (at - EPOCH) // timedelta(milliseconds=1)


def key(value: Any, name: str) -> str:
    """Return `value` if it may be the key of a metric, param or tag."""
    value = text(value, name)
    if not value.strip():
        raise errors.missing(name)
    if len(value) > KEY_LENGTH:
        raise errors.invalid(f"'{name}' exceeds the maximum length of {KEY_LENGTH} characters: {len(value)}.")
    if not _KEY.fullmatch(value):
        raise errors.wrong(
            name,
            value,
            "Names may only contain alphanumerics, underscores (_), dashes (-), periods (.), spaces ( ), colon(:) and"
            " slashes (/).",
        )
    if posixpath.normpath(value) != value or value in (".", "..") or value.startswith(("../", "/")):
        raise errors.wrong(
            name,
            value,
            "Names may be treated as files in certain cases, and must not resolve to other names when treated as such.",
        )
    return value
