"""What is done to many runs at once: to the ticked ones, or to all that the table's search finds."""

from datetime import datetime
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from django.contrib import messages
from django.http import HttpResponse, QueryDict
from django.shortcuts import redirect
from django.urls import NoReverseMatch, reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST

from runs import permissions
from runs.actions import bulk, favorites
from runs.errors import InvalidInput, RunsError
from runs.models import Experiment, Run, Workspace
from runs.models.run import RunQuerySet
from runs.status import Tile
from runs.templatetags.studio import tile_query
from runs.translation import translated
from runs.views import run_table
from runs.views.request import SignedInRequest, safe_next

# So many runs fit a comparison, or a chart of ticked rows.
COMPARED_AT_MOST, CHARTED_AT_MOST = 20, 50


@require_POST
def runs_bulk(request: SignedInRequest, workspace_name: str) -> HttpResponse:
    """Do what the pressed button says (`verb`) to the ticked runs (`run`), or to `all` that `state` asks for."""
    workspace = permissions.get_workspace(request.user, workspace_name)
    verb = request.POST.get("verb", "")
    back = safe_next(request, default="home")

    if verb in ("compare", "chart"):
        return _show(request, verb, workspace, back)
    permissions.check_can_contribute(request.user, workspace)

    try:
        now = timezone.now()
        messages.success(request, _change(request, verb, _chosen(request, workspace, at=now), at=now))
    except RunsError as error:
        messages.error(request, translated(error.message))
    return redirect(back)


@require_POST
def run_star(request: SignedInRequest) -> HttpResponse:
    """Star a run, or take the star off."""
    run = permissions.get_run(request.user, request.POST.get("run", ""))

    favorites.toggle(run=run, by=request.user)
    return redirect(safe_next(request, default="home"))


def compare_address(workspace: Workspace) -> str:
    """Return the address of the comparison."""
    try:
        return reverse("run_compare", args=[workspace.name])
    except NoReverseMatch:
        return ""


def scope(workspace: Workspace, experiment_name: str, tile: str) -> tuple[RunQuerySet, Experiment | None, str]:
    """Return the runs of a table's page, the experiment that it is of, and the query that its tile adds."""
    if not experiment_name:
        return Run.objects.filter(workspace=workspace), None, ""
    experiment = Experiment.objects.filter(workspace=workspace, name=experiment_name).first()
    if experiment is None:
        raise InvalidInput(_("There is no experiment %r.") % experiment_name, field="experiment")
    return Run.objects.filter(experiment=experiment), experiment, tile_query(tile) if tile in set(Tile) else ""


def _chosen(request: SignedInRequest, workspace: Workspace, *, at: datetime) -> RunQuerySet:
    if request.POST.get("all"):
        runs, _experiment, narrowed_by = scope(
            workspace, request.POST.get("experiment", ""), request.POST.get("tile", "")
        )
        state = QueryDict(request.POST.get("state", ""))
        return run_table.matching(state, runs, user=request.user, at=at, narrowed_by=narrowed_by).runs
    return Run.objects.filter(workspace=workspace, run_id__in=_ticked(request))


def _ticked(request: SignedInRequest) -> list[str]:
    ids = request.POST.getlist("run")
    if not ids:
        raise InvalidInput(_("Tick at least one run."), field="run")
    return ids[: run_table.TICKED_AT_MOST]


def _change(request: SignedInRequest, verb: str, runs: RunQuerySet, *, at: datetime) -> str:
    """Do it, and return what was done in a sentence."""
    if verb == "cancel":
        reason = request.POST.get("reason", "").strip()
        count = bulk.cancel(runs=runs, by=request.user, at=at, reason=reason, actor="web")
        return ngettext("Asked %d run to stop.", "Asked %d runs to stop.", count) % count
    if verb == "archive":
        count = bulk.archive(runs=runs, at=at)
        return ngettext("Archived %d run.", "Archived %d runs.", count) % count
    if verb == "delete":
        count = bulk.delete(runs=runs, at=at)
        return ngettext("Moved %d run to the trash.", "Moved %d runs to the trash.", count) % count
    if verb == "tag":
        key, value = request.POST.get("key", "").strip(), request.POST.get("value", "").strip()
        if not key:
            raise InvalidInput(_("A tag needs a name."), field="key")
        count = bulk.tag(runs=runs, key=key, value=value or None)
        return ngettext("Tagged %d run.", "Tagged %d runs.", count) % count
    raise InvalidInput(_("There is no button %r.") % verb, field="verb")


def _show(request: SignedInRequest, verb: str, workspace: Workspace, back: str) -> HttpResponse:
    """Lead to the comparison of the ticked runs, or to the same page with charts of these alone."""
    try:
        ids = _ticked(request)
        if verb == "compare" and not 2 <= len(ids) <= COMPARED_AT_MOST:
            raise InvalidInput(_("Tick two to %d runs to compare them.") % COMPARED_AT_MOST, field="run")
    except InvalidInput as error:
        messages.error(request, translated(error.message))
        return redirect(back)
    if verb == "compare":
        return redirect(f"{compare_address(workspace)}?{urlencode({'runs': ','.join(ids)}, safe=',')}")
    parts = urlsplit(back)
    state: dict[str, Any] = parse_qs(parts.query, keep_blank_values=True)
    state["runs"] = [",".join(ids[:CHARTED_AT_MOST])]
    return redirect(parts._replace(query=urlencode(state, doseq=True, safe=",")).geturl())
