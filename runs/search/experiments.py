"""The search bar over a list of experiments: bare words in their names, descriptions and tags."""

import json
from typing import TypeVar

from django.db.models import CharField, Q, QuerySet
from django.db.models.functions import Cast

from runs.models import Experiment
from runs.search import grammar, nodes
from runs.search.grammar import QuerySyntaxError
from runs.search.nodes import And, Node, Not, Or, Term, Word

Experiments = TypeVar("Experiments", bound=QuerySet[Experiment])


def apply(queryset: Experiments, text: str) -> Experiments:
    """Return the experiments of `queryset` that the query `text` finds. Raises QuerySyntaxError.

    There are thousands of experiments at most, so that each is tested.
    """
    tree = grammar.parse(text)
    if tree == nodes.EVERYTHING:
        return queryset
    return queryset.alias(tags_text=Cast("tags", CharField())).filter(_test(tree))


def _test(tree: Node) -> Q:
    match tree:
        case Word(word):
            # SQLite keeps tags as JSON in which a letter beyond ASCII is spelled as its number.
            escaped = json.dumps(word)[1:-1]
            return (
                Q(name__icontains=word)
                | Q(description__icontains=word)
                | Q(tags_text__icontains=word)
                | Q(tags_text__icontains=escaped)
            )
        case Term(path, _, _, span):
            raise QuerySyntaxError(
                f"experiments have no field '{path[0]}'", span=span, expected=["words of the name, description or tags"]
            )
        case And(parts):
            test = Q()
            for part in parts:
                test &= _test(part)
            return test
        case Or(parts):
            test = Q()
            for part in parts:
                test |= _test(part)
            return test
        case Not(part):
            return ~_test(part)
