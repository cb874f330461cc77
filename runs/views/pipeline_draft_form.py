"""A draft as a form, and as YAML: both work without scripts, and both change the same document as the canvas."""

from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from runs import permissions
from runs.actions import pipeline_components, pipeline_drafts
from runs.errors import RunsError
from runs.forms.pipeline_draft import PipelineForm, StepFilesForm, StepForm
from runs.models import PipelineDraft
from runs.pipelines import drawing, editing
from runs.pipelines.definition import BadPipeline
from runs.translation import translated
from runs.views import pipeline_draft, step_files
from runs.views.request import SignedInRequest


@require_http_methods(["GET", "HEAD", "POST"])
def pipeline_draft_form(request: SignedInRequest, workspace_name: str, draft_id: str) -> HttpResponse:
    """Show the draft as fields, or keep what was changed in them; `add` also puts a step of the palette or of files in.

    Files that were chosen are a step whichever button is pressed.
    """
    workspace, draft = pipeline_draft.get_draft(request, workspace_name, draft_id)
    data = request.POST if request.method == "POST" else None
    if data is not None:
        permissions.check_can_contribute(request.user, workspace)

    whole = PipelineForm(data, part=draft.document, initial={"name": draft.document.get("name", "")}, prefix="pipeline")
    steps = [
        StepForm(data, part=step, initial={"name": name}, prefix=f"step-{number}")
        for number, (name, step) in enumerate(drawing.steps_of(draft.document).items())
    ]
    files, taken, uploaded = StepFilesForm(), None, None
    if data is not None and ("files" in data.getlist("add") or "upload" in request.FILES):
        files = StepFilesForm(data, request.FILES)
        taken, uploaded = step_files.take(request, workspace, files)
    if data is not None and all([not files.errors, whole.is_valid(), *(form.is_valid() for form in steps)]):
        try:
            document = _document(draft, whole, steps)
            if "component" in data.getlist("add"):
                chosen = pipeline_components.take(workspace, data.get("component", ""), at=timezone.now())
                pipeline_components.put(document, chosen)
            if taken is not None:
                pipeline_components.put(document, taken)
            _save(request, draft, document, data.get("revision", ""))
        except RunsError as error:
            whole.add_error(None, translated(error.message))
        else:
            messages.success(request, _("Saved."))
            return redirect(request.path)

    context = pipeline_draft.frame(request, workspace, draft, tab="pipeline_draft_form") | {
        "whole": whole,
        "steps": steps,
        "problems": pipeline_drafts.examine(draft.document, workspace=workspace),
        "components": [
            *pipeline_components.list_own(workspace, draft.document),
            *pipeline_components.list_components(workspace),
        ],
        **step_files.context(files, uploaded),
        "has_errors": whole.errors or files.errors or any(form.errors for form in steps),
    }
    return render(request, "pipeline/pipeline_draft_form.html", context, status=422 if context["has_errors"] else 200)


@require_http_methods(["GET", "HEAD", "POST"])
def pipeline_draft_yaml(request: SignedInRequest, workspace_name: str, draft_id: str) -> HttpResponse:
    """Show the draft as YAML, or keep what was written."""
    workspace, draft = pipeline_draft.get_draft(request, workspace_name, draft_id)
    if request.method == "POST":
        permissions.check_can_contribute(request.user, workspace)

    text, refusal = pipeline_drafts.to_yaml(draft.document), ""
    if request.method == "POST":
        text = request.POST.get("yaml", "").replace("\r\n", "\n")
        try:
            _save(request, draft, pipeline_drafts.from_yaml(text), request.POST.get("revision", ""))
        except RunsError as error:
            refusal = translated(error.message)
        else:
            messages.success(request, _("Saved."))
            return redirect(request.path)

    try:
        problems = pipeline_drafts.examine_yaml(text, workspace=workspace)
    except BadPipeline as error:
        problems = error.problems
    context = pipeline_draft.frame(request, workspace, draft, tab="pipeline_draft_yaml") | {
        "text": text,
        "refusal": refusal,
        "problems": problems,
    }
    return render(request, "pipeline/pipeline_draft_yaml.html", context, status=422 if refusal else 200)


def _document(draft: PipelineDraft, whole: PipelineForm, steps: list[StepForm]) -> dict[str, Any]:
    """Return the draft's document with what the forms say. Raises InvalidInput if two steps have one name."""
    held, names, gone = {}, {}, set()
    for form in steps:
        was, name = form.initial["name"], form.cleaned_data["name"].strip()
        held[was] = form.changed()
        if form.cleaned_data["remove"]:
            gone.add(was)
        elif name != was:
            names[was] = name
    left = [names.get(name, name) for name in held if name not in gone]
    if len(set(left)) < len(left):
        twice = next(name for name in left if left.count(name) > 1)
        raise BadPipeline([pipeline_drafts.Problem(twice, None, "name", _("Two steps have this name."))])
    document = {**whole.changed(), "name": whole.cleaned_data["name"].strip(), "steps": held}
    return editing.renamed(editing.without(document, gone), names)


def _save(request: SignedInRequest, draft: PipelineDraft, document: dict[str, Any], revision: str) -> None:
    known = int(revision) if revision.isascii() and revision.isdigit() and len(revision) < 10 else -1
    positions = {name: each for name, each in draft.positions.items() if name in document["steps"]}
    pipeline_drafts.save(
        draft=draft, revision=known, document=document, positions=positions, by=request.user, at=timezone.now()
    )
