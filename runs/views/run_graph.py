"""The Graph tab of a pipeline run: the drawing with live states, the outline, the Gantt chart, a step's panel."""

from dataclasses import dataclass
from datetime import datetime

from django.http import Http404, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.http import urlencode
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from runs import permissions, storage
from runs.models import Artifact, DraftRun, PipelineRun, Run, StepRun
from runs.pipelines import drawing
from runs.status import ACTIVE, TILES, RunStatus
from runs.storage import lines
from runs.views import ansi, gantt_drawing, graph_drawing, live, run_files, run_page, step_states
from runs.views.request import SignedInRequest
from runs.views.step_states import StepRow, StepState

_LOG_BYTES = 8 * 1024
_LOG_LINES = 60
_OUTPUTS = 50
# A great graph is told anew less often.
_MANY_STEPS = 200
_MANY_SECONDS = 10
_VIEWS = ("graph", "gantt")


@dataclass(frozen=True)
class Panel:
    """One step, opened beside the drawing."""

    state: StepState
    row: StepRow
    run: Run
    reused_from: Run | None
    log: list[SafeString]
    log_size_bytes: int
    outputs: list[Artifact]
    has_more_outputs: bool


@require_GET
def run_graph(request: SignedInRequest, run_id: str) -> HttpResponse:
    """Show the graph, or with `view=gantt` the times; `step` and `index` open the panel of a step run."""
    run = permissions.get_run(request.user, run_id)
    pipeline = PipelineRun.objects.filter(run=run).first()
    if pipeline is None:
        raise Http404

    now = timezone.now()
    view = request.GET.get("view", "graph")
    view = view if view in _VIEWS else "graph"
    states = step_states.load(run)
    panel = _panel(states, request.GET.get("step", ""), request.GET.get("index", ""))

    context = run_page.frame(request, run, tab="run_graph")
    is_live = not run.is_terminal or any(state.status in ACTIVE for state in states)
    version = live.version_of(
        [(row.pk, row.status, row.started_at, row.ended_at, row.is_reused) for state in states for row in state.rows],
        panel and (panel.log_size_bytes, len(panel.outputs), panel.run.reason),
    )
    if live.is_partial(request) and request.GET.get("v") == version:
        return HttpResponse(status=204)
    is_fit = request.GET.get("zoom") == "fit"
    address = _address(run, view, is_fit=is_fit)
    context |= {
        "version": version,
        "view": view,
        "is_fit": is_fit,
        "views": [("graph", _("Graph")), ("gantt", _("Gantt"))],
        "outline": graph_drawing.outline(states, chosen=panel.state.name if panel else "", address=address),
        "address": address,
        "panel": panel,
        "picture": _picture(run, pipeline, states, panel, view, address, now),
        "tiles": _tiles(states),
        "is_live": is_live,
        "graph_seconds": _MANY_SECONDS if len(states) > _MANY_STEPS else context["poll_seconds"],
    }
    return live.respond(request, "run/run_graph.html", context, fragment="run-graph", version=version)


def _picture(
    run: Run,
    pipeline: PipelineRun,
    states: list[StepState],
    panel: Panel | None,
    view: str,
    address: str,
    now: datetime,
) -> SafeString:
    by_name = {state.name: state for state in states}
    if view == "gantt":
        parents: dict[str, list[str]] = {name: [] for name in by_name}
        for wire in drawing.wires(pipeline.definition):
            parents[wire.target].append(wire.source)
        end = run.ended_at or now
        way = gantt_drawing.critical(parents, by_name, at=end)
        begin = run.started_at or run.created_at
        return gantt_drawing.draw(states, way, begin=begin, end=end, address=address, label=_("Times of the steps"))
    drawn_before = DraftRun.objects.filter(run=run).first()
    drawn = drawing.draw(pipeline.definition, drawn_before.positions if drawn_before else {})
    chosen = panel.state.name if panel else ""
    return graph_drawing.with_states(
        drawn, by_name, chosen=chosen, address=address, at=now, label=_("Graph of the pipeline")
    )


def _panel(states: list[StepState], name: str, index: str) -> Panel | None:
    state = next((state for state in states if state.name == name), None)
    if state is None:
        return None
    # Of many values, first the one that is at fault or at work.
    row = next((row for row in state.rows if index and str(row.index) == index), None)
    row = row or next((row for row in state.rows if row.status == state.status), state.rows[0])
    step = (
        StepRun.objects.select_related("run__compute_target", "run__experiment", "reused_from__experiment")
        .filter(run_id=row.pk)
        .get()
    )
    # The files of a reused step are those of the run that made them.
    holder = step.reused_from or step.run
    log_name = run_files.standard_log(holder)
    size = storage.log_size(holder.pk, log_name)
    held = list(Artifact.objects.filter(run=holder, path__startswith="outputs/").order_by("path")[: _OUTPUTS + 1])
    return Panel(
        state=state,
        row=row,
        run=step.run,
        reused_from=step.reused_from,
        log=_log_lines(holder, log_name, size),
        log_size_bytes=size,
        outputs=held[:_OUTPUTS],
        has_more_outputs=len(held) > _OUTPUTS,
    )


def _log_lines(run: Run, name: str, size: int) -> list[SafeString]:
    text = lines.read_before(run.pk, name, size, _LOG_BYTES).decode("utf-8", "replace") if size else ""
    rows = text.splitlines()
    # The first one may have lost its beginning.
    whole = rows[1:] if size > _LOG_BYTES and len(rows) > 1 else rows
    return ansi.render(whole[-_LOG_LINES:])


def _tiles(states: list[StepState]) -> list[tuple[str, int]]:
    statuses: list[RunStatus] = [row.status for state in states for row in state.rows]
    counts = [(str(tile), sum(status in members for status in statuses)) for tile, members in TILES.items()]
    return [(tile, count) for tile, count in counts if count]


def _address(run: Run, view: str, *, is_fit: bool) -> str:
    query = ({"view": view} if view != "graph" else {}) | ({"zoom": "fit"} if is_fit else {})
    return f"{reverse('run_graph', args=[run.run_id])}?{urlencode(query | {'step': ''})}"
