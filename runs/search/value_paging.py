"""Pages of runs in the order of a metric, param, tag or property of theirs, walked by the index of its values.

An order such as `-metrics.loss.min` or `tags.quality`; `paging` knows those of a run's own columns.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.core import signing
from django.db.models import Expression, F, Model, OuterRef, Q, QuerySet
from django.db.models.lookups import Exact, GreaterThan, LessThan

from runs import limits
from runs.errors import InvalidInput
from runs.models import Experiment, Metric, Param, Property, Run, Tag
from runs.models.run import RunQuerySet
from runs.models.tag import ValueHead
from runs.search import paging, plan
from runs.search.paging import Page
from runs.wording import say

_SALT = "runs.search.value_paging"
SUMMARIES = {"last": "latest_value", "latest": "latest_value", "min": "min_value", "max": "max_value"}
KINDS = ("metrics", "params", "tags", "properties")


@dataclass(frozen=True)
class _Stretch:
    """Rows that an index holds in order: by `key`, if they have one, then by `tie`."""

    rows: QuerySet[Any]
    run: str
    key: Expression | F | None
    tie: str
    # Whether `tie` runs with the order or, as in most indexes, against it; None: newest first either way.
    tie_follows: bool | None


@dataclass(frozen=True)
class _Entry:
    """Where a run stands: in which stretch, with what value, beside what."""

    stretch: int
    value: Any
    tie: int
    run_id: int


def split(name: str) -> tuple[str, str, str]:
    """Return the kind, the key and, of a metric, the summary that `metrics.loss.min` and the like name.

    Raises InvalidInput for what is no such name.
    """
    kind, _, key = name.partition(".")
    if kind not in KINDS or not key:
        raise InvalidInput(
            say("{name!r} is none of {names}.", name=name, names=", ".join(f"{kind}.name" for kind in KINDS)),
            field="order",
        )
    if kind != "metrics":
        return kind, key, ""
    head, _, tail = key.rpartition(".")
    return (kind, head, "last" if tail == "latest" else tail) if head and tail in SUMMARIES else (kind, key, "last")


def paginate(
    queryset: RunQuerySet, *, order: str, cursor: str = "", limit: int = 50, experiment: Experiment | None = None
) -> Page[Run]:
    """Return one page of `queryset` in any order that runs have; `experiment` is the one that all of them are of.

    Raises InvalidInput that names the field at fault.
    """
    name = order.removeprefix("-")
    if "." not in name:
        return paging.paginate(queryset, order=order, cursor=cursor, limit=limit)
    stretches = _stretches(queryset, experiment, *split(name))
    if not 1 <= limit <= limits.PAGE_ROWS:
        raise InvalidInput(
            say("limit is {limit}; expected 1 to {most}.", limit=limit, most=limits.PAGE_ROWS), field="limit"
        )
    falls = order.startswith("-")
    place, is_back = _read(cursor, order) if cursor else (None, False)
    entries = _take(stretches, falls, place, is_back, limit + 1)
    if is_back and len(entries) <= limit:
        # The start is reached: show the first page whole rather than a part of it.
        place, is_back = None, False
        entries = _take(stretches, falls, None, False, limit + 1)
    has_more, entries = len(entries) > limit, entries[:limit]
    if is_back:
        entries.reverse()
    has_next, has_previous = (True, has_more) if is_back else (has_more, place is not None)
    runs = {run.pk: run for run in queryset.filter(pk__in=[entry.run_id for entry in entries]).order_by()}
    return Page(
        [runs[entry.run_id] for entry in entries if entry.run_id in runs],
        next=_write(order, False, entries[-1]) if entries and has_next else "",
        previous=_write(order, True, entries[0]) if entries and has_previous else "",
    )


def _stretches(
    queryset: RunQuerySet, experiment: Experiment | None, kind: str, key: str, summary: str
) -> list[_Stretch]:
    """Return the stretches of an order, each an index's own: those with a value, those without one."""
    runs = queryset.order_by()
    few = plan.at_most_few(runs.values_list("pk", flat=True))

    def of(model: type[Model], test: Q) -> QuerySet[Any]:
        rows = model._default_manager.filter(test)
        if few is not None:
            return rows.filter(run_id__in=sorted(few))
        return rows.filter(plan.Holds(runs.filter(pk=OuterRef("run_id"))))

    def unindexed(column: str) -> Any:
        # Few rows are sorted; an index of values would walk through all others in search of them.
        return plan.Unindexed(F(column)) if few is not None else F(column)

    def texts(model: type[Model], test: Q) -> _Stretch:
        head = ValueHead("value")
        return _Stretch(of(model, test), "run_id", plan.Unindexed(head) if few is not None else head, "run_id", False)

    if kind == "metrics":
        column = SUMMARIES[summary]
        has_value = Q(name=key, **{f"{column}__isnull": False})
        there = Q(experiment=experiment) if experiment else Q()
        valued = [_Stretch(of(Metric, has_value & there), "run_id", unindexed(column), "run_id", False)]
        held = plan.Holds(Metric.objects.filter(has_value, run=OuterRef("pk")))
    elif kind == "params":
        valued = [
            _Stretch(of(Param, Q(name=key, number__isnull=False)), "run_id", unindexed("number"), "id", True),
            texts(Param, Q(name=key, number__isnull=True)),
        ]
        held = plan.Holds(Param.objects.filter(name=key, run=OuterRef("pk")))
    else:
        model: type[Model] = Tag if kind == "tags" else Property
        without = _Stretch(of(model, Q(key=key, value__isnull=True)), "run_id", None, "run_id", None)
        valued = [texts(model, Q(key=key, value__isnull=False)), *([without] if model is Tag else [])]
        held = plan.Holds(model._default_manager.filter(key=key, run=OuterRef("pk")))
    return [*valued, _Stretch(runs.filter(~held), "pk", None, "pk", None)]


def _take(stretches: list[_Stretch], falls: bool, place: _Entry | None, is_back: bool, count: int) -> list[_Entry]:
    """Return up to `count` entries from `place` on, forth or back."""
    entries: list[_Entry] = []
    for number in range(len(stretches))[:: -1 if is_back else 1]:
        if place and (number > place.stretch if is_back else number < place.stretch):
            continue
        stretch = stretches[number]
        here = place if place and number == place.stretch else None
        for rows in _parts(stretch, falls, here, is_back):
            wanted = rows[: count - len(entries)] if len(entries) < count else ()
            if stretch.key is None:
                entries += [_Entry(number, None, tie, tie) for (tie,) in wanted]
            else:
                entries += [_Entry(number, value, tie, run) for run, value, tie in wanted]
    return entries


def _parts(stretch: _Stretch, falls: bool, place: _Entry | None, is_back: bool) -> Iterator[QuerySet[Any, Any]]:
    """Yield what an index reads one after the other: the rest of the equals, then the values beyond."""
    if stretch.key is None:
        rows = stretch.rows.order_by(stretch.tie if is_back else f"-{stretch.tie}").values_list(stretch.tie)
        yield rows.filter(**{f"{stretch.tie}__{'gt' if is_back else 'lt'}": place.tie}) if place else rows
        return
    goes_down = falls != is_back
    tie_down = goes_down == stretch.tie_follows
    rows = stretch.rows.annotate(sorted_by=stretch.key).order_by(
        stretch.key.desc() if goes_down else stretch.key.asc(), f"-{stretch.tie}" if tie_down else stretch.tie
    )
    found = rows.values_list(stretch.run, "sorted_by", stretch.tie)
    if place is None:
        yield found
        return
    yield found.filter(Exact(stretch.key, place.value), **{f"{stretch.tie}__{'lt' if tie_down else 'gt'}": place.tie})
    yield found.filter((LessThan if goes_down else GreaterThan)(stretch.key, place.value))


def _write(order: str, is_back: bool, entry: _Entry) -> str:
    return signing.Signer(salt=_SALT).sign_object([order, is_back, entry.stretch, entry.value, entry.tie])


def _read(cursor: str, order: str) -> tuple[_Entry, bool]:
    try:
        written_order, is_back, stretch, value, tie = signing.Signer(salt=_SALT).unsign_object(cursor)
    except (signing.BadSignature, ValueError, TypeError):
        raise InvalidInput(
            say("This cursor is not one that was given out; leave it out to start anew."), field="cursor"
        ) from None
    if written_order != order:
        raise InvalidInput(
            say(
                "This cursor belongs to the order {written_order}, not to {order}.",
                written_order=written_order,
                order=order,
            ),
            field="cursor",
        )
    return _Entry(stretch, value, tie, 0), is_back
