"""The experiments of a workspace: list, search, archive, restore."""

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_GET, require_POST

from runs import permissions, search
from runs.actions import experiments
from runs.errors import InvalidInput
from runs.models import Experiment, Run
from runs.search import experiments as experiment_search
from runs.search import paging
from runs.views import live, searches, sorting, status_counts
from runs.views.request import SignedInRequest, safe_next
from runs.views.sorting import Column

ROWS_PER_PAGE = 50
_DEFAULT_ORDER = "-submitted"
_COLUMNS = [
    Column("name", gettext_lazy("Experiment"), "name"),
    Column("latest_run", gettext_lazy("Latest run")),
    Column("submitted", gettext_lazy("Last submitted"), "submitted"),
    Column("runs", gettext_lazy("Runs")),
    Column("statuses", gettext_lazy("Run status")),
]


@require_GET
def experiment_list(request: SignedInRequest, workspace_name: str) -> HttpResponse:
    """Show the experiments, latest submission first; `archived=1` shows the archived ones instead."""
    workspace = permissions.get_workspace(request.user, workspace_name)

    can_contribute = permissions.can_contribute(request.user, workspace)

    query = request.GET.get("q", "").strip()
    order = request.GET.get("order") or _DEFAULT_ORDER
    shows_archived = request.GET.get("archived") == "1"

    now = timezone.now()
    held = Experiment.objects.filter(workspace=workspace)
    shown: QuerySet[Experiment] = held.archived() if shows_archived else held.active()
    problem: InvalidInput | None = None
    is_part = False
    try:
        runs = Run.objects.filter(workspace=workspace)
        shown, is_part = experiment_search.apply(shown, query, runs=runs, user=request.user, at=now)
    except search.QuerySyntaxError as mistake:
        shown, problem = shown.none(), mistake
    page = paging.paginate(
        shown.select_related("latest_run"),
        order=order,
        cursor=request.GET.get("cursor", ""),
        limit=ROWS_PER_PAGE,
        orders=paging.EXPERIMENT_ORDERS,
    )
    counts = status_counts.of_experiments(page.items)
    rows = [(experiment, counts[experiment.pk]) for experiment in page.items]

    context: dict[str, Any] = {
        "nav": "experiments",
        "workspace": workspace,
        "rows": rows,
        "page": page,
        "query": query,
        "problem": problem,
        "looked_through": experiment_search.FAR if is_part else 0,
        "searches": searches.of(request, workspace, query="" if problem else query),
        "headings": sorting.headings(_COLUMNS, order),
        "order": order,
        "shows_archived": shows_archived,
        "can_contribute": can_contribute,
        "poll_seconds": live.BUSY_SECONDS if any(count.running for _e, count in rows) else live.IDLE_SECONDS,
    }
    context["version"] = live.version_of(
        [(e.pk, e.latest_run_number, e.latest_submitted_at, count.tiles) for e, count in rows], page.next, page.previous
    )
    status = 422 if problem else 200
    return live.respond(
        request,
        "experiment/experiment_list.html",
        context,
        fragment="experiments",
        version=context["version"],
        status=status,
    )


@require_POST
def experiments_archive(request: SignedInRequest, workspace_name: str) -> HttpResponse:
    """Archive the ticked experiments."""
    count = _change_ticked(request, workspace_name, experiments.archive)

    messages.success(request, ngettext("Archived %d experiment.", "Archived %d experiments.", count) % count)
    return redirect(safe_next(request, default="home"))


@require_POST
def experiments_restore(request: SignedInRequest, workspace_name: str) -> HttpResponse:
    """Restore the ticked experiments."""
    count = _change_ticked(request, workspace_name, experiments.restore)

    messages.success(request, ngettext("Restored %d experiment.", "Restored %d experiments.", count) % count)
    return redirect(safe_next(request, default="home"))


def _change_ticked(request: SignedInRequest, workspace_name: str, change: Callable[..., Experiment]) -> int:
    workspace = permissions.get_workspace(request.user, workspace_name)
    permissions.check_can_contribute(request.user, workspace)
    names = request.POST.getlist("experiment")
    if not names:
        raise InvalidInput(_("Tick at least one experiment."), field="experiment")
    ticked = list(Experiment.objects.filter(workspace=workspace, name__in=names[:ROWS_PER_PAGE]))
    for experiment in ticked:
        change(experiment=experiment, by=request.user, at=timezone.now())
    return len(ticked)
