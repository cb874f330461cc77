"""Metrics and params: logged one by one or in batches, and read as history or as a chart."""

from collections.abc import Sequence
from typing import Any

from django.db.models import OuterRef, Subquery
from django.http import HttpResponse
from django.utils import timezone

from runs import limits
from runs.actions import batches, logged_models
from runs.actions.logged_models import ModelPoint
from runs.actions.recording import ParamIsSet, Point
from runs.api.mlflow import errors, shapes
from runs.api.mlflow.calls import Call
from runs.api.mlflow.fields import instant, integer, key, number, text
from runs.api.mlflow.runs import split_tags
from runs.models import Metric, MetricPoint
from runs.models.metric import MetricKind
from runs.prepared import raw

Answer = dict[str, Any]

METRICS_PER_BATCH, PARAMS_PER_BATCH, TAGS_PER_BATCH, ENTITIES_PER_BATCH = 1000, 100, 100, 1000
_POINTS_PER_PAGE = 25_000
_RUNS_PER_CHART, _POINTS_PER_CHART = 100, 2_500


def log_metric(call: Call) -> Answer:
    """Log one point."""
    given = {name: call.fields.get(name) for name in (*_POINT, "model_id", "dataset_name", "dataset_digest")}
    point, of_model = _read_points([given], "")
    run = call.run_to_change(call.fields.run_id())

    batches.log_batch(run=run, at=timezone.now(), points=point)
    logged_models.log_metrics(run=run, points=of_model)

    return {}


def log_param(call: Call) -> Answer:
    """Log one param. A longer value is cut, another value is refused."""
    name, value = key(call.fields.text("key", required=True), "key"), call.fields.get("value")
    run = call.run_to_change(call.fields.run_id())

    try:
        batches.log_batch(run=run, at=timezone.now(), params={name: _param(value, "value")})
    except ParamIsSet as error:
        raise errors.invalid(
            f"Changing param values is not allowed. Param with key='{name}' was already logged with"
            f" value='{error.held}' for run ID='{run.run_id}'. Attempted logging new value '{error.value}'."
        ) from None

    return {}


def log_batch(call: Call) -> Answer:
    """Log metrics, params and tags: all of them or, if one is refused, none."""
    metrics, params, tags = (_list(call, name) for name in ("metrics", "params", "tags"))
    for name, found, most in (
        ("metrics", metrics, METRICS_PER_BATCH),
        ("params", params, PARAMS_PER_BATCH),
        ("tags", tags, TAGS_PER_BATCH),
    ):
        if len(found) > most:
            raise errors.invalid(f"A batch logging request can contain at most {most} {name}. Got {len(found)} {name}.")
    if (count := len(metrics) + len(params) + len(tags)) > ENTITIES_PER_BATCH:
        raise errors.invalid(
            f"A batch logging request can contain at most {ENTITIES_PER_BATCH} metrics, params, and tags in total."
            f" Got {count}."
        )
    points, of_models = _read_points(metrics, "metrics")
    run = call.run_to_change(call.fields.run_id())

    try:
        batches.log_batch(
            run=run,
            at=timezone.now(),
            points=points,
            params=_read_params(params),
            **split_tags(run, call.fields.key_values("tags")),
        )
    except ParamIsSet as error:
        raise errors.invalid(
            "Changing param values is not allowed. Params were already logged="
            f"'{[{'key': error.name, 'old_value': error.held, 'new_value': error.value}]}' for run ID='{run.run_id}'."
        ) from None
    logged_models.log_metrics(run=run, points=of_models)

    return {}


def get_history(call: Call) -> Answer | HttpResponse:
    """List the points of a metric by step."""
    run = call.run(call.fields.run_id())
    name = call.fields.text("metric_key", required=True)
    limit = call.fields.limit(default=_POINTS_PER_PAGE, most=_POINTS_PER_PAGE)
    after = _place(call.fields.text("page_token"))
    metric = Metric.objects.filter(run=run, name=name, kind=MetricKind.NUMBER).first()
    if metric is None:
        return {}

    points = MetricPoint.objects.filter(metric=metric).order_by("step", "id")
    if after:
        # The rest of the same step, then the steps beyond, each by the index.
        rows = raw(points.filter(step=after[0], id__gt=after[1])[: limit + 1].values_list(*_COLUMNS))
        rows += raw(points.filter(step__gt=after[0])[: limit + 1 - len(rows)].values_list(*_COLUMNS))
    else:
        rows = raw(points[: limit + 1].values_list(*_COLUMNS))
    answer: Answer = {
        "metrics": [shapes.metric(name, value, words, at, step) for _, step, at, value, words in rows[:limit]]
    }
    if len(rows) > limit:
        answer["next_page_token"] = f"{rows[limit - 1][1]}_{rows[limit - 1][0]}"
    return answer if rows else {}


def get_history_bulk(call: Call) -> Answer:
    """List the points of a metric of several runs, each by step."""
    name = call.fields.text("metric_key", required=True)
    limit = call.fields.limit(default=_POINTS_PER_PAGE, most=_POINTS_PER_PAGE)
    series = _series(call, call.fields.texts("run_id"), "run_id", name)

    metrics: list[Answer] = []
    for metric in series:
        rows = MetricPoint.objects.filter(metric=metric).order_by("step", "id").values_list(*_COLUMNS)
        metrics += _of_run(metric, raw(rows[: limit - len(metrics)]))
        if len(metrics) >= limit:
            break
    return {"metrics": metrics} if metrics else {}


def get_history_bulk_interval(call: Call) -> Answer:
    """List what a chart shows of a metric of several runs: so many steps, evenly taken, with the first and last."""
    name = call.fields.text("metric_key", required=True)
    limit = call.fields.limit(default=_POINTS_PER_CHART, most=_POINTS_PER_CHART)
    start, end = call.fields.integer("start_step"), call.fields.integer("end_step")
    if (start is None) != (end is None):
        raise errors.invalid("If either start step or end step are specified, both must be specified.")
    if start is not None and end is not None and start > end:
        raise errors.invalid("end_step must be greater than start_step.")
    series = _series(call, call.fields.texts("run_ids"), "run_ids", name)

    points = MetricPoint.objects.filter(metric__in=series)
    steps: Sequence[int] | None = _every_step(series)
    if start is not None and end is not None:
        points = points.filter(step__range=(start, end))
        steps = steps and steps[max(start - steps[0], 0) : max(end + 1 - steps[0], 0)]
    if steps is None:
        steps = sorted(step for (step,) in raw(points.order_by().values_list("step").distinct()))
    chosen = _evenly(steps, limit)
    rows = raw(points.filter(step__in=chosen).order_by("metric", "step", "at", "id").values_list("metric", *_COLUMNS))
    by_series: dict[int, list[Any]] = {metric.pk: [] for metric in series}
    for pk, *row in rows:
        by_series[pk].append(row)
    metrics = [point for metric in series for point in _of_run(metric, by_series[metric.pk])]
    return {"metrics": metrics} if metrics else {}


_POINT = ("key", "value", "timestamp", "step")
_COLUMNS = ("id", "step", "at", "value", "text")


def _list(call: Call, name: str) -> list[dict[str, Any]]:
    found = call.fields.get(name) or []
    if not isinstance(found, list) or not all(isinstance(item, dict) for item in found):
        raise errors.wrong(name, found)
    return found


def _read_points(given: Sequence[dict[str, Any]], name: str) -> tuple[list[Point], list[ModelPoint]]:
    """Return points of the run, and those among them that measure a model. `name` is that of their list, if any."""
    points, of_models = [], []
    known: set[str] = set()
    for place, item in enumerate(given):
        where = f"{name}[{place}]." if name else ""
        raw, value, at, step = item.get("key"), item.get("value"), item.get("timestamp"), item.get("step")
        for needed, found in (("key", raw), ("value", value), ("timestamp", at)):
            if found is None:
                raise errors.missing(where + needed)
        own = raw if isinstance(raw, str) and raw in known else key(raw, where + "key")
        known.add(own)
        if type(value) is not float:
            value = number(value, where + "value")
        at = instant(at if type(at) is int else integer(at, where + "timestamp"), where + "timestamp")
        point = Point(own, 0 if step is None else integer(step, where + "step"), at, value)
        points.append(point)
        model_id = item.get("model_id") or item.get("modelId")
        if model_id:
            dataset, digest = (
                item.get(f"dataset_{part}") or item.get(f"dataset{part.title()}") or "" for part in ("name", "digest")
            )
            of_models.append(
                ModelPoint(text(model_id, where + "model_id"), point, str(dataset)[:500], str(digest)[:36])
            )
    return points, of_models


def _read_params(given: Sequence[dict[str, Any]]) -> dict[str, str]:
    params: dict[str, str] = {}
    for place, item in enumerate(given):
        where = f"params[{place}]."
        if item.get("key") is None:
            raise errors.missing(where + "key")
        name, value = key(item["key"], where + "key"), _param(item.get("value"), where + "value")
        if params.get(name, value) != value:
            raise errors.invalid(f"Duplicate parameter keys have been submitted: ['{name}'].")
        params[name] = value
    return params


def _param(value: Any, name: str) -> str:
    if value is None:
        return ""
    return text(value, name)[: limits.PARAM_VALUE_LENGTH]


def _place(token: str) -> tuple[int, int] | None:
    if not token:
        return None
    step, _, pk = token.rpartition("_")
    try:
        return integer(step, "page_token"), integer(pk, "page_token")
    except errors.MlflowError:
        raise errors.invalid("Invalid page token") from None


def _series(call: Call, run_ids: list[str], field: str, name: str) -> list[Metric]:
    """Return the series `name` of the runs, in their order. Raises for a run that the caller may not see."""
    if not run_ids:
        raise errors.missing(field)
    if len(run_ids) > _RUNS_PER_CHART:
        raise errors.invalid(
            f"GetMetricHistoryBulk request cannot specify more than {_RUNS_PER_CHART} run_ids. Received {len(run_ids)}."
        )
    runs = {run.run_id: run for run in call.runs().filter(run_id__in=run_ids)}
    for run_id in run_ids:
        if run_id not in runs:
            raise errors.absent(f"Run with id={run_id[:300]} not found")
    found = Metric.objects.filter(run__in=runs.values(), name=name, kind=MetricKind.NUMBER).select_related("run")
    by_run = {metric.run.run_id: metric for metric in found}
    return [by_run[run_id] for run_id in dict.fromkeys(run_ids) if run_id in by_run]


def _of_run(metric: Metric, rows: Any) -> list[Answer]:
    run_id = metric.run.run_id
    return [
        {**shapes.metric(metric.name, value, words, at, step), "run_id": run_id} for _, step, at, value, words in rows
    ]


def _every_step(series: Sequence[Metric]) -> range | None:
    """Return the steps of series that have a point at each, as most have, without a look at them; else None."""
    own = MetricPoint.objects.filter(metric=OuterRef("pk")).values("step")
    found = Metric.objects.filter(pk__in=[metric.pk for metric in series], point_count__gt=0).annotate(
        first=Subquery(own.order_by("step")[:1]), last=Subquery(own.order_by("-step")[:1])
    )
    spans = sorted(found.values_list("first", "last", "point_count"))
    if not spans or any(count != last - first + 1 for first, last, count in spans):
        return None
    reached = spans[0][1]
    for first, last, _ in spans:
        if first > reached + 1:
            return None
        reached = max(reached, last)
    return range(spans[0][0], reached + 1)


def _evenly(steps: Sequence[int], limit: int) -> list[int]:
    """Return `limit` of `steps`, evenly taken, with the last."""
    if len(steps) <= limit:
        return list(steps)
    stride = len(steps) / limit
    return sorted({*(steps[int(place * stride)] for place in range(limit)), steps[-1]})
