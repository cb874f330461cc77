"""Compare: two to twenty runs side by side, at one address that can be shared."""

from collections.abc import Sequence
from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from runs import permissions
from runs.models import Metric, Run, Workspace
from runs.models.metric import MetricKind
from runs.views import compare_code, compare_facts, compare_plots
from runs.views.request import SignedInRequest

FEWEST, MOST = 2, 20
# So many charts are drawn unless one chooses, and at most.
_CHARTS, _CHARTS_AT_MOST = 2, 6
_CHOICES = 200


@require_GET
def run_compare(request: SignedInRequest, workspace_name: str) -> HttpResponse:
    """Show how the runs of `?runs=` differ; with `all=1` also in what they are alike.

    The first is what code is compared with. Further parameters: metric (any number of
    times), x and y of the scatter plot, file and with for a diff.
    """
    workspace = permissions.get_workspace(request.user, workspace_name)
    wanted = list(dict.fromkeys(part for text in request.GET.getlist("runs") for part in text.split(",") if part))
    runs = _runs(workspace, wanted[:MOST])

    context: dict[str, Any] = {
        "nav": "experiments",
        "workspace": workspace,
        "runs": [
            (run, compare_plots.color(place), _without(runs, run), _first(runs, run)) for place, run in enumerate(runs)
        ],
        "missing": [run_id for run_id in wanted[:MOST] if run_id not in {run.run_id for run in runs}],
        "left_out_count": max(0, len(wanted) - MOST),
        "most": MOST,
        "shows_all": request.GET.get("all") == "1",
        "joined_ids": ",".join(run.run_id for run in runs),
        "is_comparison": len(runs) >= FEWEST,
    }
    if context["is_comparison"]:
        context |= _compared(request, runs, shows_all=context["shows_all"])
    return render(request, "run/run_compare.html", context)


def _runs(workspace: Workspace, run_ids: Sequence[str]) -> list[Run]:
    found = Run.objects.filter(workspace=workspace, run_id__in=run_ids)
    found = found.select_related("experiment", "compute_target", "submitted_by", "snapshot")
    by_id = {run.run_id: run for run in found}
    return [by_id[run_id] for run_id in run_ids if run_id in by_id]


def _compared(request: SignedInRequest, runs: Sequence[Run], *, shows_all: bool) -> dict[str, Any]:
    params = compare_facts.params_of(runs)
    metrics = list(Metric.objects.of_training().filter(run__in=[run.pk for run in runs]).order_by("name"))
    sections = compare_facts.sections(runs, params=params, metrics=metrics, only_differing=not shows_all)
    measured = next(section.rows for section in sections if section.name == "metrics")
    # Metrics before params on the last axes: what came out stands at the right.
    numbers = compare_plots.numeric(params) | compare_plots.numeric(measured)
    names = _chart_names(metrics)
    chosen = [name for name in request.GET.getlist("metric") if name in names][:_CHARTS_AT_MOST] or names[:_CHARTS]
    x, y = _scatter_axes(request, params, measured, numbers)
    code = compare_code.read(runs)
    return {
        "sections": sections,
        "metric_names": names[:_CHOICES],
        "chosen": chosen,
        "charts": compare_plots.curves(runs, metrics, chosen),
        "numbers": list(numbers)[:_CHOICES],
        "x": x,
        "y": y,
        "scatter": compare_plots.scatter(runs, numbers[x], numbers[y], x_label=x) if x and y else None,
        "parallel": compare_plots.parallel(runs, numbers),
        "code": code,
        "diff": _diff(request, runs, code),
        "differing_count": sum(row.differs for section in sections for row in section.rows) + len(code.files),
    }


def _chart_names(metrics: Sequence[Metric]) -> list[str]:
    """Return the metrics that have a curve, those first that most runs have."""
    counts: dict[str, int] = {}
    for metric in metrics:
        if metric.kind == MetricKind.NUMBER and metric.point_count > 1:
            counts[metric.name] = counts.get(metric.name, 0) + 1
    return sorted(counts, key=lambda name: (-counts[name], name))


def _scatter_axes(
    request: SignedInRequest,
    params: Sequence[compare_facts.Row],
    measured: Sequence[compare_facts.Row],
    numbers: dict[str, list[float | None]],
) -> tuple[str, str]:
    given = [row.name for row in params if row.name in numbers]
    reached = [row.name for row in measured if row.name in numbers]
    x, y = request.GET.get("x", ""), request.GET.get("y", "")
    x = x if x in numbers else next(iter([*given, *reached]), "")
    y = y if y in numbers else next((name for name in [*reached, *given] if name != x), "")
    return x, y


def _diff(request: SignedInRequest, runs: Sequence[Run], code: compare_code.Code) -> compare_code.Diff | None:
    """Return the diff of the chosen file, or at first of the script, between the first run and one that differs."""
    files = {file.path: file for file in code.files}
    script = next((run.script for run in runs if run.script in files), "")
    path = request.GET.get("file", "") or script or next(iter(files), "")
    if path not in files:
        return None
    versions = files[path].versions
    other = next((place for place, version in enumerate(versions) if version != versions[0]), None)
    by_id = {run.run_id: run for run in runs[1:]}
    chosen = by_id.get(request.GET.get("with", "")) or (runs[other] if other is not None else runs[-1])
    return compare_code.diff(path, runs[0], chosen)


def _without(runs: Sequence[Run], run: Run) -> str:
    """Return the ids that are left without `run`; empty if that were no comparison."""
    return ",".join(other.run_id for other in runs if other != run) if len(runs) > FEWEST else ""


def _first(runs: Sequence[Run], run: Run) -> str:
    """Return the ids with `run` first: what the code of the others is compared with."""
    return ",".join([run.run_id, *(other.run_id for other in runs if other != run)])
