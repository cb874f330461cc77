"""The panels in which a table's columns and charts are chosen. A draft lies in the address: no script is needed."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from django.http import HttpResponse, QueryDict
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET

from runs import permissions
from runs.errors import InvalidInput, NotFound
from runs.models import Experiment, SearchKey, Workspace
from runs.views import columns, live, run_table, table_charts
from runs.views.columns import Column
from runs.views.request import SignedInRequest
from runs.wording import say

# So many names of one kind are offered; a search finds the others.
_OFFERED = 40
_DRAFT = ("draft", "find", "place", "kind", "x", "metric", "remove", "save", "cursor", "v", "open")
_GROUPS = {
    "metrics": gettext_lazy("Metrics"),
    "params": gettext_lazy("Params"),
    "tags": gettext_lazy("Tags"),
    "properties": gettext_lazy("Properties"),
}


@dataclass(frozen=True)
class Chosen:
    """A chosen column, with what `draft` says after each of its buttons; an empty one cannot be pressed."""

    column: Column
    up: str
    down: str
    removed: str
    wider: str
    width: Any


@dataclass(frozen=True)
class Group:
    """Columns to choose from, each with what `draft` says once it is added."""

    title: Any
    columns: list[tuple[Column, str]]


@require_GET
def columns_edit(request: SignedInRequest, workspace_name: str, experiment_name: str = "") -> HttpResponse:
    """Show the columns that are chosen and those that are left. `draft` is the choice, `find` what to look for."""
    workspace = permissions.get_workspace(request.user, workspace_name)
    experiment = _experiment(workspace, experiment_name)

    draft = request.GET.get("draft")
    chosen = columns.parse(draft) if draft else run_table.chosen_columns(request.GET, experiment)
    find = request.GET.get("find", "").strip()

    context = {
        **_frame(request, workspace, experiment),
        "chosen": _chosen(chosen),
        "groups": list(_groups(workspace, experiment, chosen, find)),
        "find": find,
        "draft": columns.to_text(chosen),
    }
    return live.respond(request, "experiment/columns_edit.html", context, fragment="panel")


@require_GET
def chart_edit(request: SignedInRequest, workspace_name: str, experiment_name: str) -> HttpResponse:
    """Show one chart's choices; with `save`, or `remove`, go back to the page with the chart changed, or without it.

    `place` is which of the page's charts it is; without one it is a new one.
    """
    workspace = permissions.get_workspace(request.user, workspace_name)
    experiment = _experiment(workspace, experiment_name)
    names = run_table.metric_names(experiment) if experiment else []

    specs = table_charts.parse(request.GET, names)
    text = request.GET.get("place", "")
    place = int(text) if text.isascii() and text.isdecimal() and int(text) < len(specs) else None
    frame = _frame(request, workspace, experiment)
    problem = None
    if request.GET.get("remove") and place is not None:
        return redirect(_with_charts(request, frame["back"], specs[:place] + specs[place + 1 :]))
    metrics = [*request.GET.getlist("metric"), *_typed(request)]
    if request.GET.get("save"):
        try:
            spec = table_charts.checked(request.GET.get("kind", ""), request.GET.get("x", ""), metrics)
        except InvalidInput as error:
            problem = error
        else:
            changed = [*specs[:place], spec, *specs[place + 1 :]] if place is not None else [*specs, spec]
            return redirect(_with_charts(request, frame["back"], changed))

    shown = specs[place] if place is not None else table_charts.Spec("line", "step", ())
    picked = metrics or list(shown.metrics)
    context = {
        **frame,
        "place": place,
        "kinds": table_charts.KINDS,
        "axes": table_charts.AXES,
        "kind": request.GET.get("kind") or shown.kind,
        "x": request.GET.get("x") or shown.x,
        "names": list(dict.fromkeys([*picked, *names])),
        "picked": picked,
        "problem": problem,
        "hidden": [(name, value) for name, values in _kept(request.GET).lists() for value in values],
    }
    status = 422 if problem else 200
    return live.respond(request, "experiment/chart_edit.html", context, fragment="panel", status=status)


def _typed(request: SignedInRequest) -> list[str]:
    return [name.strip() for name in request.GET.get("other", "").split(",") if name.strip()]


def _experiment(workspace: Workspace, name: str) -> Experiment | None:
    if not name:
        return None
    experiment = Experiment.objects.filter(workspace=workspace, name=name).first()
    if experiment is None:
        raise NotFound(
            say("There is no experiment {name!r} in the workspace {workspace}.", name=name, workspace=workspace.name),
            field="experiment",
        )
    experiment.workspace = workspace
    return experiment


def _frame(request: SignedInRequest, workspace: Workspace, experiment: Experiment | None) -> dict[str, Any]:
    path = experiment.get_absolute_url() if experiment else reverse("pipeline_list", args=[workspace.name])
    kept = _kept(request.GET)
    return {
        "nav": "experiments" if experiment else "pipelines",
        "workspace": workspace,
        "experiment": experiment,
        "back": path,
        "cancel": f"{path}?{kept.urlencode()}" if kept else path,
    }


def _kept(state: QueryDict) -> QueryDict:
    """Return the state of the page that the panel belongs to."""
    kept = state.copy()
    for name in (*_DRAFT, "other"):
        kept.pop(name, None)
    return kept


def _with_charts(request: SignedInRequest, back: str, specs: list[table_charts.Spec]) -> str:
    state = _kept(request.GET)
    state.setlist("chart", [spec.text for spec in specs] or [table_charts.NONE])
    return f"{back}?{state.urlencode()}"


def _chosen(chosen: list[Column]) -> list[Chosen]:
    rows = []
    for place, column in enumerate(chosen):
        others = chosen[:place] + chosen[place + 1 :]
        widths = ["", *columns.WIDTHS]
        wider = replace(column, width=widths[(widths.index(column.width) + 1) % len(widths)])
        rows.append(
            Chosen(
                column,
                up=columns.to_text([*others[: place - 1], column, *others[place - 1 :]]) if place > 1 else "",
                down=columns.to_text([*others[: place + 1], column, *others[place + 1 :]])
                if 0 < place < len(chosen) - 1
                else "",
                removed=columns.to_text(others) if place else "",
                wider=columns.to_text([*chosen[:place], wider, *chosen[place + 1 :]]),
                width=columns.WIDTHS.get(column.width, _("Auto")),
            )
        )
    return rows


def _groups(workspace: Workspace, experiment: Experiment | None, chosen: list[Column], find: str) -> Iterable[Group]:
    held, draft = {column.name for column in chosen}, columns.to_text(chosen)

    def group(title: Any, found: Iterable[Column]) -> Group:
        left = [column for column in found if column.name not in held]
        return Group(title, [(column, f"{draft},{column.text}") for column in left])

    attributes = columns.ATTRIBUTES.values()
    yield group(_("Attributes"), [column for column in attributes if find.lower() in str(column.label).lower()])
    logged = run_table.metric_names(experiment) if experiment else []
    for kind, title in _GROUPS.items():
        known = SearchKey.objects.filter(workspace=workspace, kind=kind, key__icontains=find).order_by("key")
        keys = list(known.values_list("key", flat=True)[:_OFFERED])
        if kind == "metrics":
            own = [name for name in logged if find.lower() in name.lower()]
            keys = list(dict.fromkeys([*own, *keys]))[:_OFFERED]
            yield group(title, [columns.of_metric(key, summary) for key in keys for summary in ("last", "min", "max")])
        else:
            yield group(title, [columns.named(f"{kind}.{key}") for key in keys])
