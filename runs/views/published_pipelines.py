"""The tab Published: the newest version of each published pipeline, to be enabled and disabled."""

from django.contrib import messages
from django.db.models import Exists, Max, OuterRef
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_GET, require_POST

from runs import permissions
from runs.actions import publishing
from runs.errors import InvalidInput
from runs.models import Property, PublishedPipeline, Run
from runs.views.request import SignedInRequest, safe_next

_ROWS = 50


@require_GET
def published_pipeline_list(request: SignedInRequest, workspace_name: str) -> HttpResponse:
    """Show the pipelines, newest first; `disabled=1` also those that are disabled."""
    workspace = permissions.get_workspace(request.user, workspace_name)

    has_disabled = request.GET.get("disabled") == "1"
    before = request.GET.get("before", "")
    shown = PublishedPipeline.objects.filter(workspace=workspace)
    shown = shown if has_disabled else shown.enabled()
    later = shown.filter(name=OuterRef("name"), version__gt=OuterRef("version"))
    pipelines = shown.filter(~Exists(later)).select_related("workspace", "published_by").order_by("-id")
    if before.isascii() and before.isdigit() and len(before) < 19:
        pipelines = pipelines.filter(pk__lt=int(before))
    held = list(pipelines[: _ROWS + 1])
    latest = latest_runs(held[:_ROWS])
    context = {
        "nav": "pipelines",
        "workspace": workspace,
        "tab": "published_pipeline_list",
        "rows": [(each, latest.get(each.pipeline_id)) for each in held[:_ROWS]],
        "next": held[_ROWS - 1].pk if len(held) > _ROWS else None,
        "has_disabled": has_disabled,
        "can_contribute": permissions.can_contribute(request.user, workspace),
    }
    return render(request, "pipeline/published_pipeline_list.html", context)


@require_POST
def published_pipelines_enable(request: SignedInRequest, workspace_name: str) -> HttpResponse:
    """Enable or disable the ticked pipelines, as `verb` says."""
    workspace = permissions.get_workspace(request.user, workspace_name)
    permissions.check_can_contribute(request.user, workspace)
    ids, verb = request.POST.getlist("pipeline"), request.POST.get("verb")
    if not ids:
        raise InvalidInput(_("Tick at least one pipeline."), field="pipeline")
    if verb not in ("enable", "disable"):
        raise InvalidInput(_("Expected enable or disable."), field="verb")

    ticked = list(PublishedPipeline.objects.filter(workspace=workspace, pipeline_id__in=ids[:_ROWS]))
    for pipeline in ticked:
        publishing.set_enabled(pipeline=pipeline, is_enabled=verb == "enable")

    count = len(ticked)
    if verb == "enable":
        messages.success(request, ngettext("Enabled %d pipeline.", "Enabled %d pipelines.", count) % count)
    else:
        messages.success(request, ngettext("Disabled %d pipeline.", "Disabled %d pipelines.", count) % count)
    return redirect(safe_next(request, default="home"))


def latest_runs(pipelines: list[PublishedPipeline]) -> dict[str, Run]:
    """Return the latest run of each of the pipelines, by the pipeline's id, with two queries."""
    ids = [pipeline.pipeline_id for pipeline in pipelines]
    found = dict(
        Property.objects.filter(key=publishing.PIPELINE_ID, value__in=ids)
        .values_list("value")
        .annotate(latest=Max("run_id"))
    )
    runs = Run.objects.in_bulk(found.values())
    return {pipeline_id: runs[pk] for pipeline_id, pk in found.items() if pk in runs}
