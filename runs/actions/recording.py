"""What running scripts write down: points of metrics in batches, params, and files."""

import json
import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Q

from runs import limits, storage
from runs.actions import checks, pyramid
from runs.errors import Conflict, InvalidInput
from runs.models import Artifact, KeyKind, Metric, MetricBatch, MetricPoint, Param, Run, RunType, Snapshot
from runs.models.metric import MetricKind
from runs.search import keys
from runs.wording import say

_STEP = 2**63 - 1
# Numbers and texts may share a series: a loss that is "diverged" once is no reason to lose the rest.
_SCALAR = (MetricKind.NUMBER, MetricKind.TEXT)
_SUMMARIES = ("point_count", "latest_value", "latest_text", "latest_step", "latest_at", "min_value", "max_value")


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


@dataclass(frozen=True)
class Point:
    """One point to record. Without `step` it gets the series' next one; without `at`, the time of the batch.

    A number has `value`, or a `text` of NaN, Infinity or -Infinity; the other kinds have `text` (see MetricKind).
    """

    name: str
    step: int | None = None
    at: datetime | None = None
    value: float | None = None
    text: str = ""
    kind: str = MetricKind.NUMBER


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
    rows = [_row(point, field=f"points.{position}", at=at) for position, point in enumerate(points)]
    with transaction.atomic():
        if batch_id and not _is_new_batch(run, batch_id, at):
            return 0
        series = _series(run, {point.name: point.kind for point in reversed(points)})
        for position, (point, row) in enumerate(zip(points, rows, strict=True)):
            metric = series[point.name]
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
            row.metric = metric
            row.step = point.step if point.step is not None else 0 if is_by_step else metric.point_count
            if not is_by_step:
                _summarize(metric, row)
        if is_by_step:
            rows = _unknown(rows)
            for row in rows:
                _summarize(row.metric, row, is_latest=_is_latest(row.metric, row))
        MetricPoint.objects.bulk_create(rows)
        pyramid.keep(_by_series(rows), [metric for metric in series.values() if metric.kind in _SCALAR])
        _store_summaries(series.values())
    return len(rows)


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
    checked = checks.params(params)
    with transaction.atomic():
        held = dict(Param.objects.filter(run=run, name__in=list(checked)).values_list("name", "value"))
        for name, value in checked.items():
            if held.get(name, value) != value:
                raise ParamIsSet(name, held=held[name], value=value)
        fresh = [
            Param(run=run, name=name, value=value, number=checks.finite(value))
            for name, value in checked.items()
            if name not in held
        ]
        if fresh:
            Param.objects.bulk_create(fresh, ignore_conflicts=True)
            keys.keep(run.workspace_id, {KeyKind.PARAM: checked})
            checks.count(Param.objects.filter(run=run).count(), field="params", limit=limits.PARAMS_PER_RUN)


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


def _row(point: Point, *, field: str, at: datetime) -> MetricPoint:
    """Return the row of `point`, still without its series and step, or raise InvalidInput."""
    checks.key(point.name, field=f"{field}.name", limit=limits.METRIC_NAME_LENGTH)
    if point.kind not in MetricKind.values:
        raise InvalidInput(
            say("{kind!r} is no kind of metric: {names}.", kind=point.kind, names=", ".join(MetricKind.values)),
            field=f"{field}.kind",
        )
    if point.step is not None and not -_STEP <= point.step <= _STEP:
        raise InvalidInput(say("The step is no 64-bit number."), field=f"{field}.step")
    value, text = None, point.text
    if point.kind == MetricKind.NUMBER:
        value, text = _number(_announced(point, field=f"{field}.value"), field=f"{field}.value")
    checks.text(text, field=f"{field}.text", limit=limits.METRIC_TEXT_LENGTH)
    return MetricPoint(at=point.at or at, value=value, text=text)


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


def _series(run: Run, kinds: Mapping[str, str]) -> dict[str, Metric]:
    """Return the run's series of these names, made where missing, and held for this transaction."""
    # Always in the same order, so that two writers cannot wait for each other.
    held = Metric.objects.select_for_update().filter(run=run, name__in=list(kinds)).order_by("name")
    series = {metric.name: metric for metric in held}
    missing = sorted(set(kinds) - set(series))
    if missing:
        checks.count(
            Metric.objects.filter(run=run).count() + len(missing), field="metrics", limit=limits.METRICS_PER_RUN
        )
        Metric.objects.bulk_create(
            [Metric(run=run, name=name, kind=kinds[name]) for name in missing], ignore_conflicts=True
        )
        keys.keep(run.workspace_id, {KeyKind.METRIC: missing})
        series = {metric.name: metric for metric in held.all()}
    return series


def _by_series(rows: Iterable[MetricPoint]) -> dict[int, list[MetricPoint]]:
    grouped: dict[int, list[MetricPoint]] = defaultdict(list)
    for row in rows:
        grouped[row.metric_id].append(row)
    return grouped


def _store_summaries(series: Iterable[Metric]) -> None:
    """Write the summaries of series that are there already, in one statement however many they are."""
    Metric.objects.bulk_create(
        [
            Metric(**{name: getattr(metric, name) for name in ("run_id", "experiment_id", "name", "kind", *_SUMMARIES)})
            for metric in series
        ],
        update_conflicts=True,
        unique_fields=["run", "name"],
        update_fields=_SUMMARIES,
    )


def _unknown(rows: Sequence[MetricPoint]) -> list[MetricPoint]:
    """Return `rows` without those that are stored already, and each once.

    What lies beyond the latest point of its series cannot be there yet: nothing is looked up for it.
    """
    suspects = [row for row in rows if row.metric.point_count and not _is_beyond(row.metric, row)]
    known: set[tuple[Any, ...]] = set()
    if suspects:
        known = set(
            MetricPoint.objects.filter(
                metric__in={row.metric_id for row in suspects},
                step__range=(min(row.step for row in suspects), max(row.step for row in suspects)),
                at__range=(min(row.at for row in suspects), max(row.at for row in suspects)),
            ).values_list("metric", "step", "at", "value", "text")
        )
    fresh = []
    for row in rows:
        identity = (row.metric_id, row.step, row.at, row.value, row.text)
        if identity not in known:
            known.add(identity)
            fresh.append(row)
    return fresh


def _is_beyond(metric: Metric, row: MetricPoint) -> bool:
    return (row.step, row.at) > (metric.latest_step, metric.latest_at)


def _is_latest(metric: Metric, row: MetricPoint) -> bool:
    """Return whether `row` is the latest of its series by step, time and value."""
    if not metric.point_count or _is_beyond(metric, row):
        return True
    if (row.step, row.at) < (metric.latest_step, metric.latest_at) or row.value is None:
        return False
    return metric.latest_value is None or row.value >= metric.latest_value


def _summarize(metric: Metric, row: MetricPoint, *, is_latest: bool = True) -> None:
    """Count `row` into the summaries of its series."""
    metric.point_count += 1
    if is_latest:
        metric.latest_value, metric.latest_text = row.value, row.text
        metric.latest_step, metric.latest_at = row.step, row.at
    if row.value is not None:
        metric.min_value = row.value if metric.min_value is None else min(metric.min_value, row.value)
        metric.max_value = row.value if metric.max_value is None else max(metric.max_value, row.value)
