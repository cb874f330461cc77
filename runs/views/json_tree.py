"""A JSON document as branches that fold, and the search in it."""

from dataclasses import dataclass, field
from typing import Any

_SHOWN = 5_000
_OPEN_CHILDREN = 20


@dataclass
class Branch:
    """A value: its key, what it is (object, array, string, number, word), its text, and what is below it."""

    key: str
    kind: str
    text: str = ""
    children: list["Branch"] = field(default_factory=list)
    is_open: bool = False
    is_found: bool = False
    count: int = 0


def build(value: Any, *, find: str = "") -> tuple[Branch, int]:
    """Return the document as branches, and how many keys or values hold `find`. What holds one is open."""
    words = find.lower()
    left = [_SHOWN]
    found = [0]

    def grow(key: str, value: Any, depth: int) -> Branch:
        left[0] -= 1
        if isinstance(value, dict | list):
            items = list(value.items()) if isinstance(value, dict) else [(str(n), item) for n, item in enumerate(value)]
            branch = Branch(key, "object" if isinstance(value, dict) else "array", count=len(items))
            branch.is_found = bool(words) and words in key.lower()
            branch.children = [grow(name, item, depth + 1) for name, item in items if left[0] > 0]
            if words:
                branch.is_open = any(child.is_found or child.is_open for child in branch.children)
            else:
                branch.is_open = depth == 0 or (depth == 1 and 0 < len(items) <= _OPEN_CHILDREN)
        else:
            branch = Branch(key, _kind(value), _text(value))
            branch.is_found = bool(words) and (words in key.lower() or words in branch.text.lower())
        found[0] += branch.is_found
        return branch

    root = grow("", value, 0)
    root.is_open = True
    return root, found[0]


def _kind(value: Any) -> str:
    if isinstance(value, str):
        return "string"
    return "number" if isinstance(value, int | float) and not isinstance(value, bool) else "word"


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    return (
        {None: "null", True: "true", False: "false"}[value] if value is None or isinstance(value, bool) else repr(value)
    )
