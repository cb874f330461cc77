"""The search of runs: filter, order, and pages that go on where the last one ended."""

import base64
import binascii
import json
from collections import defaultdict
from datetime import datetime
from typing import Any

from django.db.models import Case, CharField, Exists, F, FilteredRelation, Model, OrderBy, OuterRef, Q, Value, When
from django.db.models.functions import Coalesce
from django.db.models.lookups import GreaterThanOrEqual, In
from django.utils import timezone

from runs.api.mlflow import errors, shapes
from runs.api.mlflow.calls import Call
from runs.models import Experiment, Metric, Param, Run, Tag, Workspace
from runs.models.run import RunQuerySet
from runs.models.tag import ValueStart
from runs.search import QuerySyntaxError, filters, mlflow, plan
from runs.search.fields import Scope
from runs.search.mlflow import Order
from runs.status import RunStatus

Answer = dict[str, Any]

_RUNS, _RUNS_AT_MOST = 1000, 50_000
_VIEWS = ("ACTIVE_ONLY", "DELETED_ONLY", "ALL")
_STATUSES: dict[str, list[str]] = defaultdict(list)
for ours, theirs in shapes.STATUSES.items():
    _STATUSES[theirs].append(RunStatus(ours).value)
# As `run_experiment_start` has it.
_START = Coalesce("started_at", "created_at")
_NEWEST = (_START.desc(), F("run_id").asc())
_COLUMNS = {
    "run_id": F("run_id"),
    "artifact_uri": F("run_id"),
    "run_name": F("display_name"),
    "user_id": F("submitted_by__username"),
    "start_time": _START,
    "end_time": F("ended_at"),
    "status": Case(
        *(When(status__in=ours, then=Value(theirs)) for theirs, ours in _STATUSES.items()), output_field=CharField()
    ),
}
# What hangs on runs: the relation, its rows, and the column of their keys.
_RELATIONS: dict[str, tuple[str, type[Model], str]] = {
    "metric": ("metrics", Metric, "name"),
    "parameter": ("params", Param, "name"),
    "tag": ("tags", Tag, "key"),
}
_ORDERS_AT_MOST = 20


def search(call: Call) -> Answer:
    """Find runs of some experiments. Those of a deleted experiment count as deleted."""
    fields = call.fields
    limit = fields.limit(default=_RUNS, most=_RUNS_AT_MOST)
    view = fields.text("run_view_type") or "ACTIVE_ONLY"
    if view not in _VIEWS:
        raise errors.wrong("run_view_type", view, f"Expected one of {', '.join(_VIEWS)}.")
    token = read_token(fields.text("page_token"))
    experiments = _experiments(call, fields.texts("experiment_ids"))
    runs = _in_view(call, experiments, view)
    try:
        tree = mlflow.parse(fields.text("filter"), statuses=_STATUSES)
        orders = _orders(fields.texts("order_by"))
        condition = filters.compile_tree(tree, Scope(runs, call.caller.user, timezone.now()))
    except QuerySyntaxError as error:
        raise errors.invalid(error.message) from None
    if orders:
        # The runs of one experiment are walked in the order of an index of what hangs on them.
        own = experiments[0].pk if len(experiments) == 1 and _hangs_on_runs(orders[0]) else None
        among = runs if own is None else _in_view(call, experiments, view, is_hidden=True)
        keys, following = _page_ordered(plan.narrow(among, condition), orders, own, token, limit)
    else:
        keys, following = _page_newest(plan.narrow(runs, condition), token, limit)
    answer: Answer = {"runs": shapes.run_documents(keys)} if keys else {}
    if following is not None:
        answer["next_page_token"] = write_token(following)
    return answer


def _experiments(call: Call, ids: list[str]) -> list[Experiment]:
    """Return those of the experiments that the caller may see; others are passed over."""
    keys = [int(one) for one in ids if one.isascii() and one.isdigit() and one != "0" and len(one) < 19]
    wanted = Q(pk__in=keys)
    if "0" in ids:
        if call.caller.own_run is not None:
            wanted |= Q(pk=call.caller.own_run.experiment_id)
        else:
            wanted |= Q(workspace=call.workspace, name=shapes.DEFAULT_EXPERIMENT)
    visible = Workspace.objects.visible_to(call.caller.user)
    if call.workspace_name:
        visible = visible.filter(name=call.workspace_name)
    return list(Experiment.objects.filter(wanted, workspace__in=visible).only("pk", "archived_at"))


def _in_view(call: Call, experiments: list[Experiment], view: str, *, is_hidden: bool = False) -> RunQuerySet:
    """Return the runs to search; with `is_hidden` SQLite takes no index for the experiment."""
    among = _hidden if is_hidden else _indexed
    active = [experiment.pk for experiment in experiments if experiment.archived_at is None]
    deleted = [experiment.pk for experiment in experiments if experiment.archived_at is not None]
    runs = call.caller.runs(Run.objects.all())
    match view:
        case "ACTIVE_ONLY":
            return runs.filter(among(active), archived_at__isnull=True)
        case "DELETED_ONLY" if deleted:
            return runs.filter((among(active) & Q(archived_at__isnull=False)) | among(deleted))
        case "DELETED_ONLY":
            return runs.filter(among(active), archived_at__isnull=False)
        case _:
            return runs.filter(among([*active, *deleted]))


def _hidden(experiments: list[int]) -> Q:
    return Q(In(plan.Unindexed(F("experiment")), experiments)) if experiments else Q(pk__in=[])


def _indexed(experiments: list[int]) -> Q:
    # A single one by equality: then the index has the order, too.
    return Q(experiment=experiments[0]) if len(experiments) == 1 else Q(experiment__in=experiments)


def _orders(texts: list[str]) -> list[Order]:
    orders = [mlflow.parse_order(text) for text in texts]
    if len(orders) > _ORDERS_AT_MOST:
        raise errors.invalid(f"`order_by` has {len(orders)} clauses; at most {_ORDERS_AT_MOST} are allowed.")
    seen = set()
    for position, order in enumerate(orders):
        if (order.entity, order.key) in seen:
            raise errors.invalid(f"`order_by` contains duplicate fields: {texts}")
        seen.add((order.entity, order.key))
        if order.entity == "attribute":
            name = mlflow.attribute(order.key)
            if name not in _COLUMNS:
                raise errors.invalid(
                    f"Invalid attribute key '{order.key}' specified. Valid keys are '{sorted(_COLUMNS)}'"
                )
            orders[position] = Order("attribute", name, order.is_falling)
        elif order.entity == "dataset":
            raise errors.invalid("Runs cannot be ordered by datasets.")
    return orders


def _page_newest(found: RunQuerySet, token: Any, limit: int) -> tuple[list[int], Any]:
    """Return the keys of a page, the latest start first, and where the next one begins."""
    found = found.alias(start=_START)
    stretches = [found]
    if token is not None:
        try:
            start, run_id = datetime.fromisoformat(token[0]), str(token[1])
        except (TypeError, ValueError, IndexError, KeyError):
            raise errors.invalid("Invalid page token, could not parse it") from None
        # The rest of those that started at once, then the older ones: each by the index.
        stretches = [found.filter(start=start, run_id__gt=run_id), found.filter(start__lt=start)]
    rows: list[tuple[int, datetime, str]] = []
    for stretch in stretches:
        if len(rows) <= limit:
            ordered = stretch.order_by(*_NEWEST).values_list("pk", _START, "run_id")
            rows += ordered[: limit + 1 - len(rows)]
    last = rows[limit - 1] if len(rows) > limit else None
    return [row[0] for row in rows[:limit]], last and [last[1].isoformat(), last[2]]


def _page_ordered(
    found: RunQuerySet, orders: list[Order], own: int | None, token: Any, limit: int
) -> tuple[list[int], Any]:
    """Return the keys of a page in the order that was asked for, and where the next one begins."""
    try:
        stretch, offset = map(int, token or (0, 0))
    except (TypeError, ValueError):
        raise errors.invalid("Invalid page token, could not parse it") from None
    if not 0 <= offset < 2**31:
        raise errors.invalid("Invalid page token, could not parse it")
    stretches = _stretches(found, orders, own)
    keys: list[int] = []
    while 0 <= stretch < len(stretches):
        wanted = limit + 1 - len(keys)
        more = list(stretches[stretch].values_list("pk", flat=True)[offset : offset + wanted])
        keys += more
        if len(keys) > limit:
            return keys[:limit], [stretch, offset + len(more) - 1]
        stretch, offset = stretch + 1, 0
    return keys, None


def _stretches(found: RunQuerySet, orders: list[Order], own: int | None) -> list[RunQuerySet]:
    """Return querysets that, one after the other, hold the runs in order; `own` is the only experiment of them."""
    first, *others = orders
    if first == Order("attribute", "end_time", is_falling=True):
        # PostgreSQL's index has those without an end before the latest, and walks no other way than it has them.
        ended = found.filter(ended_at__isnull=False)
        return [_ordered(ended, others, F("ended_at").desc()), _ordered(found.filter(ended_at__isnull=True), others)]
    if first.entity == "metric":
        return _by_metric(found, orders, own)
    if own is not None:
        return _by_text(found, orders, own)
    return [_ordered(found, orders)]


def _hangs_on_runs(order: Order) -> bool:
    return order.entity in _RELATIONS and order.key != "mlflow.runName"


def _by_metric(found: RunQuerySet, orders: list[Order], own: int | None) -> list[RunQuerySet]:
    """Return the runs in the order of a metric's values, then those where it is no number, then those without it.

    Infinities are the ends of the values, which an index has in order.
    """
    first, *others = orders
    named = {"name": first.key} if own is None else {"name": first.key, "experiment": own}
    finite = _joined(found, "first", first, own).filter(Q(first__latest_value__isnull=False))
    finite = _ordered(finite, others, _towards(first, F("first__latest_value")))

    def odd(test: Q) -> RunQuerySet:
        held = Metric.objects.filter(test, latest_value__isnull=True, **named)
        return _ordered(found.filter(pk__in=held.values("run")), others)

    ends = [odd(Q(latest_text="Infinity")), odd(Q(latest_text="-Infinity"))]
    if not first.is_falling:
        ends.reverse()
    rest = odd(~Q(latest_text__in=["Infinity", "-Infinity"]))
    without = found.exclude(Exists(Metric.objects.filter(run=OuterRef("pk"), **named)))
    if own is not None:
        without = without.filter(experiment=own)
    return [ends[0], finite, ends[1], rest, _ordered(without, others)]


def _by_text(found: RunQuerySet, orders: list[Order], own: int) -> list[RunQuerySet]:
    """Return the runs of one experiment that have a param or a tag, in the order of its values, then the others."""
    first, *others = orders
    start = ValueStart("first__value")
    # All of them, asked so that SQLite takes the index for a short way.
    is_held = Q(GreaterThanOrEqual(start, Value("")), first__value__isnull=False)
    held = _joined(found, "first", first, own).filter(is_held)
    valued = _ordered(held, others, _towards(first, start), _towards(first, F("first__value")))
    _, model, key = _RELATIONS[first.entity]
    of_run = model._default_manager.filter(run=OuterRef("pk"), value__isnull=False, **{key: first.key})
    return [valued, _ordered(found.exclude(Exists(of_run)).filter(experiment=own), others)]


def _towards(order: Order, value: Any) -> OrderBy:
    return OrderBy(value, descending=order.is_falling)


def _joined(found: RunQuerySet, alias: str, order: Order, own: int | None = None) -> RunQuerySet:
    """Return `found` with what `order` asks for beside each run, as `alias`."""
    relation, _, key = _RELATIONS[order.entity]
    condition = Q(**{f"{relation}__{key}": order.key})
    if own is not None:
        condition &= Q(**{f"{relation}__experiment": own})
    return found.alias(**{alias: FilteredRelation(relation, condition=condition)})


def _ordered(found: RunQuerySet, orders: list[Order], *leading: Any) -> RunQuerySet:
    """Return `found` ordered by `leading`, then `orders`, then the start. What has no value is last."""
    keys = list(leading)
    for number, order in enumerate(orders):
        if order.entity == "attribute":
            value: Any = _COLUMNS[order.key]
        else:
            found = _joined(found, f"order{number}", order)
            value = F(f"order{number}__{'latest_value' if order.entity == 'metric' else 'value'}")
        if order.key == "mlflow.runName":
            value = F("display_name")
        # A start is always there: to say where none would stand keeps PostgreSQL from the index.
        nulls_last = None if value is _START else True
        keys.append(value.desc(nulls_last=nulls_last) if order.is_falling else value.asc(nulls_last=nulls_last))
        if order.entity == "metric":
            # After the values those that are no number, then those that are not there.
            is_absent = Case(When(**{f"order{number}__id__isnull": True}, then=Value(1)), default=Value(0))
            keys.append(is_absent.asc())
    return found.order_by(*keys, *_NEWEST)


def read_token(token: str) -> Any:
    """Return the place that a page token stands for; None for the start."""
    if not token:
        return None
    try:
        return json.loads(base64.urlsafe_b64decode(token.encode()))
    except (binascii.Error, ValueError):
        raise errors.invalid("Invalid page token, could not base64-decode") from None


def write_token(place: Any) -> str:
    """Return the page token of a place."""
    return base64.urlsafe_b64encode(json.dumps(place).encode()).decode()
