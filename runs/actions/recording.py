"""What running scripts write down: points of metrics in batches, params, and files."""

import json
import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from operator import attrgetter
from typing import Any, NamedTuple

from django.db import IntegrityError, connection, transaction
from django.db.models import Case, Count, F, FloatField, Q, When

from runs import limits, rows, storage
from runs.actions import checks, pyramid
from runs.errors import Conflict, InvalidInput
from runs.models import Artifact, KeyKind, Metric, MetricBatch, MetricPoint, Param, Run, RunType, Snapshot
from runs.models.metric import MetricKind
from runs.prepared import AnyOf, Prepared, PreparedAddition
from runs.search import keys
from runs.wording import say

_STEP = 2**63 - 1
# A point of a known series: its step, its time, its value or None, its text.
_Row = tuple[int, datetime, float | None, str]
# Plain text: to look an enumeration's member up takes as long as to check a point.
_NUMBER = MetricKind.NUMBER.value
# Numbers and texts may share a series: a loss that is "diverged" once is no reason to lose the rest.
_SCALAR = frozenset({MetricKind.NUMBER.value, MetricKind.TEXT.value})
_KINDS = frozenset(MetricKind.values)
_POINT_COLUMNS = ("metric_id", "step", "at", "value", "text")
_PARAM_COLUMNS = ("run_id", "experiment_id", "name", "value", "number")
_SUMMARIES = ("point_count", "latest_value", "latest_text", "latest_step", "latest_at", "min_value", "max_value")
_summaries_of = attrgetter(*_SUMMARIES)
_SERIES_COLUMNS = ("run_id", "experiment_id", "name", "kind", *_SUMMARIES)


_params_of = Prepared(lambda run: Param.objects.filter(run=run).values_list("name", "value"))
# Always in the same order, so that two writers cannot wait for each other.
_held_series = Prepared(
    lambda run, names: (
        Metric.objects.select_for_update()
        .filter(AnyOf(F("name"), names), run=run)
        .order_by("name")
        .values_list("name", "kind", "pk", *_SUMMARIES)
    )
)
_series_keys = Prepared(
    lambda run, names: Metric.objects.filter(AnyOf(F("name"), names), run=run).values_list("name", "pk")
)
_series_count = Prepared(
    lambda run: Metric.objects.filter(run=run).values("run").annotate(count=Count("pk")).values_list("count", flat=True)
)
# What nearly every point is: beyond the latest one of a series that is there, and too short for a pyramid.
_add_beyond = PreparedAddition(
    lambda run, name, step, at, value: (
        Metric.objects.filter(
            Q(latest_step__lt=step) | Q(latest_step=step, latest_at__lt=at),
            run=run,
            name=name,
            kind__in=sorted(_SCALAR),
            point_count__range=(1, pyramid.BEGINS_AFTER - 1),
        ),
        {
            "point_count": F("point_count") + 1,
            "latest_step": step,
            "latest_at": at,
            "latest_value": value,
            "latest_text": "",
            "min_value": Case(When(min_value__lte=value, then="min_value"), default=value, output_field=FloatField()),
            "max_value": Case(When(max_value__gte=value, then="max_value"), default=value, output_field=FloatField()),
        },
    ),
    MetricPoint,
    _POINT_COLUMNS,
)


class ParamIsSet(InvalidInput):
    """A param has another value already."""

    code = "param_is_set"

    def __init__(self, name: str, *, held: str, value: str) -> None:
        super().__init__(
            say(
                "The param {name!r} is already {held!r} and cannot become {value!r}.", name=name, held=held, value=value
            ),
            field=f"params.{name}",
        )
        self.name, self.held, self.value = name, held, value


class HasSnapshot(Conflict):
    """The code of a run is set once: this run has other code, or is one that a worker runs."""

    code = "has_snapshot"


class Point(NamedTuple):
    """One point to record. Without `step` it gets the series' next one; without `at`, the time of the batch.

    A number has `value`, or a `text` of NaN, Infinity or -Infinity; the other kinds have `text` (see MetricKind).
    """

    name: str
    step: int | None = None
    at: datetime | None = None
    value: float | None = None
    text: str = ""
    kind: str = MetricKind.NUMBER.value


@dataclass(slots=True)
class _Series:
    """What is written of a series; the fields are those of Metric, which takes longer to make. 0: not inserted yet."""

    name: str
    kind: str
    pk: int = 0
    point_count: int = 0
    latest_value: float | None = None
    latest_text: str = ""
    latest_step: int | None = None
    latest_at: datetime | None = None
    min_value: float | None = None
    max_value: float | None = None


def row_text(row: Mapping[str, Any]) -> str:
    """Return the text of a point of kind `row`: JSON, in which NaN and infinities are texts."""
    return json.dumps({name: _json_number(value) for name, value in row.items()}, ensure_ascii=False)


def log_metrics(
    *, run: Run, points: Sequence[Point], at: datetime, batch_id: str = "", is_by_step: bool = False
) -> int:
    """Add `points` to the run's series in their order; return how many were stored.

    All or nothing. A `batch_id` that was stored before changes nothing and returns 0, so
    that a client may send again what it got no answer for. Two writers of one series
    take turns. `is_by_step` is for clients without batch ids: a point that is there
    already, with its step, time and value, is passed over, and a series' latest point is
    the one with the greatest step, then time. Raises InvalidInput, naming the point at fault.
    """
    if len(points) > limits.METRIC_POINTS_PER_BATCH:
        raise InvalidInput(
            say(
                "The batch has {points:,} points; at most {most:,} are allowed.",
                points=len(points),
                most=limits.METRIC_POINTS_PER_BATCH,
            ),
            field="points",
        )
    checks.text(batch_id, field="batch_id", limit=64)
    with transaction.atomic():
        if batch_id and not _is_new_batch(run, batch_id, at):
            return 0
        seen: keys.Seen = {}
        count = store_points(run=run, points=points, at=at, seen=seen, is_by_step=is_by_step)
        keys.keep(run.workspace_id, seen)
        return count


def add_beyond(*, run: Run, point: Point, at: datetime) -> bool:
    """Add a number to its series if it lies beyond the latest one, as points do; return whether that was all.

    By step, as `log_metrics` may, in a single statement. Where it returns False nothing was written.
    """
    [(value, text)] = _checked([point])
    if value is None or text or point.kind != _NUMBER or point.step is None:
        return False
    row = (point.step, point.at or at, value, "")
    return _add_beyond.add((run.pk, point.name, *row[:3]), row)


def store_points(*, run: Run, points: Sequence[Point], at: datetime, seen: keys.Seen, is_by_step: bool = False) -> int:
    """Add `points` as `log_metrics` does. Inside a transaction; the names of new series are added to `seen`."""
    checked = _checked(points)
    kinds = {point.name: point.kind for point in reversed(points)}
    held = {row[0]: _Series(*row) for row in _held_series(run.pk, list(kinds))}
    missing = sorted(set(kinds) - set(held))
    if missing:
        checks.count((_series_count.first(run.pk) or 0) + len(missing), field="metrics", limit=limits.METRICS_PER_RUN)
        seen.setdefault(KeyKind.METRIC, set()).update(missing)
    new = {name: _Series(name, kinds[name]) for name in missing}
    series = held | new
    fresh: dict[str, list[_Row]] = {name: [] for name in series}
    for position, (point, (value, text)) in enumerate(zip(points, checked, strict=True)):
        metric, some = series[point.name], fresh[point.name]
        if metric.kind != point.kind and not (metric.kind in _SCALAR and point.kind in _SCALAR):
            raise InvalidInput(
                say(
                    "The metric {point!r} is of kind {kind} and cannot take a {given}.",
                    point=point.name,
                    kind=metric.kind,
                    given=point.kind,
                ),
                field=f"points.{position}.kind",
            )
        step = point.step
        if step is None:
            step = 0 if is_by_step else metric.point_count + len(some)
        some.append((step, point.at or at, value, text))
    if is_by_step:
        fresh = _unknown(series, fresh)
    changed = [metric for name, metric in series.items() if fresh[name]]
    for metric in changed:
        _summarize(metric, fresh[metric.name], is_by_step=is_by_step)
    _insert_series(run, new)
    # Somebody else made these meanwhile: now they are held.
    lost = {name for name, metric in new.items() if not metric.pk}
    changed = [metric for metric in changed if metric.name not in lost]
    rows.insert(MetricPoint, _POINT_COLUMNS, ((metric.pk, *row) for metric in changed for row in fresh[metric.name]))
    rows.update(Metric, ("id", *_SUMMARIES), [(one.pk, *_summaries_of(one)) for one in changed if one.name in held])
    pyramid.keep(
        {metric.pk: fresh[metric.name] for metric in changed},
        {metric.pk: metric.point_count for metric in changed if metric.kind in _SCALAR},
    )
    count = sum(len(fresh[metric.name]) for metric in changed)
    if lost:
        left = [point for point in points if point.name in lost]
        count += store_points(run=run, points=left, at=at, seen=seen, is_by_step=is_by_step)
    return count


def log_params(*, run: Run, params: Mapping[str, Any]) -> None:
    """Add `params` to the run, or change their values. Others stay."""
    checked = checks.params(params)
    if not checked:
        return
    with transaction.atomic():
        Param.objects.bulk_create(
            [Param(run=run, name=name, value=value, number=checks.finite(value)) for name, value in checked.items()],
            update_conflicts=True,
            unique_fields=["run", "name"],
            update_fields=["value", "number"],
        )
        checks.count(Param.objects.filter(run=run).count(), field="params", limit=limits.PARAMS_PER_RUN)
        keys.keep(run.workspace_id, {KeyKind.PARAM: checked})


def add_params(*, run: Run, params: Mapping[str, Any]) -> None:
    """Add `params` to the run; one that is there with the same value is passed over.

    Raises ParamIsSet if one is there with another value; nothing is written then.
    """
    seen: keys.Seen = {}
    with transaction.atomic():
        store_params(run=run, params=params, seen=seen)
        keys.keep(run.workspace_id, seen)


def store_params(*, run: Run, params: Mapping[str, Any], seen: keys.Seen) -> None:
    """Add `params` as `add_params` does. Inside a transaction; the names of new ones are added to `seen`."""
    checked = checks.params(params)
    # All of the run's: they are few, and how many they are has to be known, too.
    held = dict(_params_of(run.pk))
    fresh = []
    for name, value in checked.items():
        if held.get(name, value) != value:
            raise ParamIsSet(name, held=held[name], value=value)
        if name not in held:
            fresh.append((run.pk, run.experiment_id, name, value, checks.finite(value)))
    if fresh:
        checks.count(len(held) + len(fresh), field="params", limit=limits.PARAMS_PER_RUN)
        rows.insert(Param, _PARAM_COLUMNS, fresh, unique=("run_id", "name"))
        seen.setdefault(KeyKind.PARAM, set()).update(checked)


def delete_artifacts(*, run: Run, path: str) -> int:
    """Delete the run's file `path`, or all files below the folder of that name; return how many. Raises BadPath."""
    storage.check_path(path)
    found = Artifact.objects.filter(Q(path=path) | Q(path__startswith=f"{path}/"), run=run)
    paths = list(found.values_list("path", flat=True))
    # The rows go first: one without bytes would be a file that cannot be read.
    found.delete()
    for one in paths:
        storage.delete_artifact(run.pk, one)
    return len(paths)


def save_artifact(*, run: Run, path: str, chunks: Iterable[bytes], at: datetime) -> Artifact:
    """Store `chunks` as the run's file `path`, replacing what was there. Raises BadPath or TooLarge."""
    storage.check_path(path)
    known = Artifact.objects.filter(run=run)
    if not known.filter(path=path).exists():
        checks.count(known.count() + 1, field="artifacts", limit=limits.ARTIFACTS_PER_RUN)
    stored = storage.save_artifact(run.pk, path, chunks)
    artifact, _ = Artifact.objects.update_or_create(
        run=run, path=path, defaults={"size_bytes": stored.size_bytes, "digest": stored.digest, "created_at": at}
    )
    return artifact


def attach_snapshot(*, run: Run, snapshot: Snapshot) -> Run:
    """Give an interactive run the code that it runs from. Raises HasSnapshot if it has other code already."""
    if run.run_type == RunType.INTERACTIVE:
        Run.objects.filter(pk=run.pk, snapshot=None).update(snapshot=snapshot)
    run.refresh_from_db(fields=["snapshot"])
    if run.snapshot_id != snapshot.pk:
        raise HasSnapshot(field="snapshot")
    return run


def _checked(points: Sequence[Point]) -> list[tuple[float | None, str]]:
    """Return the value and text of each point as they are stored, or raise InvalidInput."""
    known: set[str] = set()
    checked: list[tuple[float | None, str]] = []
    for position, point in enumerate(points):
        if point.name not in known:
            known.add(checks.key(point.name, field=f"points.{position}.name", limit=limits.METRIC_NAME_LENGTH))
        if point.step is not None and not -_STEP <= point.step <= _STEP:
            raise InvalidInput(say("The step is no 64-bit number."), field=f"points.{position}.step")
        value = point.value
        if point.kind == _NUMBER and type(value) is float and math.isfinite(value):
            checked.append((value, ""))
        else:
            checked.append(_odd(point, field=f"points.{position}"))
    return checked


def _odd(point: Point, *, field: str) -> tuple[float | None, str]:
    """Return what is stored of a point that is no plain finite number."""
    if point.kind not in _KINDS:
        raise InvalidInput(
            say("{kind!r} is no kind of metric: {names}.", kind=point.kind, names=", ".join(MetricKind.values)),
            field=f"{field}.kind",
        )
    value, text = None, point.text
    if point.kind == _NUMBER:
        value, text = _number(_announced(point, field=f"{field}.value"), field=f"{field}.value")
    return value, checks.text(text, field=f"{field}.text", limit=limits.METRIC_TEXT_LENGTH)


def _announced(point: Point, *, field: str) -> float:
    """Return the value of a number; those that JSON has no word for may come as text."""
    if point.value is not None:
        return point.value
    if point.text in ("NaN", "Infinity", "-Infinity"):
        return float(point.text)
    raise InvalidInput(say("A number needs a value."), field=field)


def _number(value: float, *, field: str) -> tuple[float | None, str]:
    """Return `value` as a finite number, or else as the text that stands for it."""
    try:
        number = float(value)
    except (OverflowError, TypeError, ValueError):
        raise InvalidInput(say("The value is no number that a double can hold."), field=field) from None
    if math.isnan(number):
        return None, "NaN"
    if math.isinf(number):
        return None, "Infinity" if number > 0 else "-Infinity"
    return number, ""


def _json_number(value: Any) -> Any:
    return _number(value, field="row")[1] or value if isinstance(value, float) else value


def _is_new_batch(run: Run, batch_id: str, at: datetime) -> bool:
    try:
        with transaction.atomic():
            MetricBatch.objects.create(run=run, batch_id=batch_id, at=at)
    except IntegrityError:
        return False
    return True


def _insert_series(run: Run, new: Mapping[str, _Series]) -> None:
    """Insert series with their summaries and give them their keys, but for those that are there by now."""
    values = [(run.pk, run.experiment_id, one.name, one.kind, *_summaries_of(one)) for one in new.values()]
    if not values:
        return
    if connection.vendor == "sqlite":
        # It has one writer, which is this transaction: what was not there is not there yet.
        rows.insert(Metric, _SERIES_COLUMNS, values)
        made = _series_keys(run.pk, list(new))
    else:
        returning = ("name", "id")
        made = rows.insert(Metric, _SERIES_COLUMNS, values, unique=("run_id", "name"), returning=returning)
    for name, pk in made:
        new[name].pk = pk


def _unknown(series: Mapping[str, _Series], given: Mapping[str, list[_Row]]) -> dict[str, list[_Row]]:
    """Return the rows of each series without those that are stored already, and each once.

    What lies beyond the latest point of its series cannot be there yet: nothing is looked up for it.
    """
    suspects = [
        (series[name].pk, row)
        for name, some in given.items()
        if series[name].point_count
        for row in some
        if not _is_beyond(series[name], row)
    ]
    known: dict[int, set[_Row]] = defaultdict(set)
    if suspects:
        steps, ats = [row[0] for _, row in suspects], [row[1] for _, row in suspects]
        stored = MetricPoint.objects.filter(
            metric__in={pk for pk, _ in suspects}, step__range=(min(steps), max(steps)), at__range=(min(ats), max(ats))
        )
        for pk, step, at, value, text in stored.values_list("metric", "step", "at", "value", "text"):
            known[pk].add((step, at, value, text))
    return {name: _each_once(some, known.get(series[name].pk, set())) for name, some in given.items()}


def _each_once(some: list[_Row], known: set[_Row]) -> list[_Row]:
    """Return those of `some` that are not `known`, each once."""
    if not known and all(early[0] < late[0] for early, late in pairwise(some)):
        return some
    fresh = []
    for row in some:
        if row not in known:
            known.add(row)
            fresh.append(row)
    return fresh


def _is_beyond(metric: _Series, row: _Row) -> bool:
    return row[:2] > (metric.latest_step, metric.latest_at)


def _order(step: int, at: datetime, value: float | None) -> tuple[int, datetime, bool, float]:
    """Return by what the latest of a series' rows is the greatest: step, time, value."""
    return step, at, value is not None, value or 0.0


def _summarize(metric: _Series, some: Sequence[_Row], *, is_by_step: bool) -> None:
    """Count `some` rows, of which there is at least one, into the summaries of their series."""
    latest = max(some, key=lambda row: _order(*row[:3])) if is_by_step else some[-1]
    step, at, value = metric.latest_step, metric.latest_at, metric.latest_value
    if not is_by_step or step is None or at is None or _order(*latest[:3]) > _order(step, at, value):
        metric.latest_step, metric.latest_at, metric.latest_value, metric.latest_text = latest
    metric.point_count += len(some)
    values = [value for _, _, value, _ in some if value is not None]
    if values:
        least, greatest = min(values), max(values)
        metric.min_value = least if metric.min_value is None else min(metric.min_value, least)
        metric.max_value = greatest if metric.max_value is None else max(metric.max_value, greatest)
