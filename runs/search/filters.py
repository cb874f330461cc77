"""Tree to queryset: one compiler for the trees of every grammar."""

from datetime import datetime
from typing import Any

from runs.models.run import RunQuerySet
from runs.search import index, nodes, plan
from runs.search.fields import FIELDS, Scope, nearest
from runs.search.grammar import QuerySyntaxError
from runs.search.nodes import And, Node, Not, Or, Term, Word
from runs.search.ordering import order_of, without_order
from runs.search.plan import Condition, Found
from runs.wording import say


def find(queryset: RunQuerySet, tree: Node, *, user: Any, at: datetime) -> Found:
    """Return which runs of `queryset` meet `tree`, as `user` asks at `at`, and the order that it asks for.

    Archived runs are left out unless the tree speaks of them. Looks up what is rare at
    once, see `plan`, so call it when the page is made. Raises QuerySyntaxError.
    """
    order = order_of(tree)
    condition = compile_tree(without_order(tree), Scope(queryset, user, at))
    if not any(is_about_archived(leaf) for leaf in nodes.leaves(tree)):
        queryset = queryset.filter(archived_at__isnull=True)
    return plan.find(queryset, condition, order=order)


def is_about_archived(leaf: Word | Term) -> bool:
    """Return whether `leaf` asks if a run is archived."""
    return (
        isinstance(leaf, Term)
        and leaf.path == ("is",)
        and "archived" in {v.text for v in leaf.values if hasattr(v, "text")}
    )


def compile_tree(tree: Node, scope: Scope) -> Condition:
    """Return the condition that `tree` states. Raises QuerySyntaxError for what no field understands."""
    match tree:
        case Word(text):
            return index.contains([text])
        case Term():
            return _compile_term(tree, scope)
        case And(parts):
            words = [part.text for part in parts if isinstance(part, Word)]
            others = [compile_tree(part, scope) for part in parts if not isinstance(part, Word)]
            # All words at once: the index is better at what they have in common than we are.
            return plan.all_of([*([index.contains(words)] if words else []), *others])
        case Or(parts):
            return plan.any_of(compile_tree(part, scope) for part in parts)
        case Not(part):
            return plan.negation(compile_tree(part, scope))


def _compile_term(term: Term, scope: Scope) -> Condition:
    name = term.path[0]
    field = FIELDS.get(name.lower())
    if field is None:
        raise QuerySyntaxError(
            say("unknown field '{name}'", name=name),
            span=nodes.Span(term.span.position, len(name)),
            suggestion=nearest(name, FIELDS),
            expected=FIELDS,
        )
    if term.key and not field.takes_key:
        raise QuerySyntaxError(say("'{name}' takes no key", name=name), span=term.span, expected=[f"{name}:"])
    return field.compile(term, scope)
