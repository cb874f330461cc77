"""Metrics: points in batches in, series with their summaries and points out."""

import re
from collections.abc import Iterable

from django.db.models import Prefetch, prefetch_related_objects
from django.http import HttpRequest
from django.utils import timezone
from ninja import Query, Router

from runs import shapes
from runs.actions import recording
from runs.api.v1 import auth, bodies
from runs.api.v1.answers import REFUSALS, MetricOut, Page, Refusal, SeriesOut, StoredOut
from runs.errors import InvalidInput, NotFound
from runs.models import Metric, MetricPoint, Run
from runs.search import paging

router = Router(tags=["metrics"])

_SERIES_PER_PAGE = 500
_POINTS_PER_SERIES = 10_000
# A page of series ends where it would hold more points than this.
_POINTS_PER_PAGE = 100_000
_PLACE = re.compile(r"(-?\d{1,19})_(\d{1,18})", re.ASCII)


@router.post("/runs/{run_id}/metrics", response={200: StoredOut, REFUSALS: Refusal})
def log_metrics(request: HttpRequest, run_id: str, body: bodies.Batch) -> shapes.Document:
    """Store points in their order. A `batch_id` that was stored before changes nothing, so a retry is safe."""
    run = auth.caller(request).run_to_change(run_id)
    points = [_point(point) for point in body.points]

    stored = recording.log_metrics(run=run, points=points, at=timezone.now(), batch_id=body.batch_id)

    return {"stored": stored}


@router.get("/runs/{run_id}/metrics", response={200: Page[MetricOut], REFUSALS: Refusal})
def list_metrics(
    request: HttpRequest,
    run_id: str,
    recursive: bool = False,
    name: str = "",
    run_type: str = "",
    points: int = Query(0, ge=0, le=_POINTS_PER_SERIES),
    cursor: str = "",
) -> shapes.Document:
    """List the series of a run, and with `recursive` of all below it, each with its first `points` points."""
    run = auth.caller(request).run(run_id)
    queryset = Metric.objects.filter(run__in=Run.objects.below(run, itself=True)) if recursive else run.metrics.all()
    if name:
        queryset = queryset.filter(name=name)
    if run_type:
        queryset = queryset.filter(run__run_type=run_type)
    page = paging.paginate(
        queryset.select_related("run").only("run__run_id", *_COLUMNS),
        order="created",
        cursor=cursor,
        limit=_SERIES_PER_PAGE,
        orders={"created": "id"},
    )
    series = _that_fit(page.items, points)
    if len(series) < len(page.items):
        # The same page again, to its new end: only paging knows how to write a cursor.
        page = paging.paginate(queryset, order="created", cursor=cursor, limit=len(series), orders={"created": "id"})
    if points:
        first = MetricPoint.objects.order_by("step", "id")[:points]
        prefetch_related_objects(series, Prefetch("points", first, to_attr="shown_points"))

    return {"items": [_document(metric, with_points=points > 0) for metric in series], "next": page.next or None}


@router.get("/runs/{run_id}/metrics/{path:name}", response={200: SeriesOut, REFUSALS: Refusal})
def show_metric(
    request: HttpRequest,
    run_id: str,
    name: str,
    cursor: str = "",
    limit: int = Query(1_000, ge=1, le=_POINTS_PER_SERIES),
) -> shapes.Document:
    """Show a series, with its points in pages by step and, within a step, by arrival."""
    run = auth.caller(request).run(run_id)
    metric = Metric.objects.filter(run=run, name=name).first()
    if metric is None:
        raise NotFound(f"The run {run_id} has no metric {name!r}.", field="name")
    found = MetricPoint.objects.filter(metric=metric).order_by("step", "id")
    if cursor:
        step, last = _place(cursor)
        found = found.filter(step__gte=step).exclude(step=step, id__lte=last)
    rows = list(found[: limit + 1])
    shown = rows[:limit]

    return {
        **shapes.metric_document(metric, run_id=run.run_id),
        "items": [shapes.point_document(point, metric.kind) for point in shown],
        "next": f"{shown[-1].step}_{shown[-1].pk}" if len(rows) > limit else None,
    }


_COLUMNS = (
    "name",
    "kind",
    "point_count",
    "latest_value",
    "latest_text",
    "latest_step",
    "latest_at",
    "min_value",
    "max_value",
)


def _point(point: bodies.PointBody) -> recording.Point:
    kind = point.kind or ("row" if point.row is not None else "text" if point.text is not None else "number")
    return recording.Point(
        name=point.name,
        step=point.step,
        at=point.at,
        value=point.value,
        text=recording.row_text(point.row) if point.row is not None else point.text or "",
        kind=kind,
    )


def _that_fit(series: list[Metric], points: int) -> list[Metric]:
    """Return the first of `series` whose points fit into one answer, at least one of them."""
    total = 0
    for count, metric in enumerate(series):
        total += min(metric.point_count, points)
        if total > _POINTS_PER_PAGE and count:
            return series[:count]
    return series


def _document(metric: Metric, *, with_points: bool) -> shapes.Document:
    points: Iterable[MetricPoint] = metric.shown_points if with_points else ()  # type: ignore[attr-defined]
    run: Run = metric.run
    return {
        **shapes.metric_document(metric, run_id=run.run_id),
        "points": [shapes.point_document(point, metric.kind) for point in points],
    }


def _place(cursor: str) -> tuple[int, int]:
    match = _PLACE.fullmatch(cursor)
    if match is None or abs(int(match.group(1))) >= 2**63:
        raise InvalidInput("This cursor is not one that was given out; leave it out to start anew.", field="cursor")
    return int(match.group(1)), int(match.group(2))
