"""One experiment: status tiles, active compute targets, and its runs."""

from collections.abc import Callable

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from runs import permissions
from runs.actions import experiments
from runs.errors import NotFound
from runs.models import Experiment, Run, Workspace
from runs.search.fields import FIELDS
from runs.status import Tile
from runs.templatetags.studio import tile_query
from runs.views import filter_chips, live, run_table, runs_bulk, searches, status_counts, table_charts, table_views
from runs.views.request import SignedInRequest
from runs.wording import say


@require_GET
def experiment_detail(
    request: SignedInRequest, workspace_name: str, experiment_name: str, tile: str = ""
) -> HttpResponse:
    """Show the experiment; behind a tile, only the runs that the tile counts."""
    workspace = permissions.get_workspace(request.user, workspace_name)
    experiment = _get_experiment(workspace, experiment_name)
    if tile and tile not in set(Tile):
        raise Http404

    can_contribute = permissions.can_contribute(request.user, workspace)

    address = _other_address(request, experiment, tile)
    if address:
        return redirect(address)

    now = timezone.now()
    runs = Run.objects.filter(experiment=experiment)
    # By the search, which knows the short way to a status that few runs have.
    table = run_table.build(request, runs, at=now, narrowed_by=tile_query(tile) if tile else "", experiment=experiment)
    specs = table_charts.parse(request.GET, run_table.metric_names(experiment))
    only = request.GET.get("runs", "")
    charts = table_charts.draw(specs, table.runs, only=only)
    counts = status_counts.of_experiments([experiment], with_children=table.has_children)[experiment.pk]
    active_targets = status_counts.active_targets(Run.objects.filter(experiment=experiment))

    version = live.version_of(table.facts, counts.tiles, active_targets, experiment.archived_at, charts)
    context = {
        "nav": "experiments",
        "workspace": workspace,
        "experiment": experiment,
        "tile": tile,
        "counts": counts,
        "active_targets": active_targets,
        "table": table,
        "version": version,
        "can_contribute": can_contribute,
        "has_stars": True,
        "charts": charts,
        "only_count": len(list(filter(None, only.split(",")))),
        "views": table_views.of(experiment, request.GET, user=request.user),
        "searches": searches.of(request, workspace, query="" if table.problem else table.query),
        "chips": filter_chips.of(table.query),
        "search_fields": FIELDS,
        "operators": filter_chips.OPERATORS,
        "compare_url": runs_bulk.compare_address(workspace),
    }
    status = 422 if table.problem else 200
    return live.respond(
        request, "experiment/experiment_detail.html", context, fragment="runs", version=version, status=status
    )


def _other_address(request: SignedInRequest, experiment: Experiment, tile: str) -> str:
    """Return where the page is instead: with the builder's filter in its query, or in the user's default view."""
    changed = filter_chips.added(request.GET)
    if changed is not None:
        return f"{request.path}?{changed.urlencode()}"
    is_bare = not request.GET and not tile and not live.is_partial(request)
    return table_views.default_address(experiment, user=request.user) if is_bare else ""


@require_POST
def experiment_archive(request: SignedInRequest, workspace_name: str, experiment_name: str) -> HttpResponse:
    """Archive the experiment."""
    return _change(request, workspace_name, experiment_name, experiments.archive, _("Archived."))


@require_POST
def experiment_restore(request: SignedInRequest, workspace_name: str, experiment_name: str) -> HttpResponse:
    """Restore the experiment."""
    return _change(request, workspace_name, experiment_name, experiments.restore, _("Restored."))


def _change(
    request: SignedInRequest, workspace_name: str, experiment_name: str, change: Callable[..., Experiment], done: str
) -> HttpResponse:
    workspace = permissions.get_workspace(request.user, workspace_name)
    experiment = _get_experiment(workspace, experiment_name)
    permissions.check_can_contribute(request.user, workspace)
    change(experiment=experiment, by=request.user, at=timezone.now())
    messages.success(request, done)
    return redirect(experiment)


def _get_experiment(workspace: Workspace, name: str) -> Experiment:
    experiment = Experiment.objects.filter(workspace=workspace, name=name).first()
    if experiment is None:
        raise NotFound(
            say("There is no experiment {name!r} in the workspace {workspace}.", name=name, workspace=workspace.name),
            field="experiment",
        )
    experiment.workspace = workspace
    return experiment
