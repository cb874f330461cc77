"""The Images tab: what was logged as images, by series and step."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import Prefetch, prefetch_related_objects
from django.http import HttpResponse
from django.views.decorators.http import require_GET

from runs import permissions
from runs.models import Metric, MetricPoint
from runs.models.metric import MetricKind
from runs.views import live, run_page
from runs.views.request import SignedInRequest

_SERIES = 100
_PER_SERIES = 12
_PER_PAGE = 60


@dataclass(frozen=True)
class Gallery:
    """Images of one series, the latest first, and where its earlier ones are."""

    metric: Metric
    images: Sequence[MetricPoint]
    earlier: str


@require_GET
def run_images(request: SignedInRequest, run_id: str) -> HttpResponse:
    """Show the latest images of each series, or all of the one that `?name=` names, from `?before=` on."""
    run = permissions.get_run(request.user, run_id)

    name = request.GET.get("name", "").replace("\x00", "")
    series = Metric.objects.filter(run=run, kind=MetricKind.IMAGE).order_by("name")
    chosen = list((series.filter(name=name) if name else series)[:_SERIES])
    version = live.version_of([(metric.name, metric.point_count) for metric in chosen], run.is_terminal)
    context = run_page.frame(request, run, tab="run_images") | {
        "version": version,
        "name": name,
        "galleries": _all(chosen[0], request.GET.get("before", "")) if name and chosen else _latest(chosen),
    }
    return live.respond(request, "run/run_images.html", context, fragment="run-images", version=version)


def _latest(series: list[Metric]) -> list[Gallery]:
    """Return the latest images of every series, in one query."""
    latest = MetricPoint.objects.order_by("-step", "-id")[:_PER_SERIES]
    prefetch_related_objects(series, Prefetch("points", latest, to_attr="shown_points"))
    galleries = []
    for metric in series:
        points: list[MetricPoint] = metric.shown_points  # type: ignore[attr-defined]
        galleries.append(
            Gallery(metric, points, _place(points[-1]) if points and metric.point_count > len(points) else "")
        )
    return galleries


def _all(metric: Metric, before: str) -> list[Gallery]:
    points = metric.points.order_by("-step", "-id")
    step, _, last = before.partition("_")
    if step.lstrip("-").isdigit() and last.isdigit() and len(before) < 40:
        points = points.filter(step__lte=int(step)).exclude(step=int(step), id__gte=int(last))
    shown = list(points[: _PER_PAGE + 1])
    more = len(shown) > _PER_PAGE
    shown = shown[:_PER_PAGE]
    return [Gallery(metric, shown, _place(shown[-1]) if more else "")]


def _place(point: MetricPoint) -> str:
    return f"{point.step}_{point.pk}"
