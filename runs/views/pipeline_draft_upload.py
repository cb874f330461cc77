"""The upload of the Designer's palette: files of one's own become a step."""

from django.http import HttpResponse, JsonResponse
from django.template.loader import render_to_string
from django.views.decorators.http import require_POST

from runs import permissions
from runs.actions import pipeline_components
from runs.forms.pipeline_draft import StepFilesForm
from runs.views import pipeline_draft, step_files
from runs.views.request import SignedInRequest


@require_POST
def pipeline_draft_upload(request: SignedInRequest, workspace_name: str, draft_id: str) -> HttpResponse:
    """Answer the step that the files make, ready to be put on the canvas, and the `item` that offers it from now on.

    And the `fields` anew: empty, or with 422 and what is wrong beside them.
    """
    workspace, _draft = pipeline_draft.get_draft(request, workspace_name, draft_id)
    permissions.check_can_contribute(request.user, workspace)

    form = StepFilesForm(request.POST, request.FILES)
    taken, snapshot = step_files.take(request, workspace, form)
    if taken is None:
        fields = render_to_string("pipeline/_step_files.html", step_files.context(form, snapshot), request)
        return JsonResponse({"fields": fields}, status=422)
    component = pipeline_components.of_script(taken.step["snapshot"], taken.step["script"], taken.name)
    return JsonResponse(
        {
            "name": taken.name,
            "step": taken.step,
            "parameters": taken.parameters,
            "item": render_to_string("pipeline/_component.html", {"each": component}, request),
            "fields": render_to_string("pipeline/_step_files.html", step_files.context(StepFilesForm()), request),
        }
    )
