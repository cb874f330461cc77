"""Published pipelines: kept version by version, enabled or not, and run by an address of their own."""

from typing import Any

from django.http import HttpRequest
from django.utils import timezone
from ninja import Header, Router, Schema, Status
from pydantic import AliasChoices, Field

from runs import permissions, shapes
from runs.actions import publishing
from runs.api.v1 import auth, bodies
from runs.api.v1.answers import REFUSALS, Instant, Page, Refusal, RunOut
from runs.errors import InvalidInput
from runs.models import PublishedPipeline
from runs.pipelines import definition as definitions
from runs.search import paging

router = Router(tags=["pipelines"])

_ONE = "/published-pipelines/{pipeline_id}"
_KEY = Header("", alias="Idempotency-Key")


class PublishedPipelineOut(Schema):
    """One version of a published pipeline. POST to `endpoint` runs it, to the other the newest enabled version."""

    id: str
    name: str
    version: int
    label: str
    description: str
    workspace: str
    is_enabled: bool
    definition: dict[str, Any]
    published_utc: Instant
    published_by: str
    published_from: str | None
    endpoint: str
    endpoint_of_newest: str
    url: str


class PublishedRunOut(RunOut):
    """The run that was made; `Id` is its id too, as Azure ML's answer has it."""

    Id: str


class Publication(bodies.Body):
    """What to publish: a definition, its YAML, or that of a pipeline run."""

    definition: dict[str, Any] | None = None
    yaml: str = ""
    run_id: str = ""
    workspace: str = ""
    name: str = ""
    label: str = Field(default="", description="What you call this version; the number is counted here.")
    description: str | None = None


def _either(name: str, theirs: str, default: Any, **more: Any) -> Any:
    """Return a field that goes by our name and by Azure ML's."""
    return Field(default, validation_alias=AliasChoices(name, theirs), **more)


class PublishedRun(bodies.Body):
    """What a run of a published pipeline is given, in our words or in Azure ML's (`ExperimentName`, ...)."""

    experiment: str = _either("experiment", "ExperimentName", ...)
    parameters: dict[str, Any] = _either("parameters", "ParameterAssignments", {})
    tags: dict[str, bodies.Scalar | None] = _either("tags", "Tags", {})
    description: str = _either("description", "Description", "")
    display_name: str = _either("display_name", "DisplayName", "")
    default_compute_target: str = ""
    continue_on_step_failure: bool | None = _either("continue_on_step_failure", "ContinueOnStepFailure", None)
    regenerate_outputs: bool = _either("regenerate_outputs", "RegenerateOutputs", False)
    # Sent by clients of Azure ML, and without a meaning here.
    run_source: str = _either("run_source", "RunSource", "")


@router.get("/published-pipelines", response={200: Page[PublishedPipelineOut], REFUSALS: Refusal})
def list_published_pipelines(
    request: HttpRequest,
    workspace: str = "",
    name: str = "",
    view: str = "enabled",
    cursor: str = "",
    limit: int = 50,
) -> shapes.Document:
    """List versions of published pipelines, newest first; `view` is enabled, disabled or all."""
    if view not in ("enabled", "disabled", "all"):
        raise InvalidInput(f"{view!r} is no view; expected enabled, disabled or all.", field="view")
    queryset = PublishedPipeline.objects.filter(workspace=auth.caller(request).workspace(workspace))
    if name:
        queryset = queryset.filter(name=name)
    if view != "all":
        queryset = queryset.filter(is_enabled=view == "enabled")
    queryset = queryset.select_related("workspace", "published_by", "published_from")
    page = paging.paginate(queryset, order="-created", cursor=cursor, limit=limit, orders={"created": "id"})

    return {"items": [shapes.published_pipeline_document(each) for each in page.items], "next": page.next or None}


@router.post("/published-pipelines", response={201: PublishedPipelineOut, REFUSALS: Refusal})
def publish_pipeline(request: HttpRequest, body: Publication) -> Status:
    """Publish a pipeline. A name that is there already gets its next version."""
    caller = auth.caller(request)
    caller.check_is_a_person()
    described: dict[str, Any] = {"name": body.name, "label": body.label, "description": body.description}
    if sum(map(bool, (body.definition is not None, body.yaml, body.run_id))) != 1:
        raise InvalidInput("Expected one of definition, yaml and run_id.", field="definition")
    if body.run_id:
        run = caller.run_to_change(body.run_id)
        published = publishing.publish_run(run=run, by=caller.user, at=timezone.now(), **described)
    else:
        workspace = caller.workspace_to_change(body.workspace)
        definition = (
            definitions.from_yaml(body.yaml) if body.definition is None else definitions.from_document(body.definition)
        )
        published = publishing.publish(
            workspace=workspace, definition=definition, by=caller.user, at=timezone.now(), **described
        )

    return Status(201, shapes.published_pipeline_document(published))


@router.get(_ONE, response={200: PublishedPipelineOut, REFUSALS: Refusal})
def show_published_pipeline(request: HttpRequest, pipeline_id: str) -> shapes.Document:
    """Show one version of a published pipeline."""
    return shapes.published_pipeline_document(_seen(request, pipeline_id))


@router.post(_ONE + "/enable", response={200: PublishedPipelineOut, REFUSALS: Refusal})
def enable_published_pipeline(request: HttpRequest, pipeline_id: str) -> shapes.Document:
    """Let a version be run again."""
    pipeline = publishing.set_enabled(pipeline=_to_change(request, pipeline_id), is_enabled=True)

    return shapes.published_pipeline_document(pipeline)


@router.post(_ONE + "/disable", response={200: PublishedPipelineOut, REFUSALS: Refusal})
def disable_published_pipeline(request: HttpRequest, pipeline_id: str) -> shapes.Document:
    """Let a version be run no more, neither by its address nor by a schedule."""
    pipeline = publishing.set_enabled(pipeline=_to_change(request, pipeline_id), is_enabled=False)

    return shapes.published_pipeline_document(pipeline)


@router.post(_ONE + "/runs", response={201: PublishedRunOut, REFUSALS: Refusal})
def run_published_pipeline(
    request: HttpRequest, pipeline_id: str, body: PublishedRun, idempotency_key: str = _KEY
) -> Status:
    """Run this version, in an experiment that is made if it is not there."""
    return _run(request, _to_change(request, pipeline_id), body, idempotency_key)


# In an address, `/` in a name is written ~2F and `~` is ~7E.
@router.post("/pipeline-endpoints/{experiment:name}/runs", response={201: PublishedRunOut, REFUSALS: Refusal})
def run_newest_version(
    request: HttpRequest, name: str, body: PublishedRun, workspace: str = "", idempotency_key: str = _KEY
) -> Status:
    """Run the newest enabled version of the pipeline of that name."""
    caller = auth.caller(request)
    caller.check_is_a_person()
    room = caller.workspace_to_change(workspace)

    return _run(request, publishing.newest(workspace=room, name=name), body, idempotency_key)


def _run(request: HttpRequest, pipeline: PublishedPipeline, body: PublishedRun, idempotency_key: str) -> Status:
    given = body.dict(exclude={"experiment", "run_source"})
    run = publishing.run(
        pipeline=pipeline,
        experiment_name=body.experiment,
        by=auth.caller(request).user,
        at=timezone.now(),
        idempotency_key=idempotency_key,
        actor=auth.door(request),
        **given,
    )
    return Status(201, {**shapes.run_document(run), "Id": run.run_id})


def _seen(request: HttpRequest, pipeline_id: str) -> PublishedPipeline:
    caller = auth.caller(request)
    caller.check_is_a_person()
    return permissions.get_published_pipeline(caller.user, pipeline_id)


def _to_change(request: HttpRequest, pipeline_id: str) -> PublishedPipeline:
    pipeline = _seen(request, pipeline_id)
    permissions.check_can_contribute(auth.caller(request).user, pipeline.workspace)
    return pipeline
