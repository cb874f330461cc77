"""Saved views of an experiment's page: open one by its link, save, delete, choose the default."""

from dataclasses import dataclass

from django.contrib import messages
from django.contrib.auth.models import User
from django.http import HttpResponse, QueryDict
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from runs import permissions
from runs.actions import table_views
from runs.errors import NotFound, RunsError
from runs.models import DefaultView, Experiment, TableView
from runs.translation import translated
from runs.views.request import SignedInRequest
from runs.wording import say

# The page as it is without any view, for whom has a default one.
STANDARD = "standard"


@dataclass(frozen=True)
class Views:
    """The views of one experiment as its page lists them."""

    views: list[tuple[TableView, str]]
    current: TableView | None
    default_id: int | None
    # Whether the page shows something else than the current view.
    is_changed: bool


def of(experiment: Experiment, state: QueryDict, *, user: User) -> Views:
    """Return the views of `experiment`, each with its address, and which of them the page shows."""
    found = list(TableView.objects.filter(experiment=experiment).order_by("name"))
    current = next((view for view in found if str(view.pk) == state.get("view")), None)
    default = DefaultView.objects.filter(user=user, experiment=experiment).first()
    shown = state.copy()
    for name in ("view", "v", "cursor", "open", "runs"):
        shown.pop(name, None)
    default_id = default.view_id if default else None
    is_changed = current is not None and QueryDict(current.query) != shown
    return Views([(view, address(experiment, view)) for view in found], current, default_id, is_changed)


def address(experiment: Experiment, view: TableView) -> str:
    """Return the address of the page in `view`."""
    state = QueryDict(view.query, mutable=True)
    state["view"] = str(view.pk)
    return f"{experiment.get_absolute_url()}?{state.urlencode()}"


def default_address(experiment: Experiment, *, user: User) -> str:
    """Return the address in which `user` wants to find `experiment`, or nothing."""
    default = DefaultView.objects.filter(user=user, experiment=experiment).select_related("view").first()
    return address(experiment, default.view) if default else ""


@require_GET
def view_open(request: SignedInRequest, workspace_name: str, experiment_name: str, view_id: int) -> HttpResponse:
    """Lead to the page in this view: the link that one shares."""
    experiment = _get_experiment(request, workspace_name, experiment_name)

    return redirect(address(experiment, _get_view(experiment, view_id)))


@require_POST
def view_save(request: SignedInRequest, workspace_name: str, experiment_name: str) -> HttpResponse:
    """Save the page's `state` as the view `name`."""
    experiment = _get_experiment(request, workspace_name, experiment_name)
    permissions.check_can_contribute(request.user, experiment.workspace)

    state = request.POST.get("state", "")

    try:
        view = table_views.save(
            experiment=experiment, name=request.POST.get("name", ""), state=state, by=request.user, at=timezone.now()
        )
    except RunsError as error:
        messages.error(request, translated(error.message))
        return redirect(f"{experiment.get_absolute_url()}?{QueryDict(state).urlencode()}")
    messages.success(request, _("Saved the view %s.") % view.name)
    return redirect(address(experiment, view))


@require_POST
def view_delete(request: SignedInRequest, workspace_name: str, experiment_name: str, view_id: int) -> HttpResponse:
    """Delete the view."""
    experiment = _get_experiment(request, workspace_name, experiment_name)
    permissions.check_can_contribute(request.user, experiment.workspace)

    view = _get_view(experiment, view_id)
    table_views.delete(view=view)

    messages.success(request, _("Deleted the view %s.") % view.name)
    return redirect(experiment)


@require_POST
def view_default(request: SignedInRequest, workspace_name: str, experiment_name: str) -> HttpResponse:
    """Find the experiment in the view `view` from now on, or without one as it usually is."""
    experiment = _get_experiment(request, workspace_name, experiment_name)

    text = request.POST.get("view", "")
    view = _get_view(experiment, int(text)) if text.isascii() and text.isdecimal() else None
    table_views.set_default(experiment=experiment, view=view, by=request.user)

    messages.success(request, _("You will find this experiment in the view %s.") % view.name if view else _("Reset."))
    back = f"{experiment.get_absolute_url()}?view={STANDARD}"
    return redirect(address(experiment, view) if view else back)


def _get_experiment(request: SignedInRequest, workspace_name: str, name: str) -> Experiment:
    workspace = permissions.get_workspace(request.user, workspace_name)
    experiment = Experiment.objects.filter(workspace=workspace, name=name).first()
    if experiment is None:
        raise NotFound(
            say("There is no experiment {name!r} in the workspace {workspace}.", name=name, workspace=workspace.name),
            field="experiment",
        )
    experiment.workspace = workspace
    return experiment


def _get_view(experiment: Experiment, view_id: int) -> TableView:
    view = TableView.objects.filter(experiment=experiment, pk=view_id).first()
    if view is None:
        url = reverse("experiment_detail", args=[experiment.workspace.name, experiment.name])
        raise NotFound(_("This view was deleted; the experiment is at %s.") % url, field="view")
    return view
