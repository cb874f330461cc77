"""The charts above a table of runs: what an address asks for, and the series of the runs that the table shows."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from django.http import QueryDict
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from runs import limits
from runs.errors import InvalidInput
from runs.models import Metric, Run
from runs.models.metric import MetricKind
from runs.search import orders
from runs.templatetags.studio import with_zone
from runs.views import curves, plot
from runs.views.columns import of_metric
from runs.views.curves import Axis, Window

KINDS = {"line": gettext_lazy("Line"), "scatter": gettext_lazy("Scatter"), "bar": gettext_lazy("Bar")}
AXES = {
    "number": gettext_lazy("Run number"),
    "step": gettext_lazy("Step"),
    "time": gettext_lazy("Time"),
    "relative": gettext_lazy("Relative time"),
}
NONE = "none"
METRICS_PER_CHART = 8
# So many curves are told apart in a small chart; a caption says when there are more.
_CURVES = 20
_POINTS = 240


@dataclass(frozen=True)
class Spec:
    """What a chart shows: `metrics` as columns name them, such as `loss` or `loss.min`."""

    kind: str
    x: str
    metrics: tuple[str, ...]

    @property
    def text(self) -> str:
        """Return how an address names it."""
        names = ",".join(name.replace("~", "~7E").replace(",", "~2C") for name in self.metrics)
        return f"{self.kind}.{self.x}.{names}"

    @property
    def title(self) -> str:
        """Return its heading."""
        return ", ".join(str(of_metric(*_split(name)).label) for name in self.metrics)


@dataclass(frozen=True)
class TableChart:
    """A chart of the page: its place among them, what it shows, and how it is drawn."""

    place: int
    spec: Spec
    plot: plot.Plot
    run_count: int
    drawn_count: int


def parse(state: QueryDict, names: Sequence[str]) -> list[Spec]:
    """Return the charts that an address asks for, or else the first two of the metrics `names`. Raises InvalidInput."""
    if "chart" not in state:
        return [Spec("scatter", "number", (name,)) for name in names[:2]]
    texts = [text for text in state.getlist("chart") if text != NONE]
    if len(texts) > limits.CHARTS_PER_TABLE:
        raise InvalidInput(_("At most %d charts fit a table.") % limits.CHARTS_PER_TABLE, field="chart")
    return [_spec(text) for text in texts]


def checked(kind: str, x: str, metrics: Iterable[str]) -> Spec:
    """Return the chart, or raise InvalidInput that says what it cannot be made of."""
    names = tuple(dict.fromkeys(filter(None, metrics)))
    if kind not in KINDS:
        raise InvalidInput(_("There is no chart %(kind)r: %(kinds)s.") % {"kind": kind, "kinds": ", ".join(KINDS)})
    if x not in AXES:
        raise InvalidInput(_("No chart has the x-axis %(x)r: %(axes)s.") % {"x": x, "axes": ", ".join(AXES)})
    if not 1 <= len(names) <= METRICS_PER_CHART:
        raise InvalidInput(_("A chart shows one to %d metrics.") % METRICS_PER_CHART, field="metric")
    return Spec(kind, x, names)


def _spec(text: str) -> Spec:
    kind, _dot, rest = text.partition(".")
    x, _dot, names = rest.partition(".")
    return checked(kind, x, [name.replace("~2C", ",").replace("~7E", "~") for name in names.split(",")])


def _split(name: str) -> tuple[str, str]:
    _kind, key, summary = orders.split(f"metrics.{name}")
    return key, summary


def draw(specs: Sequence[Spec], runs: Sequence[Run], *, only: str = "") -> list[TableChart]:
    """Return the charts of `runs`, or of those alone whose ids are in `only`. All metrics come in one query."""
    chosen = set(filter(None, only.split(",")))
    runs = sorted((run for run in runs if not chosen or run.run_id in chosen), key=lambda run: (run.number, run.pk))
    keys = {_split(name)[0] for spec in specs for name in spec.metrics}
    held: dict[tuple[int, str], Metric] = {}
    if keys and runs:
        for metric in Metric.objects.filter(run__in=[run.pk for run in runs], name__in=keys):
            held[metric.run_id, metric.name] = metric
    return [_chart(place, spec, runs, held) for place, spec in enumerate(specs)]


def _chart(place: int, spec: Spec, runs: Sequence[Run], held: dict[tuple[int, str], Metric]) -> TableChart:
    if spec.x == "number":
        series = [_by_number(name, number, runs, held) for number, name in enumerate(spec.metrics)]
        count = len({run_id for one in series for run_id in one.runs})
        drawing = plot.draw(series, kind=spec.kind, x_label=str(AXES[spec.x]))
        return TableChart(place, spec, drawing, count, count)
    keys = list(dict.fromkeys(_split(name)[0] for name in spec.metrics))
    measured = [run for run in runs if any((run.pk, key) in held for key in keys)]
    # The newest ones, where there are too many to be told apart.
    drawn = measured[-max(1, _CURVES // len(keys)) :]
    series = _curves(spec, drawn, keys, held)
    x_kind = {"time": "time", "relative": "seconds"}.get(spec.x, "number")
    label = str(AXES[spec.x])
    drawing = plot.draw(series, kind=spec.kind, x_label=with_zone(label) if x_kind == "time" else label, x_kind=x_kind)
    return TableChart(place, spec, drawing, len(measured), len(drawn))


def _by_number(name: str, number: int, runs: Sequence[Run], held: dict[tuple[int, str], Metric]) -> plot.Series:
    """Return one point of each run: the last, least or greatest value of the metric `name`."""
    key, summary = _split(name)
    found = [(run, held[run.pk, key]) for run in runs if (run.pk, key) in held]
    valued = [(run, getattr(metric, orders.SUMMARIES[summary])) for run, metric in found]
    kept = [(run, value) for run, value in valued if value is not None]
    return plot.Series(
        str(of_metric(key, summary).label),
        [(float(run.number), value) for run, value in kept],
        color=number % plot.COLORS + 1,
        runs=[run.run_id for run, _value in kept],
        odd_count=len(valued) - len(kept),
    )


def _curves(
    spec: Spec, runs: Sequence[Run], keys: Sequence[str], held: dict[tuple[int, str], Metric]
) -> list[plot.Series]:
    metrics = [(run, held[run.pk, key]) for run in runs for key in keys if (run.pk, key) in held]
    numbers = [(run, metric) for run, metric in metrics if metric.kind == MetricKind.NUMBER]
    axis = Axis.STEP if spec.x == "step" else Axis.TIME
    read = curves.read([metric for _run, metric in numbers], window=Window(axis), points=_POINTS)
    series: list[plot.Series] = []
    for run, metric in numbers:
        points = read[metric.pk].points
        begin = (run.started_at or run.created_at).timestamp() if spec.x == "relative" else 0.0
        finite = [(point.x - begin, point.y) for point in points if point.y is not None and math.isfinite(point.y)]
        name = run.title if len(keys) == 1 else f"{run.title}, {metric.name}"
        color = len(series) % plot.COLORS + 1
        odd = len(points) - len(finite)
        series.append(plot.Series(name, finite, color=color, run=run.run_id, odd_count=odd))
    return series
