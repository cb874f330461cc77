"""What all tabs of a run's page share: the trail, the heading, the toolbar and the tabs."""

import uuid
from dataclasses import dataclass
from typing import Any

from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET

from runs import permissions
from runs.models import Run, RunType
from runs.status import RunStatus
from runs.views import live
from runs.views.request import SignedInRequest

TABS = {
    "run_graph": gettext_lazy("Graph"),
    "run_detail": gettext_lazy("Details"),
    "run_metrics": gettext_lazy("Metrics"),
    "run_images": gettext_lazy("Images"),
    "run_children": gettext_lazy("Child runs"),
    "run_outputs": gettext_lazy("Outputs + logs"),
    "run_snapshot": gettext_lazy("Snapshot"),
    "run_raw": gettext_lazy("Raw JSON"),
    "run_monitoring": gettext_lazy("Monitoring"),
}
# Seconds between two polls of an active run, and of one that was asked to stop: somebody waits to see it end.
POLL_SECONDS = 2
STOPPING_POLL_SECONDS = 1


@dataclass(frozen=True)
class Head:
    """The heading and toolbar: a button that cannot be pressed says why."""

    version: str
    cancel_refusal: str
    resubmit_refusal: str
    delete_refusal: str
    is_stopping: bool
    resubmit_key: str


@require_GET
def run_status(request: SignedInRequest, run_id: str) -> HttpResponse:
    """Answer the poll of the heading: its fragment, or 204 when nothing changed."""
    run = permissions.get_run(request.user, run_id)

    if not live.is_partial(request):
        return redirect(run)
    context = frame(request, run, tab="")
    return live.respond(request, "run/_head.html", context, fragment="run-head", version=context["head"].version)


def frame(request: SignedInRequest, run: Run, *, tab: str) -> dict[str, Any]:
    """Return the context that every tab of `run` needs; `tab` is the name of its address."""
    can_contribute = permissions.can_contribute(request.user, run.workspace)
    head = _head(run, can_contribute)
    return {
        "nav": "experiments",
        "workspace": run.workspace,
        "run": run,
        "trail": _trail(run),
        "tab": tab,
        "tabs": [
            (name, label) for name, label in TABS.items() if name != "run_graph" or run.run_type == RunType.PIPELINE
        ],
        "can_contribute": can_contribute,
        "contribute_refusal": "" if can_contribute else _("This needs the role contributor."),
        "head": head,
        "poll_seconds": STOPPING_POLL_SECONDS if head.is_stopping else POLL_SECONDS,
    }


def _head(run: Run, can_contribute: bool) -> Head:
    is_stopping = run.status == RunStatus.CANCEL_REQUESTED
    cancel_refusal = resubmit_refusal = delete_refusal = "" if can_contribute else _("This needs the role contributor.")
    if run.is_terminal:
        cancel_refusal = _("This run has ended: there is nothing to cancel.")
    elif not delete_refusal:
        delete_refusal = _("This run has not ended: cancel it first.")
    if run.run_type == RunType.INTERACTIVE:
        resubmit_refusal = _("Its own client drives this run: there is nothing to submit again.")
    return Head(
        version=live.version_of(run.status, run.status_at, run.display_name, run.reason, run.cancel_grace_seconds),
        cancel_refusal=cancel_refusal,
        resubmit_refusal=resubmit_refusal,
        delete_refusal=delete_refusal,
        is_stopping=is_stopping,
        resubmit_key=uuid.uuid4().hex,
    )


def _trail(run: Run) -> list[Run]:
    """Return the run's ancestors that the breadcrumb names: its root and its parent."""
    return [ancestor for ancestor in dict.fromkeys([run.root, run.parent]) if ancestor is not None]
