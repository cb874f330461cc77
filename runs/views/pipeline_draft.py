"""A draft's page: the Designer's canvas, and what it asks while one draws."""

import json
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from runs import permissions
from runs.actions import pipeline_components, pipeline_drafts
from runs.errors import InvalidInput, RunsError
from runs.forms.pipeline_draft import PipelineForm, StepFilesForm, StepForm
from runs.models import PipelineDraft, Workspace
from runs.pipelines import drawing
from runs.pipelines.definition import Problem
from runs.translation import translated
from runs.views import graph_drawing, step_files
from runs.views.request import SignedInRequest


@require_GET
def pipeline_draft(request: SignedInRequest, workspace_name: str, draft_id: str) -> HttpResponse:
    """Show the canvas; without scripts, the drawing with the ways to change it."""
    workspace, draft = get_draft(request, workspace_name, draft_id)

    problems = pipeline_drafts.examine(draft.document, workspace=workspace)
    context = frame(request, workspace, draft, tab="pipeline_draft") | {
        "problems": problems,
        "components": pipeline_components.list_components(workspace),
        "own_components": pipeline_components.list_own(workspace, draft.document),
        **step_files.context(StepFilesForm()),
        "step_form": StepForm(auto_id="step-%s"),
        "pipeline_form": PipelineForm(
            part=draft.document, initial={"name": draft.document.get("name", "")}, auto_id="pipeline-%s"
        ),
        "state": _state(draft, problems),
        "picture": graph_drawing.plain(drawing.draw(draft.document, draft.positions), label=_("Graph of the pipeline")),
    }
    return render(request, "pipeline/pipeline_draft.html", context)


@require_POST
def pipeline_draft_save(request: SignedInRequest, workspace_name: str, draft_id: str) -> HttpResponse:
    """Keep what the canvas sends: JSON with revision, positions, and document or yaml. 409 if it is out of date."""
    workspace, draft = get_draft(request, workspace_name, draft_id)
    permissions.check_can_contribute(request.user, workspace)

    try:
        sent = _body(request)
        document = (
            pipeline_drafts.from_yaml(sent["yaml"]) if isinstance(sent.get("yaml"), str) else sent.get("document")
        )
        pipeline_drafts.save(
            draft=draft,
            revision=_revision(sent.get("revision")),
            document=document,  # type: ignore[arg-type]
            positions=sent.get("positions") or {},
            by=request.user,
            at=timezone.now(),
        )
    except pipeline_drafts.DraftChanged as error:
        return JsonResponse({"message": translated(error.message)}, status=409)
    except RunsError as error:
        return JsonResponse({"message": translated(error.message)}, status=422)
    return JsonResponse(_state(draft, pipeline_drafts.examine(draft.document, workspace=workspace)))


@require_POST
def pipeline_draft_layout(request: SignedInRequest, workspace_name: str, draft_id: str) -> HttpResponse:
    """Answer where the steps of the document that is sent would best stand. Nothing is kept."""
    get_draft(request, workspace_name, draft_id)

    document = _body(request).get("document")
    if not isinstance(document, dict):
        raise InvalidInput(_("Expected a document."), field="document")
    return JsonResponse({"positions": drawing.arrange(document)})


@require_POST
def pipeline_draft_component(request: SignedInRequest, workspace_name: str, draft_id: str) -> HttpResponse:
    """Answer the step of the palette that `component` names, ready to be put on the canvas."""
    workspace, _draft = get_draft(request, workspace_name, draft_id)
    permissions.check_can_contribute(request.user, workspace)

    try:
        key = str(_body(request).get("component", ""))
        taken = pipeline_components.take(workspace, key, at=timezone.now())
    except RunsError as error:
        return JsonResponse({"message": translated(error.message)}, status=422)
    return JsonResponse({"name": taken.name, "step": taken.step, "parameters": taken.parameters})


def get_draft(request: SignedInRequest, workspace_name: str, draft_id: str) -> tuple[Workspace, PipelineDraft]:
    """Return the workspace and its draft if they are there for who asks. Raises NotFound."""
    workspace = permissions.get_workspace(request.user, workspace_name)
    return workspace, permissions.get_pipeline_draft(request.user, workspace, draft_id)


def frame(request: SignedInRequest, workspace: Workspace, draft: PipelineDraft, *, tab: str) -> dict[str, Any]:
    """Return what all pages of a draft show."""
    return {
        "nav": "pipelines",
        "workspace": workspace,
        "draft": draft,
        "tab": tab,
        "tabs": [
            ("pipeline_draft", _("Canvas")),
            ("pipeline_draft_form", _("Form")),
            ("pipeline_draft_yaml", _("YAML")),
        ],
        "can_contribute": permissions.can_contribute(request.user, workspace),
    }


def _state(draft: PipelineDraft, problems: tuple[Problem, ...]) -> dict[str, Any]:
    """Return the draft as the canvas knows it."""
    return {
        "revision": draft.revision,
        "document": draft.document,
        "positions": drawing.arrange(draft.document) | drawing.kept(draft.positions),
        "problems": [
            {"step": each.step, "field": each.field, "message": translated(each.message)} for each in problems
        ],
        "yaml": pipeline_drafts.to_yaml(draft.document),
    }


def _body(request: HttpRequest) -> dict[str, Any]:
    try:
        sent = json.loads(request.body)
    except ValueError:
        raise InvalidInput(_("Expected JSON."), field="body") from None
    if not isinstance(sent, dict):
        raise InvalidInput(_("Expected an object."), field="body")
    return sent


def _revision(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise InvalidInput(_("Expected a whole number."), field="revision")
    return value
