"""The tree of a query, which every dialect's grammar yields and `filters` compiles. Pure: knows no fields."""

import re
from dataclasses import dataclass, field
from enum import StrEnum


class Operator(StrEnum):
    """How a field is compared, as it is written."""

    MATCHES = ":"  # equal but for case, `*` for any text; what else it means is up to the field
    EQUAL = "="
    NOT_EQUAL = "!="
    LESS = "<"
    AT_MOST = "<="
    MORE = ">"
    AT_LEAST = ">="
    # Those of MLflow's filters, which the search bar has no signs for: the very text, and SQL's patterns.
    IS = "=="
    IS_NOT = "!=="
    LIKE = "LIKE"
    ILIKE = "ILIKE"


@dataclass(frozen=True)
class Span:
    """Where in the query's text something stands: the first character, counted from 0, and how many."""

    position: int = 0
    length: int = 0


NOWHERE = Span()


@dataclass(frozen=True)
class Value:
    """One value. In a pattern, `*` stands for any text."""

    text: str
    is_pattern: bool = False
    span: Span = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True)
class Range:
    """From `low` to `high`, both included; an empty end is open."""

    low: str
    high: str
    span: Span = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True)
class Word:
    """A word or phrase that stands alone: to be found in any of a run's texts."""

    text: str
    span: Span = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True)
class Term:
    """A field and what it is compared with. `path` is the field's name and, as in `tags.quality`, its key."""

    path: tuple[str, ...]
    operator: Operator
    values: tuple[Value | Range, ...]
    span: Span = field(default=NOWHERE, compare=False, repr=False)

    @property
    def key(self) -> str:
        """Return what follows the field's name: `mlflow.user` of `tags.mlflow.user`."""
        return ".".join(self.path[1:])


@dataclass(frozen=True)
class And:
    """All of `parts`. None at all is met by every run."""

    parts: tuple["Node", ...]


@dataclass(frozen=True)
class Or:
    """At least one of `parts`."""

    parts: tuple["Node", ...]


@dataclass(frozen=True)
class Not:
    """Whatever does not meet `part`."""

    part: "Node"


Node = Word | Term | And | Or | Not

EVERYTHING = And(())


def all_of(parts: list[Node]) -> Node:
    """Return the conjunction of `parts` without needless nesting."""
    flat = [inner for part in parts for inner in (part.parts if isinstance(part, And) else (part,))]
    return flat[0] if len(flat) == 1 else And(tuple(flat))


def any_of(parts: list[Node]) -> Node:
    """Return the disjunction of `parts` without needless nesting."""
    flat = [inner for part in parts for inner in (part.parts if isinstance(part, Or) else (part,))]
    return flat[0] if len(flat) == 1 else Or(tuple(flat))


def negation(part: Node) -> Node:
    """Return the opposite of `part`."""
    return part.part if isinstance(part, Not) else Not(part)


def depth(node: Node) -> int:
    """Return how many levels the tree has."""
    match node:
        case And(parts) | Or(parts):
            return 1 + max(map(depth, parts), default=0)
        case Not(part):
            return 1 + depth(part)
        case _:
            return 1


def leaves(node: Node) -> list[Word | Term]:
    """Return the words and terms of the tree, from left to right."""
    match node:
        case And(parts) | Or(parts):
            return [leaf for part in parts for leaf in leaves(part)]
        case Not(part):
            return leaves(part)
        case _:
            return [node]


def to_text(node: Node) -> str:
    """Return the query that parses to `node`, in its one canonical spelling."""
    match node:
        case Word(text):
            return text if _PLAIN_WORD.fullmatch(text) and text not in _RESERVED else _quote(text)
        case Term(path, operator, values):
            keys = "".join("." + (key if _PLAIN_KEY.fullmatch(key) else _quote(key)) for key in path[1:])
            return f"{path[0]}{keys}{operator}{','.join(map(_value_to_text, values))}"
        case And(parts):
            return " ".join(f"({to_text(part)})" if isinstance(part, Or) else to_text(part) for part in parts)
        case Or(parts):
            return " OR ".join(map(to_text, parts))
        case Not(part):
            return f"-({to_text(part)})" if isinstance(part, And | Or) else f"-{to_text(part)}"


_RESERVED = {"AND", "OR", "NOT"}
_PLAIN_WORD = re.compile(r"""[^\s"()<>=:,\-][^\s"()<>=:]*""")
_PLAIN_KEY = re.compile(r"""[^\s"()<>=:!,.\\]+""")
_PLAIN_VALUE = re.compile(r"""(?!.*\.\.)[^\s"(),<>=!*][^\s"(),*]*""")


def _value_to_text(value: Value | Range) -> str:
    if isinstance(value, Range):
        return f"{value.low}..{value.high}"
    return value.text if value.is_pattern or _PLAIN_VALUE.fullmatch(value.text) else _quote(value.text)


def _quote(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
