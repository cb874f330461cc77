"""How a search stays fast at a million runs, whatever it asks.

A list shows the newest runs that meet a condition. If many do, the fast way is to walk
the runs from the newest on and to test each: the page is soon full. If few do, that walk
goes through everything, and the fast way is to ask an index for the few. No planner of
either database knows which it is, since none knows how frequent one tag's value or one
word is. So each condition brings, beside its test, a way to its few runs, which is
bounded: it gives up as soon as there are more than FEW.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from django.db import connections
from django.db.models import BooleanField, Case, Exists, F, Func, Max, Q, QuerySet, Value, When
from django.db.models.lookups import In, IsNull

from runs.models import Run
from runs.models.run import RunQuerySet

# Where both ways cost about the same: at two matches in a thousand, a page of 50 is full after
# 25,000 tests, which read neighbors, while 2,000 finds are read from all over the table.
FEW = 2_000

# Up to so many runs, what frequent conditions have in common is found by reading all that meets each.
# PostgreSQL fetches each row for it: an index of an expression alone does not satisfy it.
MERGED = {"sqlite": 1_500_000, "postgresql": 250_000}
_MERGED_AT_ONCE = 4

Few = Callable[[], set[int] | None]
Newest = Callable[[], int | None]


def unknown() -> None:
    """Return None: there is no short way."""
    return


@dataclass(frozen=True)
class Condition:
    """`test` says by itself whether a run meets it. `few` returns the ids of all that can, or None if too many.

    `newest` is the greatest id of all that can, where a walk would otherwise pass many
    runs before it finds the first; None if it need not be told. `ids` are those of all
    that can, as an index holds them, newest first.
    """

    test: Q
    few: Few = unknown
    newest: Newest = unknown
    ids: QuerySet[Any, int] | None = None


def all_of(conditions: Iterable[Condition]) -> Condition:
    """Return the condition that all of `conditions` are met: few of any one are few of all."""
    conditions = list(conditions)
    test = Q()
    for condition in conditions:
        test &= condition.test

    def few() -> set[int] | None:
        found = (condition.few() for condition in conditions)
        known = next((ids for ids in found if ids is not None), None)
        return _in_common([c.ids for c in conditions if c.ids is not None]) if known is None else known

    def newest() -> int | None:
        found = [condition.newest() for condition in conditions]
        return min((pk for pk in found if pk is not None), default=None)

    return Condition(test, few, newest)


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

    return Condition(test, few)


def negation(condition: Condition) -> Condition:
    """Return the opposite condition, which nearly everything meets."""
    return Condition(~condition.test)


def at_most_few(ids: QuerySet[Any, int]) -> set[int] | None:
    """Return `ids`, a queryset of single values, or None if they are more than FEW.

    They should come in the order of the index that finds them: a planner that takes them
    for few would else gather them all before the first one comes.
    """
    found = set(ids[: FEW + 1])
    return found if len(found) <= FEW else None


def _in_common(ids: list[QuerySet[Any, int]]) -> set[int] | None:
    """Return the ids that all of `ids` hold, or None if they are more than FEW, or if there is too much to read.

    Each comes in order from an index, so that databases read them side by side: SQLite by
    a merge, PostgreSQL by a join of its choice. What is frequent in each and never
    together would else be tested on every run.
    """
    if len(ids) < 2:
        return None
    first, *others = (each.order_by() for each in ids[:_MERGED_AT_ONCE])
    vendor = connections[first.db].vendor
    if (Run.with_trash.aggregate(newest=Max("pk"))["newest"] or 0) > MERGED[vendor]:
        return None
    if vendor == "sqlite":
        found = first.intersection(*others).order_by("-run_id")
    else:
        found = first.order_by("-run_id")
        for other in others:
            found = found.filter(run_id__in=other)
    few = set(found[: FEW + 1])
    return few if len(few) <= FEW else None


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


@dataclass(frozen=True)
class Found:
    """What a search found: those of `among` that meet `test`. `few` are the ids of all that can, if they are few."""

    among: RunQuerySet
    test: Q = field(default_factory=Q)
    few: frozenset[int] | None = None
    # The order that the query asks for.
    order: str = ""

    @property
    def runs(self) -> RunQuerySet:
        """Return the runs."""
        return self.among.filter(self.test)


def find(queryset: RunQuerySet, condition: Condition, *, order: str = "") -> Found:
    """Return those rows of `queryset` that meet `condition`, by the shorter way."""
    test = condition.test
    if test and connections[queryset.db].vendor == "postgresql":
        # A closed box: PostgreSQL guesses how many meet a test, too few as a rule, and then rather sorts
        # or joins everything than walk. What it cannot look into it takes for frequent.
        test = Q(Case(When(test, then=Value(True)), default=Value(False), output_field=BooleanField()))
    few = condition.few()
    if few is not None:
        return Found(queryset.filter(pk__in=sorted(few)), test, frozenset(few), order)
    newest = condition.newest()
    return Found(queryset if newest is None else queryset.filter(pk__lte=newest), test, order=order)


def narrow(queryset: RunQuerySet, condition: Condition) -> RunQuerySet:
    """Return the rows of `queryset` that meet `condition`, by the shorter way."""
    return find(queryset, condition).runs
