"""`order:` in a query: not a condition on runs but the order in which they come."""

from typing import TypeGuard

from runs.errors import InvalidInput
from runs.search import nodes, orders, terms
from runs.search.grammar import QuerySyntaxError
from runs.search.nodes import Node, Operator, Term
from runs.search.plan import Condition
from runs.search.terms import Field, Scope
from runs.wording import say

ORDER = "order"


def order_of(tree: Node) -> str:
    """Return the order that a query asks for, or nothing. Raises QuerySyntaxError."""
    asked = [part for part in _parts(tree) if _is_order(part)]
    if not asked:
        return ""
    if len(asked) > 1:
        raise QuerySyntaxError(say("a second order"), span=asked[1].span, expected=[say("one order")])
    [term] = asked
    terms.only(term, Operator.MATCHES)
    if term.key:
        raise QuerySyntaxError(say("'{name}' takes no key", name=ORDER), span=term.span, expected=[f"{ORDER}:"])
    values = terms.plain(term, but=say("an order such as -created"))
    if len(values) > 1:
        raise QuerySyntaxError(say("a second order"), span=values[1].span, expected=[say("one order")])
    try:
        return orders.check(values[0].text)
    except InvalidInput:
        raise QuerySyntaxError(
            say("unknown order '{value}'", value=values[0].text),
            span=values[0].span,
            suggestion=orders.nearest(values[0].text),
            expected=[*orders.COLUMNS, *(f"{kind}.NAME" for kind in orders.KINDS), say("or -NAME")],
        ) from None


def without_order(tree: Node) -> Node:
    """Return the tree without the order that it asks for."""
    return nodes.all_of([part for part in _parts(tree) if not _is_order(part)])


def _parts(tree: Node) -> tuple[Node, ...]:
    return tree.parts if isinstance(tree, nodes.And) else (tree,)


def _is_order(part: Node) -> TypeGuard[Term]:
    return isinstance(part, Term) and part.path[0].lower() == ORDER


def _misplaced(term: Term, scope: Scope) -> Condition:
    raise QuerySyntaxError(say("'order' stands beside all else, not within OR, NOT or brackets"), span=term.span)


FIELDS: dict[str, Field] = {
    ORDER: Field(
        say("The order, falling with a -: a time, number, status, metric, param or tag"),
        "order:-metrics.loss.min",
        _misplaced,
    )
}
