"""The runs of a workspace: the tab Pipeline runs, which the navigation leads to, and the tab All runs.

All runs keep the older address: tiles, searches and bookmarks lead there.
"""

from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.views.decorators.http import require_GET

from runs import permissions
from runs.models import Run, RunType
from runs.search.fields import FIELDS
from runs.views import filter_chips, live, run_table, runs_bulk, searches
from runs.views.request import SignedInRequest


@require_GET
def pipeline_run_list(request: SignedInRequest, workspace_name: str) -> HttpResponse:
    """Show the runs of pipelines, without other runs."""
    return _page(request, workspace_name, tab="pipeline_run_list")


@require_GET
def pipeline_list(request: SignedInRequest, workspace_name: str) -> HttpResponse:
    """Show the runs of all experiments of the workspace."""
    return _page(request, workspace_name, tab="pipeline_list")


def _page(request: SignedInRequest, workspace_name: str, *, tab: str) -> HttpResponse:
    workspace = permissions.get_workspace(request.user, workspace_name)

    changed = filter_chips.added(request.GET)
    if changed is not None:
        return redirect(f"{request.path}?{changed.urlencode()}")
    can_contribute = permissions.can_contribute(request.user, workspace)

    runs = Run.objects.filter(workspace=workspace)
    if tab == "pipeline_run_list":
        runs = runs.filter(run_type=RunType.PIPELINE)
    table = run_table.build(request, runs, at=timezone.now())

    version = live.version_of(table.facts)
    context = {
        "nav": "pipelines",
        "workspace": workspace,
        "tab": tab,
        "table": table,
        "version": version,
        "has_stars": True,
        "searches": searches.of(request, workspace, query="" if table.problem else table.query),
        "chips": filter_chips.of(table.query),
        "search_fields": FIELDS,
        "operators": filter_chips.OPERATORS,
        "compare_url": runs_bulk.compare_address(workspace),
        "can_contribute": can_contribute,
    }
    status = 422 if table.problem else 200
    return live.respond(
        request, "pipeline/pipeline_list.html", context, fragment="runs", version=version, status=status
    )
