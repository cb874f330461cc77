"""The search bar over a list of experiments: what their own texts or their runs say."""

import json
from datetime import datetime
from typing import Any, TypeVar

from django.db.models import CharField, Q, QuerySet
from django.db.models.functions import Cast

from runs.models import Experiment
from runs.models.run import RunQuerySet
from runs.search import filters, grammar, nodes
from runs.search.grammar import QuerySyntaxError
from runs.search.nodes import And, Node, Not, Or, Term, Word
from runs.wording import say

Experiments = TypeVar("Experiments", bound=QuerySet[Experiment])


# What is frequent is looked for among the newest runs: which experiments it is in shows soon.
FAR = 20_000


def apply(queryset: Experiments, text: str, *, runs: RunQuerySet, user: Any, at: datetime) -> tuple[Experiments, bool]:
    """Return the experiments of `queryset` that the query `text` finds, by themselves or by one of `runs`.

    Words are looked for in name, description and tags; there are thousands of experiments
    at most, so that each is tested. Of runs that frequent words and fields find, the
    newest FAR count: whether there are more is the second that it returns. Raises QuerySyntaxError.
    """
    tree = grammar.parse(text)
    if tree == nodes.EVERYTHING:
        return queryset, False
    if asked := [leaf for leaf in nodes.leaves(tree) if isinstance(leaf, Term) and leaf.path[0].lower() == "order"]:
        raise QuerySyntaxError(say("'order' is for lists of runs"), span=asked[0].span)
    found = filters.find(runs, tree, user=user, at=at)
    shown, horizon = found.runs, None
    if found.few is None:
        horizon = found.among.order_by("-pk").values_list("pk", flat=True)[FAR : FAR + 1].first()
        shown = shown.filter(pk__gt=horizon or 0)
    test = Q(pk__in=set(shown.order_by().values_list("experiment_id", flat=True)))
    if not any(isinstance(leaf, Term) for leaf in nodes.leaves(tree)):
        test |= _test(tree)
    return queryset.alias(tags_text=Cast("tags", CharField())).filter(test), horizon is not None


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
        case Term():
            raise AssertionError("an experiment has no fields of a run")
