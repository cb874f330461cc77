"""All runs of a workspace, and what is done to many of them at once."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_GET, require_POST

from runs import permissions
from runs.actions import cancellation
from runs.errors import InvalidInput
from runs.models import Run
from runs.views import live, run_table
from runs.views.request import SignedInRequest, safe_next


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
        "shows_experiment": True,
        "can_contribute": can_contribute,
    }
    status = 422 if table.problem else 200
    return live.respond(
        request, "pipeline/pipeline_list.html", context, fragment="runs", version=version, status=status
    )


@require_POST
def runs_cancel(request: SignedInRequest, workspace_name: str) -> HttpResponse:
    """Ask the ticked runs to stop."""
    workspace = permissions.get_workspace(request.user, workspace_name)
    permissions.check_can_contribute(request.user, workspace)
    ids = request.POST.getlist("run")
    if not ids:
        raise InvalidInput(_("Tick at least one run."), field="run")

    ticked = Run.objects.filter(workspace=workspace, run_id__in=ids[: run_table.ROWS_PER_PAGE])
    asked = cancellation.request_cancel_many(runs=ticked, by=request.user, at=timezone.now(), actor="web")

    messages.success(request, ngettext("Asked %d run to stop.", "Asked %d runs to stop.", len(asked)) % len(asked))
    return redirect(safe_next(request, default="home"))
