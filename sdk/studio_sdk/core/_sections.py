"""Groups of settings that files write in camel case and Python in snake case."""

from __future__ import annotations

import re
from typing import Any


class Section:
    """Settings as attributes. What a file says beyond them is kept, and written again."""

    def _as_dict(self) -> dict[str, Any]:
        own = {camel(key): value for key, value in vars(self).items() if not key.startswith("_") and _is_plain(value)}
        return {**own, **getattr(self, "_unknown", {})}

    def _update(self, content: dict[str, Any]) -> None:
        unknown = {}
        for key, value in content.items():
            name = snake(key)
            if name in vars(self):
                setattr(self, name, value)
            else:
                unknown[key] = value
        self._unknown = unknown

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._as_dict()})"


def camel(name: str) -> str:
    """Return `environmentVariables` for `environment_variables`."""
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


def snake(name: str) -> str:
    """Return `environment_variables` for `environmentVariables`."""
    return re.sub(r"(?<=[a-z0-9])([A-Z])", r"_\1", name).lower()


def _is_plain(value: Any) -> bool:
    return value is None or isinstance(value, (bool, int, float, str, list, dict))
