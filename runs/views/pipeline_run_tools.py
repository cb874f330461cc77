"""What the toolbar of a pipeline run does beyond that of other runs: clone to draft, resume, publish."""

from django import forms
from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_POST

from runs import limits, permissions
from runs.actions import pipeline_drafts, pipeline_submission, publishing
from runs.errors import RunsError
from runs.models import PipelineRun
from runs.pipelines import definition as definitions
from runs.translation import translated
from runs.views.request import SignedInRequest


class PublishForm(forms.Form):
    """Under which name, and what it is for."""

    name = forms.CharField(
        label=gettext_lazy("Name"),
        max_length=limits.PIPELINE_NAME_LENGTH,
        help_text=gettext_lazy("A name that is there already gets its next version."),
    )
    label = forms.CharField(
        label=gettext_lazy("Version label"),
        required=False,
        max_length=limits.PIPELINE_LABEL_LENGTH,
        help_text=gettext_lazy("Your own word for this version. Versions are numbered anyway."),
    )
    description = forms.CharField(
        label=gettext_lazy("Description"),
        required=False,
        max_length=limits.DESCRIPTION_LENGTH,
        widget=forms.Textarea(attrs={"rows": 3}),
    )


@require_POST
def pipeline_run_clone(request: SignedInRequest, run_id: str) -> HttpResponse:
    """Make a draft of the run's pipeline and open it."""
    pipeline = _get_pipeline_run(request, run_id)

    draft = pipeline_drafts.clone_run(run=pipeline.run, by=request.user, at=timezone.now())
    return redirect(draft)


@require_POST
def pipeline_run_resume(request: SignedInRequest, run_id: str) -> HttpResponse:
    """Run the pipeline again from where it stopped, as a new run."""
    pipeline = _get_pipeline_run(request, run_id)

    key = request.POST.get("idempotency_key", "")
    try:
        new = pipeline_submission.resume(
            run=pipeline.run, by=request.user, at=timezone.now(), idempotency_key=key and f"{key}-resume", actor="web"
        )
    except RunsError as error:
        messages.error(request, translated(error.message))
        return redirect("run_graph", run_id)
    messages.success(request, _("Resumed: this is the new run. What had completed is not run again."))
    return redirect("run_graph", new.run_id)


@require_http_methods(["GET", "HEAD", "POST"])
def pipeline_run_publish(request: SignedInRequest, run_id: str) -> HttpResponse:
    """Ask for a name, or publish the run's pipeline and show it."""
    pipeline = _get_pipeline_run(request, run_id)
    run, definition = pipeline.run, definitions.from_document(publishing.document_of(pipeline))

    data = request.POST if request.method == "POST" else None
    form = PublishForm(data, initial={"name": definition.name, "description": definition.description})
    if data is not None and form.is_valid():
        try:
            published = publishing.publish(
                workspace=run.workspace,
                definition=definition,
                by=request.user,
                at=timezone.now(),
                published_from=run,
                **form.cleaned_data,
            )
        except RunsError as error:
            form.add_error(error.field if error.field in form.fields else None, translated(error.message))
        else:
            messages.success(request, _("Published as version %d.") % published.version)
            return redirect(published)
    context = {"nav": "pipelines", "workspace": run.workspace, "run": run, "form": form}
    return render(request, "pipeline/pipeline_run_publish.html", context, status=422 if form.errors else 200)


def _get_pipeline_run(request: SignedInRequest, run_id: str) -> PipelineRun:
    run = permissions.get_run(request.user, run_id)
    permissions.check_can_contribute(request.user, run.workspace)
    pipeline = PipelineRun.objects.filter(run=run).first()
    if pipeline is None:
        raise Http404
    pipeline.run = run
    return pipeline
