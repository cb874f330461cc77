"""A published pipeline's page: its versions, its address, a form that runs it, its schedules."""

import json
import uuid

from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from runs import permissions, shapes
from runs.actions import pipeline_drafts, publishing
from runs.errors import RunsError
from runs.forms.pipeline_run import PipelineRunForm
from runs.models import PublishedPipeline, Schedule
from runs.pipelines import definition as definitions
from runs.pipelines import drawing
from runs.translation import translated
from runs.views import graph_drawing, published_pipelines
from runs.views.request import SignedInRequest

_VERSIONS = 50
_SCHEDULES = 50


@require_http_methods(["GET", "HEAD", "POST"])
def published_pipeline(request: SignedInRequest, workspace_name: str, pipeline_id: str) -> HttpResponse:
    """Show one version, or run it."""
    pipeline = get(request, workspace_name, pipeline_id)
    if request.method == "POST":
        permissions.check_can_contribute(request.user, pipeline.workspace)

    definition = definitions.from_document(pipeline.definition)
    data = request.POST if request.method == "POST" else None
    initial = {"idempotency_key": uuid.uuid4().hex}
    form = PipelineRunForm(data, workspace=pipeline.workspace, definition=definition, initial=initial)
    if data is not None and form.is_valid():
        fields = form.cleaned_data
        try:
            run = publishing.run(
                pipeline=pipeline,
                experiment_name=form.experiment_name,
                by=request.user,
                at=timezone.now(),
                parameters=form.parameters,
                description=fields["description"],
                default_compute_target=fields["compute_target"],
                regenerate_outputs=fields["regenerate_outputs"],
                idempotency_key=fields["idempotency_key"],
                actor="web",
            )
        except RunsError as error:
            form.add_error(None, translated(error.message))
        else:
            return redirect("run_graph", run.run_id)

    named = PublishedPipeline.objects.filter(workspace=pipeline.workspace, name=pipeline.name)
    versions = list(named.select_related("workspace", "published_by").order_by("-version")[:_VERSIONS])
    latest = published_pipelines.latest_runs(versions)
    schedules = Schedule.objects.filter(pipeline__in=named).select_related("pipeline", "created_by").order_by("-id")
    address = shapes.absolute(f"/api/v1/published-pipelines/{pipeline.pipeline_id}/runs")
    body = {"ExperimentName": "EXPERIMENT", "ParameterAssignments": _defaults(definition)}
    context = {
        "nav": "pipelines",
        "workspace": pipeline.workspace,
        "pipeline": pipeline,
        "form": form,
        "versions": [(each, latest.get(each.pipeline_id)) for each in versions],
        "schedules": schedules[:_SCHEDULES],
        "address": address,
        "command": f"curl -X POST {address} \\\n  -H 'Authorization: Bearer YOUR_TOKEN' \\\n"
        f"  -H 'Content-Type: application/json' \\\n  -d '{json.dumps(body)}'",
        "picture": graph_drawing.plain(drawing.draw(pipeline.definition), label=_("Graph of the pipeline")),
        "can_contribute": permissions.can_contribute(request.user, pipeline.workspace),
    }
    return render(request, "pipeline/published_pipeline.html", context, status=422 if form.errors else 200)


@require_POST
def published_pipeline_clone(request: SignedInRequest, workspace_name: str, pipeline_id: str) -> HttpResponse:
    """Make a draft of this version and open it."""
    pipeline = get(request, workspace_name, pipeline_id)
    permissions.check_can_contribute(request.user, pipeline.workspace)

    draft = pipeline_drafts.create(
        workspace=pipeline.workspace, by=request.user, at=timezone.now(), document=pipeline.definition
    )
    return redirect(draft)


def get(request: SignedInRequest, workspace_name: str, pipeline_id: str) -> PublishedPipeline:
    """Return a published pipeline of the workspace that the address names, if the user may see it."""
    pipeline = permissions.get_published_pipeline(request.user, pipeline_id)
    if pipeline.workspace.name != workspace_name:
        raise Http404
    return pipeline


def _defaults(definition: definitions.Definition) -> dict[str, object]:
    return {
        each.name: list(each.default) if isinstance(each.default, tuple) else each.default
        for each in definition.parameters
    }
