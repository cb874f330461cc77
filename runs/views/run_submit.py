"""New run: a form whose errors stay beside their field, and the one click that runs an example."""

import uuid
from typing import Any

from django.http import HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from runs import permissions
from runs.actions import examples, experiments, snapshots, submission
from runs.errors import InvalidInput, RunsError
from runs.forms.submit import SubmitForm
from runs.models import Run, Snapshot, Workspace
from runs.views import run_resubmit, submit_files, submit_page
from runs.views.request import SignedInRequest
from runs.views.submit_page import REQUIREMENTS


@require_http_methods(["GET", "HEAD", "POST"])
def run_submit(request: SignedInRequest, workspace_name: str) -> HttpResponse:
    """Show the form, or submit what it holds and go to the new run. With `from`, it is filled from that run."""
    workspace = permissions.get_workspace(request.user, workspace_name)
    if source := request.POST.get("from") or request.GET.get("from"):
        return run_resubmit.respond(request, workspace, source)
    if request.method != "POST":
        example = request.GET.get("example", "")
        form = SubmitForm(initial=_initial(request, workspace, example))
        return _page(request, workspace, form)

    permissions.check_can_contribute(request.user, workspace)

    form = SubmitForm(_complete(request.POST), request.FILES)
    snapshot = _stored_upload(request, form, workspace)
    if not form.is_valid() or snapshot is None:
        return _page(request, workspace, form, snapshot=snapshot)

    try:
        run = _submit(request, workspace, form.cleaned_data, snapshot)
    except RunsError as error:
        submit_page.blame(form, error)
        return _page(request, workspace, form, snapshot=snapshot)
    return redirect(run)


def _submit(request: SignedInRequest, workspace: Workspace, fields: dict[str, Any], snapshot: Snapshot) -> Run:
    at = timezone.now()
    paths = snapshots.paths(snapshot)
    config = submission.ScriptRunConfig(
        script=fields["script"].strip() or submit_files.guessed_script(paths),
        requirements=REQUIREMENTS if fields["requirements"] != "none" and REQUIREMENTS in paths else None,
        **submit_page.config_of(fields),
    )
    experiment = experiments.get_or_create(
        workspace=workspace, name=fields["experiment"].strip(), by=request.user, at=at
    )
    return submission.submit_script(
        experiment=experiment,
        config=config,
        snapshot=snapshot,
        by=request.user,
        at=at,
        idempotency_key=fields["idempotency_key"],
        actor="web",
    )


def _complete(sent: QueryDict) -> QueryDict:
    """Fill in what the one-click button of an example leaves out."""
    if "experiment" in sent or not sent.get("example"):
        return sent
    example = examples.get_example(str(sent["example"]))
    complete = sent.copy()
    complete["experiment"] = example.name
    complete["script"] = example.script
    complete["arguments"] = "\n".join(example.arguments)
    complete["requirements"] = "auto" if example.requirements else "none"
    field = SubmitForm().fields["compute_target"]
    complete["compute_target"] = next((str(name) for name, _label in getattr(field, "choices", [])), "")
    return complete


def _stored_upload(request: SignedInRequest, form: SubmitForm, workspace: Workspace) -> Snapshot | None:
    """Store the files that came, find those of the try before, or take the example's; else blame the field."""
    at = timezone.now()
    try:
        if uploaded := submit_files.store(request, workspace, at=at):
            return uploaded
        if form.data.get("example"):
            example = examples.get_example(form.data["example"])
            return snapshots.store_files(workspace=workspace, files=examples.open_files(example), at=at)
        if kept := submit_files.kept(form.data.get("kept_upload", ""), workspace):
            return kept
        raise InvalidInput(_("Choose the files to run, or an example."), field="upload")
    except RunsError as error:
        submit_page.blame(form, error)
        return None


def _initial(request: SignedInRequest, workspace: Workspace, example: str) -> dict[str, Any]:
    initial: dict[str, Any] = {
        "experiment": request.GET.get("experiment", ""),
        "requirements": "auto",
        "idempotency_key": uuid.uuid4().hex,
    }
    if example:
        found = examples.get_example(example)
        initial |= {"example": found.name, "script": found.script, "arguments": " ".join(found.arguments)}
        initial["experiment"] = initial["experiment"] or found.name
    return initial


def _page(
    request: SignedInRequest, workspace: Workspace, form: SubmitForm, *, snapshot: Snapshot | None = None
) -> HttpResponse:
    if snapshot is not None and not form.data.get("example"):
        submit_files.keep(form, snapshot)
    context = submit_page.context(request, workspace, form) | {
        "examples": examples.list_examples(),
        "kept_files": snapshots.list_members(snapshot) if snapshot else [],
    }
    return render(request, "run/run_submit.html", context, status=422 if form.is_bound else 200)
