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

from django.db import connections
from django.db.models import BooleanField, Case, Exists, F, Func, Q, QuerySet, Value, When
from django.db.models.expressions import Col
from django.db.models.lookups import In, IsNull

from runs.models.run import RunQuerySet

# Where both ways cost about the same: at two matches in a thousand, a page of 50 is full after
# 25,000 tests, which read neighbors, while 2,000 finds are read from all over the table.
FEW = 2_000
# How far a walk goes for a condition that no index helps.
FAR = 50_000

Few = Callable[[], set[int] | None]
Newest = Callable[[], int | None]


def unknown() -> None:
    """Return None: there is no short way."""
    return


@dataclass(frozen=True)
class Condition:
    """`test` says by itself whether a run meets it. `few` returns the ids of all that can, or None if too many.

    `newest` is the greatest id of all that can, where a walk would otherwise pass many
    runs before it finds the first; None if it need not be told. What `is_blind` has no
    index at all: where nothing else narrows the search, it is tested on the newest FAR
    runs of the list only.
    """

    test: Q
    few: Few = unknown
    newest: Newest = unknown
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

    def newest() -> int | None:
        found = [condition.newest() for condition in conditions]
        return min((pk for pk in found if pk is not None), default=None)

    return Condition(test, few, newest, any(condition.is_blind for condition in conditions))


def any_of(conditions: Iterable[Condition]) -> Condition:
    """Return the condition that at least one of `conditions` is met: few only if each has few."""
    conditions = list(conditions)
    if len(conditions) == 1:
        return conditions[0]
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

    return Condition(test, few, is_blind=any(condition.is_blind for condition in conditions))


def negation(condition: Condition) -> Condition:
    """Return the opposite condition, which nearly everything meets."""
    return Condition(~condition.test)


def at_most_few(ids: QuerySet[Any, int]) -> set[int] | None:
    """Return `ids`, a queryset of single values, or None if they are more than FEW."""
    found = set(ids.order_by()[: FEW + 1])
    return found if len(found) <= FEW else None


class Unindexed(Func):
    """A column, hidden from SQLite's choice of an index.

    To spare itself a sort or to use a range, SQLite walks an index through everything,
    where it could sort the few that there are or walk the newest. PostgreSQL knows the
    sizes better by itself.
    """

    template = "%(expressions)s"
    arity = 1

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> Any:
        """Write the unary plus by which SQLite leaves a column out of index choice."""
        return self.as_sql(compiler, connection, template="+%(expressions)s", **context)


class Holds(Exists):
    """EXISTS that is asked run by run: else PostgreSQL may read all tags first to answer for fifty runs."""

    def as_postgresql(self, compiler: Any, connection: Any) -> Any:
        """Write the OFFSET by which PostgreSQL leaves a subquery as it is."""
        return self.as_sql(compiler, connection, template="EXISTS(%(subquery)s OFFSET 0)")


def is_one_of(column: str, values: Iterable[Any], *, by_index: bool = True) -> Q:
    """Return the test that `column` is one of `values`, so that lists are walked newest first.

    `by_index` says whether there is an index that finds the runs of one value newest first.
    """
    values = list(values)
    if not values:
        return Q(pk__in=[])
    if len(values) == 1 and by_index:
        return Q(**{column: values[0]})
    hidden = Unindexed(F(column))
    return Q(In(hidden, values)) & Q(IsNull(hidden, False))


def narrow(queryset: RunQuerySet, condition: Condition, *, far: int | None = None) -> RunQuerySet:
    """Return the rows of `queryset` that meet `condition`, by the shorter way.

    With `far`, a walk ends after so many of the newest runs of the list.
    """
    test = condition.test
    if test and connections[queryset.db].vendor == "postgresql":
        # A closed box: PostgreSQL guesses how many meet a test, too few as a rule, and then rather sorts
        # or joins everything than walk. What it cannot look into it takes for frequent.
        test = Q(Case(When(test, then=Value(True)), default=Value(False), output_field=BooleanField()))
    few = condition.few()
    if few is not None:
        return queryset.filter(pk__in=sorted(few)).filter(test)
    newest = condition.newest()
    if newest is not None:
        queryset = queryset.filter(pk__lte=newest)
    if far is None and condition.is_blind:
        far = FAR
    if far is not None:
        horizon = queryset.order_by("-pk").values_list("pk", flat=True)[far : far + 1].first()
        queryset = queryset.filter(pk__gt=horizon or 0)
    return queryset.filter(test)


def is_narrowed(queryset: QuerySet[Any]) -> bool:
    """Return whether `queryset` is already down to a few rows, named by their keys."""
    return any(
        isinstance(part, In) and isinstance(part.lhs, Col) and part.lhs.target.primary_key
        for part in queryset.query.where.children
    )
