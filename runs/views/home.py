"""Where one lands: the latest runs of a workspace, and what to do in an empty one."""

from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.views.decorators.http import require_GET

from runs import permissions
from runs.models import Experiment, Run
from runs.search import Found, orders
from runs.status import TERMINAL
from runs.views import live, status_counts
from runs.views.request import SignedInRequest

_LATEST_RUNS = 8
_LATEST_EXPERIMENTS = 6


@require_GET
def home(request: SignedInRequest) -> HttpResponse:
    """Go to the user's first workspace."""
    return redirect(permissions.default_workspace(request.user))


@require_GET
def workspace_home(request: SignedInRequest, workspace_name: str) -> HttpResponse:
    """Show counts, the latest runs and the latest experiments of the workspace."""
    workspace = permissions.get_workspace(request.user, workspace_name)

    can_contribute = permissions.can_contribute(request.user, workspace)

    counts = status_counts.of_workspace(workspace)
    newest = Run.objects.filter(workspace=workspace, archived_at__isnull=True).top_level()
    runs = orders.paginate(Found(newest), limit=_LATEST_RUNS).items
    latest = Experiment.objects.filter(workspace=workspace).active().select_related("workspace")
    experiments = list(latest.order_by("-latest_submitted_at", "-id")[:_LATEST_EXPERIMENTS])
    per_experiment = status_counts.of_experiments(experiments)
    active_targets = status_counts.active_targets(Run.objects.filter(workspace=workspace))

    version = live.version_of(
        counts.tiles, [(run.pk, run.status, run.display_name) for run in runs], active_targets, timezone.now().date()
    )
    context = {
        "nav": "home",
        "workspace": workspace,
        "counts": counts,
        "runs": runs,
        "experiments": [(experiment, per_experiment[experiment.pk]) for experiment in experiments],
        "active_targets": active_targets,
        "poll_seconds": live.BUSY_SECONDS if any(r.status not in TERMINAL for r in runs) else live.IDLE_SECONDS,
        "version": version,
        "can_contribute": can_contribute,
    }
    return live.respond(request, "home/workspace_home.html", context, fragment="overview", version=version)
