"""What the buttons of a run's page do: cancel, resubmit, tag and describe."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, resolve_url
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from runs import permissions
from runs.actions import cancellation, describing, submission, tagging
from runs.errors import InvalidInput, RunsError
from runs.models import Run
from runs.translation import translated
from runs.views import live
from runs.views.request import SignedInRequest


@require_POST
def run_cancel(request: SignedInRequest, run_id: str) -> HttpResponse:
    """Ask the run to stop, for a `reason` if one is given; `now` leaves it no time to clean up."""
    run = _get_changeable_run(request, run_id)

    reason = request.POST.get("reason", "").strip()
    grace_seconds = 0 if request.POST.get("now") else None

    try:
        cancellation.request_cancel(
            run=run, by=request.user, at=timezone.now(), reason=reason, grace_seconds=grace_seconds, actor="web"
        )
    except RunsError as error:
        messages.warning(request, translated(error.message))
    else:
        messages.success(request, _("Canceled.") if run.is_terminal else _("Asked the run to stop."))
    return redirect(run)


@require_POST
def run_resubmit(request: SignedInRequest, run_id: str) -> HttpResponse:
    """Submit the same again, as a new run. The form's key makes a double click one run."""
    run = _get_changeable_run(request, run_id)

    key = request.POST.get("idempotency_key", "")

    try:
        new = submission.resubmit(run=run, by=request.user, at=timezone.now(), idempotency_key=key, actor="web")
    except RunsError as error:
        messages.error(request, translated(error.message))
        return redirect(run)
    messages.success(request, _("Submitted again: this is the new run."))
    return redirect(new)


@require_POST
def run_tags(request: SignedInRequest, run_id: str) -> HttpResponse:
    """Add or change one tag (`key`, `value`; an empty value is none), or take one off (`remove`)."""
    run = _get_changeable_run(request, run_id)

    removed = request.POST.get("remove", "")
    key, value = request.POST.get("key", "").strip(), request.POST.get("value", "").strip()

    try:
        if removed:
            tagging.remove_tags(run=run, keys=[removed])
        elif not key:
            raise InvalidInput(_("A tag needs a name."), field="key")
        else:
            # An empty field is a tag without a value, such as `worth another look`.
            tagging.set_tags(run=run, tags={key: value or None})
    except RunsError as error:
        if live.is_partial(request):
            raise  # shown as a toast
        messages.error(request, translated(error.message))
    return redirect(f"{resolve_url('run_detail', run.run_id)}#tags")


@require_POST
def run_describe(request: SignedInRequest, run_id: str) -> HttpResponse:
    """Change the display name, the description, or both."""
    run = _get_changeable_run(request, run_id)

    try:
        describing.describe(
            run=run, display_name=request.POST.get("display_name"), description=request.POST.get("description")
        )
    except RunsError as error:
        messages.error(request, translated(error.message))
    return redirect("run_detail", run.run_id)


def _get_changeable_run(request: SignedInRequest, run_id: str) -> Run:
    run = permissions.get_run(request.user, run_id)
    permissions.check_can_contribute(request.user, run.workspace)
    return run
