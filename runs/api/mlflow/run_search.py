"""The search of runs: filter, order, and pages that go on where the last one ended."""

from collections import defaultdict
from dataclasses import dataclass
from typing import Any, NamedTuple

from django.db.models import Case, CharField, Exists, F, FilteredRelation, Model, OrderBy, OuterRef, Q, Value, When
from django.db.models.functions import Coalesce
from django.db.models.lookups import GreaterThanOrEqual, In, LessThanOrEqual
from django.utils import timezone

from runs.api.mlflow import errors, page_tokens, shapes
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
# An index has the ids of all runs: SQLite would walk it for those of one experiment.
_ID = plan.Unindexed(F("run_id"))
_COLUMNS = {
    "run_id": _ID,
    "artifact_uri": _ID,
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
    texts = fields.texts("order_by")
    place = page_tokens.read(fields.text("page_token"), of=["runs", *texts])
    experiments = _experiments(call, fields.texts("experiment_ids"))
    runs = _in_view(call, experiments, view)
    try:
        tree = mlflow.parse(fields.text("filter"), statuses=_STATUSES)
        orders = _orders(texts)
        condition = filters.compile_tree(tree, Scope(runs, call.caller.user, timezone.now()))
    except QuerySyntaxError as error:
        raise errors.invalid(error.message) from None
    # The runs of one experiment are walked in the order of an index of what hangs on them.
    own = experiments[0].pk if len(experiments) == 1 and orders and _hangs_on_runs(orders[0]) else None
    among = runs if own is None else _in_view(call, experiments, view, is_hidden=True)
    keys, following = _page(_stretches(plan.narrow(among, condition), orders, own), _Place(*place or ()), limit)
    answer: Answer = {"runs": shapes.run_documents(keys)} if keys else {}
    if following is not None:
        answer["next_page_token"] = page_tokens.write(following, of=["runs", *texts])
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


@dataclass(frozen=True)
class _Stretch:
    """Some of the runs `among`, in order: those that pass `test`.

    `first` is what the order begins with, where an index has that: a page goes on from its
    value. `hint` is true of all, and lets a planner that knows no such value take the index.
    """

    among: RunQuerySet
    order: list[OrderBy]
    first: OrderBy | None
    test: Q
    hint: Q

    def since(self, value: Any) -> RunQuerySet:
        """Return the runs from a value of `first` on."""
        narrowed = self.hint
        if self.first is not None and value is not None:
            is_later = LessThanOrEqual if self.first.descending else GreaterThanOrEqual
            narrowed = Q(is_later(self.first.expression, Value(value)))
        # At once: each `filter` would join what hangs on runs anew.
        return self.among.filter(self.test & narrowed).order_by(*self.order)


class _Place(NamedTuple):
    """Where a page begins: in a stretch, after so many of the runs from a value on."""

    stretch: int = 0
    value: Any = None
    offset: int = 0


def _page(stretches: list[_Stretch], place: _Place, limit: int) -> tuple[list[int], _Place | None]:
    """Return the keys of a page, and where the next one begins."""
    keys: list[int] = []
    while place.stretch < len(stretches):
        stretch = stretches[place.stretch]
        value = Value(0) if stretch.first is None else stretch.first.expression
        rows = stretch.since(place.value).values_list("pk", value)
        found = list(rows[place.offset : place.offset + limit + 1 - len(keys)])
        keys += [pk for pk, _ in found]
        if len(keys) > limit:
            return keys[:limit], _place_after(place, [value for _, value in found[:-1]])
        place = _Place(place.stretch + 1)
    return keys, None


def _place_after(place: _Place, values: list[Any]) -> _Place:
    """Return the place after runs with these values, which begin at `place`."""
    last = values[-1] if values else place.value
    equal = next((count for count, value in enumerate(reversed(values)) if value != last), len(values))
    return _Place(place.stretch, last, equal + (place.offset if last == place.value else 0))


def _stretches(found: RunQuerySet, orders: list[Order], own: int | None) -> list[_Stretch]:
    """Return what, one after the other, holds the runs in order; `own` is the only experiment of all of them."""
    if not orders:
        return [_stretch(found, [])]
    first, *others = orders
    attribute = first.key if first.entity == "attribute" else None
    if attribute == "end_time":
        # PostgreSQL's index has those without an end before the latest, and walks no other way than it has them.
        ended = found.filter(ended_at__isnull=False)
        return [
            _stretch(ended, others, _towards(first, F("ended_at"))),
            _stretch(found.filter(ended_at__isnull=True), others),
        ]
    if attribute == "start_time":
        return [_stretch(found, others, _towards(first, _START))]
    if first.entity == "metric":
        return _by_metric(found, orders, own)
    if own is not None:
        return _by_text(found, orders, own)
    return [_stretch(found, orders)]


def _hangs_on_runs(order: Order) -> bool:
    return order.entity in _RELATIONS and order.key != "mlflow.runName"


def _by_metric(found: RunQuerySet, orders: list[Order], own: int | None) -> list[_Stretch]:
    """Return the runs in the order of a metric's values, then those where it is no number, then those without it.

    Infinities are the ends of the values, which an index has in order.
    """
    first, *others = orders
    named = {"name": first.key} if own is None else {"name": first.key, "experiment": own}
    finite = Q(first__latest_value__isnull=False)
    value = F("first__latest_value")
    valued = _stretch(_joined(found, "first", first, own), others, _towards(first, value), test=finite)

    def odd(test: Q) -> _Stretch:
        held = Metric.objects.filter(test, latest_value__isnull=True, **named)
        return _stretch(found.filter(pk__in=held.values("run")), others)

    ends = [odd(Q(latest_text="Infinity")), odd(Q(latest_text="-Infinity"))]
    if not first.is_falling:
        ends.reverse()
    rest = odd(~Q(latest_text__in=["Infinity", "-Infinity"]))
    without = found.exclude(Exists(Metric.objects.filter(run=OuterRef("pk"), **named)))
    if own is not None:
        without = without.filter(experiment=own)
    return [ends[0], valued, ends[1], rest, _stretch(without, others)]


def _by_text(found: RunQuerySet, orders: list[Order], own: int) -> list[_Stretch]:
    """Return the runs of one experiment that have a param or a tag, in the order of its values, then the others."""
    first, *others = orders
    start = ValueStart("first__value")
    valued = _stretch(
        _joined(found, "first", first, own),
        others,
        _towards(first, start),
        _towards(first, F("first__value")),
        test=Q(first__value__isnull=False),
        hint=Q(GreaterThanOrEqual(start, Value(""))),
    )
    _, model, key = _RELATIONS[first.entity]
    of_run = model._default_manager.filter(run=OuterRef("pk"), value__isnull=False, **{key: first.key})
    return [valued, _stretch(found.exclude(Exists(of_run)).filter(experiment=own), others)]


def _towards(order: Order, value: Any) -> OrderBy:
    return OrderBy(value, descending=order.is_falling)


def _joined(found: RunQuerySet, alias: str, order: Order, own: int | None = None) -> RunQuerySet:
    """Return `found` with what `order` asks for beside each run, as `alias`."""
    relation, _, key = _RELATIONS[order.entity]
    condition = Q(**{f"{relation}__{key}": order.key})
    if own is not None:
        condition &= Q(**{f"{relation}__experiment": own})
    return found.alias(**{alias: FilteredRelation(relation, condition=condition)})


_ALL = Q()


def _stretch(found: RunQuerySet, orders: list[Order], *leading: OrderBy, test: Q = _ALL, hint: Q = _ALL) -> _Stretch:
    """Return `found` ordered by `leading`, which an index has, then `orders`, then the start.

    What has no value is last.
    """
    keys = list(leading)
    for number, order in enumerate(orders):
        if order.entity == "attribute":
            value: Any = _COLUMNS[order.key]
        else:
            found = _joined(found, f"order{number}", order)
            value = F(f"order{number}__{'latest_value' if order.entity == 'metric' else 'value'}")
        if order.key == "mlflow.runName":
            value = F("display_name")
        keys.append(value.desc(nulls_last=True) if order.is_falling else value.asc(nulls_last=True))
        if order.entity == "metric":
            # After the values those that are no number, then those that are not there.
            is_absent = Case(When(**{f"order{number}__id__isnull": True}, then=Value(1)), default=Value(0))
            keys.append(is_absent.asc())
    keys += _NEWEST
    return _Stretch(found, keys, None if orders and not leading else keys[0], test, hint)
