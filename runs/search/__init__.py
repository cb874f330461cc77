"""Search: the language of the search bar, the index behind its words, and paging without OFFSET.

Knows rows; decides nothing about them.
"""

from datetime import datetime
from typing import Any

from runs.models.run import RunQuerySet
from runs.search import filters, grammar, nodes, ordering
from runs.search.grammar import QuerySyntaxError
from runs.search.plan import Found

__all__ = ["Found", "QuerySyntaxError", "apply", "find", "names_field", "without_order"]


def find(queryset: RunQuerySet, *texts: str, user: Any, at: datetime) -> Found:
    """Return which runs of `queryset` every one of the queries finds; an empty one finds all that are not archived.

    `queryset` says in which list to search: filter it by workspace or experiment first.
    Raises QuerySyntaxError.
    """
    return filters.find(queryset, nodes.all_of([grammar.parse(text) for text in texts]), user=user, at=at)


def apply(queryset: RunQuerySet, *texts: str, user: Any, at: datetime) -> RunQuerySet:
    """Return the runs themselves that `find` finds, in no order."""
    return find(queryset, *texts, user=user, at=at).runs


def names_field(text: str, name: str) -> bool:
    """Return whether the query `text` uses the field `name`: who asks for a `parent` wants to see children."""
    return any(
        isinstance(leaf, nodes.Term) and leaf.path[0].lower() == name for leaf in nodes.leaves(grammar.parse(text))
    )


def without_order(text: str) -> str:
    """Return the query `text` without the order that it asks for."""
    tree = grammar.parse(text)
    rest = ordering.without_order(tree)
    return text if rest == tree else nodes.to_text(rest)
