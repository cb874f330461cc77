"""The filters of a table as chips that come off one by one, and the builder that adds one: both write the query."""

from dataclasses import dataclass

from django.http import QueryDict
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from runs import search
from runs.errors import InvalidInput
from runs.search import grammar, nodes
from runs.search.fields import FIELDS
from runs.search.nodes import Node, Operator, Term, Value

OPERATORS = {
    Operator.MATCHES: gettext_lazy("is, or contains"),
    Operator.NOT_EQUAL: gettext_lazy("is not"),
    Operator.LESS: gettext_lazy("is less than"),
    Operator.AT_MOST: gettext_lazy("is at most"),
    Operator.MORE: gettext_lazy("is more than"),
    Operator.AT_LEAST: gettext_lazy("is at least"),
}


@dataclass(frozen=True)
class Chip:
    """A part of the query, and the query without it."""

    text: str
    rest: str


def of(query: str) -> list[Chip]:
    """Return a chip for each part that the query joins by AND; none for a query that cannot be read."""
    try:
        tree = grammar.parse(query)
    except search.QuerySyntaxError:
        return []
    parts: list[Node] = list(tree.parts) if isinstance(tree, nodes.And) else [tree]
    return [Chip(nodes.to_text(part), _text(parts[:place] + parts[place + 1 :])) for place, part in enumerate(parts)]


def added(state: QueryDict) -> QueryDict | None:
    """Return the address's state with the filter that the builder's fields name in its query; None without one.

    Raises InvalidInput that names the field of the builder.
    """
    if "add_field" not in state:
        return None
    state = state.copy()
    field, key, operator, value = (
        (state.pop(f"add_{name}", [""])[-1] or "").strip() for name in ("field", "key", "operator", "value")
    )
    if field not in FIELDS:
        raise InvalidInput(_("There is no field %r to filter by.") % field, field="add_field")
    if FIELDS[field].takes_key and not key:
        raise InvalidInput(_("Say which of the %s: its name is missing.") % field, field="add_key")
    if not value:
        raise InvalidInput(_("The filter needs a value."), field="add_value")
    if operator not in set(OPERATORS):
        raise InvalidInput(_("There is no comparison %r.") % operator, field="add_operator")
    path = (field, *(key.split(".") if FIELDS[field].takes_key else ()))
    term = Term(path, Operator(operator), (Value(value, "*" in value),))
    query = state.get("q", "").strip()
    try:
        held = grammar.parse(query)
    except search.QuerySyntaxError as problem:
        raise InvalidInput(problem.message, field="q") from problem
    parts: list[Node] = list(held.parts) if isinstance(held, nodes.And) else [held]
    state["q"] = _text([*parts, term])
    for name in ("cursor", "v"):
        state.pop(name, None)
    return state


def _text(parts: list[Node]) -> str:
    return nodes.to_text(nodes.And(tuple(parts)))
