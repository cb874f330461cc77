"""All runs of a workspace."""

from django.http import HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_GET

from runs import permissions
from runs.models import Run
from runs.views import live, run_table, runs_bulk
from runs.views.request import SignedInRequest


@require_GET
def pipeline_list(request: SignedInRequest, workspace_name: str) -> HttpResponse:
    """Show the runs of all experiments of the workspace."""
    workspace = permissions.get_workspace(request.user, workspace_name)

    can_contribute = permissions.can_contribute(request.user, workspace)

    table = run_table.build(request, Run.objects.filter(workspace=workspace), at=timezone.now())

    version = live.version_of(table.facts)
    context = {
        "nav": "pipelines",
        "workspace": workspace,
        "table": table,
        "version": version,
        "has_stars": True,
        "compare_url": runs_bulk.compare_address(workspace),
        "can_contribute": can_contribute,
    }
    status = 422 if table.problem else 200
    return live.respond(
        request, "pipeline/pipeline_list.html", context, fragment="runs", version=version, status=status
    )
