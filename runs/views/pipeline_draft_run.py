"""Set up pipeline run: the dialog of a draft, which is also a page of its own."""

import uuid

from django.http import HttpResponse
from django.shortcuts import redirect, resolve_url
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from runs import permissions
from runs.actions import experiments, pipeline_drafts
from runs.errors import RunsError
from runs.forms.pipeline_run import PipelineRunForm
from runs.pipelines import definition as definitions
from runs.pipelines.definition import Definition
from runs.translation import translated
from runs.views import live, pipeline_draft
from runs.views.request import SignedInRequest

_NOTHING = Definition(name="", steps=())


@require_http_methods(["GET", "HEAD", "POST"])
def pipeline_draft_run(request: SignedInRequest, workspace_name: str, draft_id: str) -> HttpResponse:
    """Ask for what a run needs, or submit it and go to its graph. A draft with problems shows them instead."""
    workspace, draft = pipeline_draft.get_draft(request, workspace_name, draft_id)
    if request.method == "POST":
        permissions.check_can_contribute(request.user, workspace)

    problems = pipeline_drafts.examine(draft.document, workspace=workspace)
    definition = _NOTHING if problems else definitions.from_document(draft.document)
    data = request.POST if request.method == "POST" else None
    initial = {"idempotency_key": uuid.uuid4().hex, "description": definition.description}
    form = PipelineRunForm(data, workspace=workspace, definition=definition, initial=initial)
    if data is not None and not problems and form.is_valid():
        fields, now = form.cleaned_data, timezone.now()
        try:
            run = pipeline_drafts.run(
                draft=draft,
                experiment=experiments.get_or_create(
                    workspace=workspace, name=form.experiment_name, by=request.user, at=now
                ),
                by=request.user,
                at=now,
                parameters=form.parameters,
                default_compute_target=fields["compute_target"],
                description=fields["description"],
                regenerate_outputs=fields["regenerate_outputs"],
                idempotency_key=fields["idempotency_key"],
            )
        except RunsError as error:
            form.add_error(None, translated(error.message))
        else:
            address = resolve_url("run_graph", run.run_id)
            return HttpResponse(headers={"HX-Redirect": address}) if live.is_partial(request) else redirect(address)

    context = pipeline_draft.frame(request, workspace, draft, tab="") | {"form": form, "problems": problems}
    status = 422 if data is not None else 200
    return live.respond(request, "pipeline/pipeline_draft_run.html", context, fragment="run-setup", status=status)
