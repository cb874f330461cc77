"""The orders of runs: by a column of theirs, or by a metric, param, tag or property, each walked by its own index.

An order is a name such as `created`, `metrics.loss.min` or `tags.quality`, with `-` for falling.
"""

import difflib
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

from django.db.models import F, Model, OuterRef, Q, QuerySet
from django.db.models.lookups import IsNull

from runs.errors import InvalidInput
from runs.models import Experiment, Metric, Param, Property, Run, Tag
from runs.models.run import RunQuerySet
from runs.models.tag import ValueHead
from runs.search import paging, plan
from runs.search.paging import Page
from runs.search.plan import Found
from runs.search.walk import Stretch
from runs.wording import say

DEFAULT = "-created"
# Each has an index for a workspace and for an experiment, newest first among equals, so that a million
# runs are never sorted. Ids rise as runs are created.
COLUMNS: Mapping[str, str] = {
    "created": "id",
    "number": "number",
    "status": "status",
    "ended": "ended_at",
    "duration": "duration_seconds",
}
SUMMARIES = {"last": "latest_value", "latest": "latest_value", "min": "min_value", "max": "max_value"}
# To test what hangs on a run, its row is read from elsewhere.
_AFAR = 4
KINDS = ("metrics", "params", "tags", "properties")
# As the API called them at first.
_FORMER = {"metric": "last", "metric.min": "min", "metric.max": "max"}


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


def check(order: str) -> str:
    """Return `order`, under its present name, if runs can be sorted so; else raise InvalidInput."""
    sign, name = ("-", order[1:]) if order.startswith("-") else ("", order)
    former, colon, metric = name.partition(":")
    if colon and metric and former in _FORMER:
        return f"{sign}metrics.{metric}.{_FORMER[former]}"
    if name in COLUMNS:
        return order
    try:
        split(name)
    except InvalidInput as problem:
        near = nearest(order)
        names = ", ".join([*COLUMNS, *(f"{kind}.NAME" for kind in KINDS)])
        hint = (
            say("did you mean {name!r}?", name=near) if near else say("expected one of {names}, or -name.", names=names)
        )
        raise InvalidInput(say("{order!r} is no order; {hint}", order=order, hint=hint), field="order") from problem
    return order


def nearest(order: str) -> str:
    """Return the order that looks most like `order`, or nothing."""
    sign, name = ("-", order[1:]) if order.startswith("-") else ("", order)
    kind, dot, key = name.partition(".")
    known = KINDS if dot and key else tuple(COLUMNS)
    found = next(iter(difflib.get_close_matches(kind if dot else name, known, n=1, cutoff=0.6)), "")
    return f"{sign}{found}{dot}{key}" if found else ""


def paginate(
    found: Found,
    *,
    order: str = DEFAULT,
    cursor: str = "",
    limit: int = 50,
    experiment: Experiment | None = None,
    rows: RunQuerySet | None = None,
) -> Page[Run]:
    """Return one page of the runs that were found; `experiment` is the one that all of them are of.

    `rows` says what to read of each run. Raises InvalidInput that names the field at fault.
    """
    order = check(order)
    return paging.page_of(
        Run.objects.for_lists() if rows is None else rows,
        _stretches(found, order.removeprefix("-"), experiment),
        order=order,
        cursor=cursor,
        limit=limit,
    )


def _stretches(found: Found, name: str, experiment: Experiment | None) -> list[Stretch]:
    """Return the stretches of an order, each an index's own: those with a value, those without one."""
    few: Collection[int] | None = found.few
    if few is None and name != "created":
        # A short list is sorted; an index of values would walk through all others in search of its runs.
        few = plan.at_most_few(found.among.order_by("-pk").values_list("pk", flat=True))
    runs = found.among if few is None else found.among.filter(pk__in=sorted(few))
    if name in COLUMNS:
        return _by_column(runs, COLUMNS[name], found.test, is_few=few is not None)
    kind, key, summary = split(name)
    of_run = plan.Holds(found.runs.order_by().filter(pk=OuterRef("run_id")))

    def of(model: type[Model], column: Any, test: Q) -> Stretch:
        rows = model._default_manager.filter(test)
        if few is not None:
            few_rows = rows.filter(of_run, run_id__in=sorted(few))
            return Stretch(few_rows, "run_id", column and plan.Unindexed(column), "run_id")
        return Stretch(
            rows.filter(experiment=experiment) if experiment else rows,
            "run_id",
            column,
            "run_id",
            Q(of_run),
            cost=_AFAR,
        )

    head = ValueHead("value")
    if kind == "metrics":
        column = SUMMARIES[summary]
        has_value = Q(name=key, **{f"{column}__isnull": False})
        valued = [of(Metric, F(column), has_value)]
        held: QuerySet[Any] = Metric.objects.filter(has_value, run=OuterRef("pk"))
    elif kind == "params":
        valued = [
            of(Param, F("number"), Q(name=key, number__isnull=False)),
            of(Param, head, Q(name=key, number__isnull=True)),
        ]
        held = Param.objects.filter(name=key, run=OuterRef("pk"))
    elif kind == "tags":
        # By what the index holds: the values themselves are far away.
        has_value = Q(IsNull(head, False), key=key)
        valued = [of(Tag, head, has_value), of(Tag, None, Q(IsNull(head, True), key=key))]
        held = Tag.objects.filter(key=key, run=OuterRef("pk"))
    else:
        valued = [of(Property, head, Q(key=key))]
        held = Property.objects.filter(key=key, run=OuterRef("pk"))
    without = found.test & ~Q(plan.Holds(held))
    if few is not None:
        return [*valued, Stretch(runs.filter(without), "pk", None, "pk")]
    return [*valued, Stretch(runs, "pk", None, "pk", without)]


def _by_column(runs: RunQuerySet, column: str, test: Q, *, is_few: bool) -> list[Stretch]:
    if not is_few:
        return paging.stretches_of(runs.order_by(), column, test=test or None)
    found = paging.stretches_of(runs.filter(test).order_by(), column)
    return [replace(stretch, key=stretch.key and plan.Unindexed(stretch.key)) for stretch in found]
