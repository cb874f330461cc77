"""How a search stays fast at a million runs, whatever it asks.

A list shows the newest runs that meet a condition. If many do, the fast way is to walk
the runs from the newest on and to test each: the page is soon full. If few do, that walk
goes through everything, and the fast way is to ask an index for the few. No planner of
either database knows which it is, since none knows how frequent one tag's value or one
word is. So each condition brings, beside its test, a way to its few runs, which is
bounded: it gives up as soon as there are more than FEW.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from django.db.models import F, Func, Q, QuerySet
from django.db.models.lookups import In

from runs.models.run import RunQuerySet

# Where both ways cost about the same: at one match in a hundred of a million runs, a page of 50
# is full after 5,000 tests.
FEW = 5_000

# How far a walk goes for a condition that no index helps.
FAR = 50_000

Few = Callable[[], set[int] | None]


def unknown() -> set[int] | None:
    """Return None: there is no short way."""
    return None


@dataclass(frozen=True)
class Condition:
    """`test` says by itself whether a run meets it. `few` returns the ids of all that can, or None if too many.

    What is `blind` has no index at all: where nothing else narrows the search, it is
    tested on the newest FAR runs of the list only.
    """

    test: Q
    few: Few = unknown
    is_blind: bool = False


def all_of(conditions: Iterable[Condition]) -> Condition:
    """Return the condition that all of `conditions` are met: few of any one are few of all."""
    conditions = list(conditions)
    test = Q()
    for condition in conditions:
        test &= condition.test

    def few() -> set[int] | None:
        found = (condition.few() for condition in conditions)
        return next((ids for ids in found if ids is not None), None)

    return Condition(test, few, any(condition.is_blind for condition in conditions))


def any_of(conditions: Iterable[Condition]) -> Condition:
    """Return the condition that at least one of `conditions` is met: few only if each has few."""
    conditions = list(conditions)
    test = Q()
    for condition in conditions:
        test |= condition.test

    def few() -> set[int] | None:
        union: set[int] = set()
        for condition in conditions:
            ids = condition.few()
            if ids is None:
                return None
            union |= ids
        return union if len(union) <= FEW else None

    return Condition(test, few, any(condition.is_blind for condition in conditions))


def negation(condition: Condition) -> Condition:
    """Return the opposite condition, which nearly everything meets."""
    return Condition(~condition.test)


def at_most_few(ids: QuerySet[Any, int]) -> set[int] | None:
    """Return `ids`, a queryset of single values, or None if they are more than FEW."""
    found = set(ids.order_by()[: FEW + 1])
    return found if len(found) <= FEW else None


class Unindexed(Func):
    """A column, hidden from SQLite's choice of an index.

    For `status IN (...)` it would fetch all matches by an index and sort them, where
    walking the newest is a thousand times cheaper. PostgreSQL knows better by itself.
    """

    template = "%(expressions)s"
    arity = 1

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> Any:
        """Write the unary plus by which SQLite leaves a column out of index choice."""
        return self.as_sql(compiler, connection, template="+%(expressions)s", **context)


def is_one_of(column: str, values: Iterable[Any]) -> Q:
    """Return the test that `column` is one of `values`, so that lists are walked newest first."""
    values = list(values)
    if not values:
        return Q(pk__in=[])
    if len(values) == 1:
        return Q(**{column: values[0]})
    return Q(In(Unindexed(F(column)), values))


def narrow(queryset: RunQuerySet, condition: Condition) -> RunQuerySet:
    """Return the rows of `queryset` that meet `condition`, by the shorter way."""
    few = condition.few()
    if few is not None:
        queryset = queryset.filter(pk__in=sorted(few))
    elif condition.is_blind:
        horizon = queryset.order_by("-pk").values_list("pk", flat=True)[FAR : FAR + 1].first()
        queryset = queryset.filter(pk__gt=horizon or 0)
    return queryset.filter(condition.test)
