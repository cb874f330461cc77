"""The tab Drafts, and what begins and ends a draft."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from runs import permissions
from runs.actions import examples, pipeline_components, pipeline_drafts
from runs.models import PipelineDraft
from runs.pipelines import drawing
from runs.views.request import SignedInRequest

_ROWS = 50


@require_GET
def pipeline_draft_list(request: SignedInRequest, workspace_name: str) -> HttpResponse:
    """Show the drafts of the workspace, newest first; `before` is the last one of the page before."""
    workspace = permissions.get_workspace(request.user, workspace_name)

    before = request.GET.get("before", "")
    drafts = PipelineDraft.objects.filter(workspace=workspace).select_related("workspace", "updated_by").order_by("-id")
    if before.isascii() and before.isdigit() and len(before) < 19:
        drafts = drafts.filter(pk__lt=int(before))
    held = list(drafts[: _ROWS + 1])
    context = {
        "nav": "pipelines",
        "workspace": workspace,
        "tab": "pipeline_draft_list",
        "rows": [(draft, len(drawing.steps_of(draft.document))) for draft in held[:_ROWS]],
        "next": held[_ROWS - 1].pk if len(held) > _ROWS else None,
        "examples": [(each.name, each.document["name"]) for each in examples.list_pipelines()],
        "can_contribute": permissions.can_contribute(request.user, workspace),
    }
    return render(request, "pipeline/pipeline_draft_list.html", context)


@require_POST
def pipeline_draft_new(request: SignedInRequest, workspace_name: str) -> HttpResponse:
    """Make a draft and open it: an empty one, or one of the pipeline that `example` names."""
    workspace = permissions.get_workspace(request.user, workspace_name)
    permissions.check_can_contribute(request.user, workspace)

    now, example = timezone.now(), request.POST.get("example", "")
    document = pipeline_components.example_document(workspace, example, at=now) if example else None
    draft = pipeline_drafts.create(workspace=workspace, by=request.user, at=now, document=document)
    return redirect(draft)


@require_POST
def pipeline_draft_delete(request: SignedInRequest, workspace_name: str, draft_id: str) -> HttpResponse:
    """Delete a draft; its runs stay."""
    workspace = permissions.get_workspace(request.user, workspace_name)
    draft = permissions.get_pipeline_draft(request.user, workspace, draft_id)
    permissions.check_can_contribute(request.user, workspace)

    pipeline_drafts.delete(draft=draft)

    messages.success(request, _("Deleted the draft %s.") % draft.name)
    return redirect("pipeline_draft_list", workspace.name)
