"""Search: the language of the search bar, the index behind its words, and paging without OFFSET.

Knows rows; decides nothing about them.
"""

from datetime import datetime
from typing import Any

from runs.models.run import RunQuerySet
from runs.search import filters, grammar, nodes
from runs.search.grammar import QuerySyntaxError

__all__ = ["QuerySyntaxError", "apply", "names_field"]


def apply(queryset: RunQuerySet, *texts: str, user: Any, at: datetime) -> RunQuerySet:
    """Return the runs of `queryset` that every one of the queries finds; an empty one finds all that are not archived.

    `queryset` says in which list to search: filter it by workspace or experiment first.
    Raises QuerySyntaxError.
    """
    trees = tuple(grammar.parse(text) for text in texts)
    tree = trees[0] if len(trees) == 1 else nodes.And(trees)
    return filters.apply(queryset, tree, user=user, at=at)


def names_field(text: str, name: str) -> bool:
    """Return whether the query `text` uses the field `name`: who asks for a `parent` wants to see children."""
    return any(
        isinstance(leaf, nodes.Term) and leaf.path[0].lower() == name for leaf in nodes.leaves(grammar.parse(text))
    )
