"""The trash of a workspace: what can be restored, the rules that fill it, and the buttons that put things there."""

from typing import Any

from django.conf import settings
from django.contrib import messages
from django.db.models import F, Q
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST, require_safe

from runs import permissions
from runs.actions import retention, trash
from runs.errors import InvalidInput, NotFound, PermissionDenied, RunsError
from runs.models import Experiment, RetentionRule, Run, Workspace
from runs.translation import translated
from runs.views.request import SignedInRequest
from runs.wording import say

_LISTED = 200
# A dry run counts up to here.
_COUNTED = 1_000


@require_safe
def trash_list(request: SignedInRequest, workspace_name: str) -> HttpResponse:
    """Show what is in the trash, newest first; with `rule` what that retention rule would move."""
    workspace = permissions.get_workspace(request.user, workspace_name)
    return _page(request, workspace)


@require_POST
def run_delete(request: SignedInRequest, run_id: str) -> HttpResponse:
    """Move the run and everything below it to the trash."""
    run = permissions.get_run(request.user, run_id)
    permissions.check_can_contribute(request.user, run.workspace)

    try:
        count = trash.trash_run(run=run, at=timezone.now())
    except RunsError as error:
        messages.error(request, translated(error.message))
        return redirect(run)
    messages.success(request, ngettext("%d run is in the trash.", "%d runs are in the trash.", count) % count)
    return redirect("experiment_detail", run.workspace.name, run.experiment.name)


@require_POST
def experiment_delete(request: SignedInRequest, workspace_name: str, experiment_name: str) -> HttpResponse:
    """Move the experiment with its runs to the trash."""
    workspace = _changeable(request, workspace_name)
    experiment = Experiment.objects.filter(workspace=workspace, name=experiment_name).first()
    if experiment is None:
        raise NotFound(
            say("There is no experiment {experiment_name!r}.", experiment_name=experiment_name), field="experiment"
        )

    try:
        trash.trash_experiment(experiment=experiment, at=timezone.now())
    except RunsError as error:
        messages.error(request, translated(error.message))
        return redirect("experiment_detail", workspace.name, experiment.name)
    messages.success(request, _("The experiment is in the trash."))
    return redirect("experiment_list", workspace.name)


@require_POST
def trash_restore(request: SignedInRequest, workspace_name: str) -> HttpResponse:
    """Restore one `run` or one `experiment`."""
    workspace = _changeable(request, workspace_name)

    try:
        if run_id := request.POST.get("run", ""):
            trash.restore_run(run=trash.get_deleted_run(workspace.pk, run_id))
        else:
            key = request.POST.get("experiment", "")
            deleted = Experiment.with_trash.filter(workspace=workspace, trashed_at__isnull=False)
            trash.restore_experiment(experiment=get_object_or_404(deleted, pk=int(key) if key.isdecimal() else 0))
    except trash.CannotRestore as error:
        messages.error(request, translated(error.message))
    else:
        messages.success(request, _("Restored."))
    return redirect("trash_list", workspace.name)


@require_POST
def retention_rules(request: SignedInRequest, workspace_name: str) -> HttpResponse:
    """Add a rule (`query`, `after_days`), or take one away (`remove`)."""
    workspace = permissions.get_workspace(request.user, workspace_name)
    if not permissions.can_own(request.user, workspace):
        raise PermissionDenied(say("This needs the role owner in the workspace {workspace}.", workspace=workspace.name))

    if (removed := request.POST.get("remove", "")).isdecimal():
        RetentionRule.objects.filter(workspace=workspace, pk=int(removed)).delete()
        return redirect("trash_list", workspace.name)
    query, days = request.POST.get("query", ""), request.POST.get("after_days", "")
    try:
        if not (days.isascii() and days.isdecimal() and len(days) < 7):
            raise InvalidInput(_("Expected a number of days."), field="after_days")
        retention.add_rule(workspace=workspace, query=query, after_days=int(days), by=request.user, at=timezone.now())
    except InvalidInput as problem:
        return _page(request, workspace, problem=problem, typed={"query": query, "after_days": days}, status=422)
    return redirect("trash_list", workspace.name)


def _changeable(request: SignedInRequest, workspace_name: str) -> Workspace:
    workspace = permissions.get_workspace(request.user, workspace_name)
    permissions.check_can_contribute(request.user, workspace)
    return workspace


def _page(
    request: SignedInRequest,
    workspace: Workspace,
    *,
    problem: InvalidInput | None = None,
    typed: dict[str, str] | None = None,
    status: int = 200,
) -> HttpResponse:
    # What went with something else comes back with it.
    by_itself = Q(parent__isnull=True) | Q(parent__trashed_at__isnull=True) | ~Q(parent__trashed_at=F("trashed_at"))
    runs = Run.with_trash.filter(
        by_itself,
        workspace=workspace,
        trashed_at__isnull=False,
        purged_at__isnull=True,
        experiment__trashed_at__isnull=True,
    )
    experiments = Experiment.with_trash.filter(
        workspace=workspace, trashed_at__isnull=False, purged_at__isnull=True
    ).order_by("-trashed_at", "-pk")
    context: dict[str, Any] = {
        "nav": "trash",
        "workspace": workspace,
        "runs": runs.for_lists().order_by("-trashed_at", "-pk")[:_LISTED],
        "experiments": experiments[:_LISTED],
        "listed": _LISTED,
        "days": settings.STUDIO_TRASH_DAYS,
        "rules": RetentionRule.objects.filter(workspace=workspace).select_related("created_by").order_by("pk"),
        "dry_run": _dry_run(request, workspace),
        "largest": Experiment.objects.filter(workspace=workspace, disk_bytes__gt=0).order_by("-disk_bytes")[:10],
        "problem": problem,
        "typed": typed or {},
        "can_contribute": permissions.can_contribute(request.user, workspace),
        "can_own": permissions.can_own(request.user, workspace),
    }
    return render(request, "trash/trash_list.html", context, status=status)


def _dry_run(request: SignedInRequest, workspace: Workspace) -> dict[str, Any] | None:
    """Return what the rule that the address names would move now."""
    key = request.GET.get("rule", "")
    rules = RetentionRule.objects.filter(workspace=workspace).select_related("workspace", "created_by")
    rule = rules.filter(pk=int(key)).first() if key.isdecimal() and len(key) < 19 else None
    if rule is None:
        return None
    found = retention.found_by(rule, at=timezone.now())
    count = len(found.order_by("-pk").values_list("pk", flat=True)[: _COUNTED + 1])
    return {
        "rule": rule,
        "count": min(count, _COUNTED),
        "is_more": count > _COUNTED,
        "runs": found.for_lists().order_by("-pk")[:20],
    }
