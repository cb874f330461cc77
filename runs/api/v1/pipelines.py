"""Pipelines: checked, submitted, shown with their steps, resumed."""

from typing import Any

from django.http import HttpRequest
from django.utils import timezone
from ninja import Header, Router, Schema, Status

from runs import shapes
from runs.actions import experiments, pipeline_submission
from runs.api.v1 import auth, bodies
from runs.api.v1.answers import REFUSALS, Instant, Refusal, RunOut
from runs.errors import InvalidInput
from runs.pipelines import definition as definitions
from runs.pipelines.definition import Definition
from runs.status import RunStatus

router = Router(tags=["pipelines"])

_ONE = "/pipelines/runs/{run_id}"
_KEY = Header("", alias="Idempotency-Key")


class PipelineBody(bodies.Body):
    """A definition, or its YAML: one of them."""

    definition: dict[str, Any] | None = None
    yaml: str | None = None

    def read(self) -> Definition:
        """Return the definition. Raises BadPipeline, with lines where it was YAML."""
        if (self.definition is None) == (self.yaml is None):
            raise InvalidInput("Expected either a definition or its yaml.", field="definition")
        if self.definition is not None:
            return definitions.from_document(self.definition)
        return definitions.from_yaml(self.yaml or "")


class PipelineSubmission(PipelineBody):
    """A pipeline to run, and what is known about the run beforehand."""

    experiment: str
    workspace: str = ""
    parameters: dict[str, Any] = {}
    default_compute_target: str = ""
    display_name: str = ""
    description: str = ""
    tags: dict[str, bodies.Scalar | None] = {}
    properties: dict[str, bodies.Scalar] = {}
    parent_run_id: str = ""
    continue_on_step_failure: bool | None = None
    regenerate_outputs: bool = False


class DefinitionOut(Schema):
    """A definition that passed every check, as document and as YAML."""

    definition: dict[str, Any]
    yaml: str


class StepOut(Schema):
    """A step run. `index` and `item` say which value of a fan-out it is."""

    name: str
    index: int
    item: Any
    run_id: str
    run_number: int
    status: RunStatus
    reason: str
    depends_on: list[str]
    reused_from: str | None
    started_at: Instant | None
    ended_at: Instant | None
    duration_seconds: float | None


class PipelineRunOut(RunOut):
    """A pipeline's run with its steps, in the order of the definition."""

    definition: dict[str, Any]
    parameters: dict[str, Any]
    continue_on_step_failure: bool
    regenerate_outputs: bool
    resumed_from: str | None
    steps: list[StepOut]


@router.get("/pipelines/schema.json", response={200: dict[str, Any], REFUSALS: Refusal})
def show_schema(request: HttpRequest) -> dict[str, Any]:
    """Show the JSON Schema of a definition."""
    return definitions.JSON_SCHEMA


@router.post("/pipelines/validate", response={200: DefinitionOut, REFUSALS: Refusal})
def validate_pipeline(request: HttpRequest, body: PipelineBody) -> shapes.Document:
    """Check a definition, and answer with it in both forms. A refusal lists all `problems`, with lines for YAML."""
    definition = body.read()

    return {"definition": definition.to_document(), "yaml": definition.to_yaml()}


@router.post("/pipelines/runs", response={201: PipelineRunOut, REFUSALS: Refusal})
def submit_pipeline(request: HttpRequest, body: PipelineSubmission, idempotency_key: str = _KEY) -> Status:
    """Run a pipeline. The same `Idempotency-Key` with the same request returns the same run."""
    caller = auth.caller(request)
    workspace = caller.workspace_to_change(body.workspace)
    parent = caller.parent(body.parent_run_id)
    definition = body.read()
    now = timezone.now()

    run = pipeline_submission.submit(
        experiment=experiments.get_or_create(workspace=workspace, name=body.experiment, by=caller.user, at=now),
        definition=definition,
        by=caller.user,
        at=now,
        parameters=body.parameters,
        default_compute_target=body.default_compute_target,
        display_name=body.display_name,
        description=body.description,
        tags=body.tags,
        properties=body.properties,
        continue_on_step_failure=body.continue_on_step_failure,
        regenerate_outputs=body.regenerate_outputs,
        idempotency_key=idempotency_key,
        actor=auth.door(request),
        parent=parent,
    )

    return Status(201, shapes.pipeline_run(run))


@router.get(_ONE, response={200: PipelineRunOut, REFUSALS: Refusal})
def show_pipeline_run(request: HttpRequest, run_id: str) -> shapes.Document:
    """Show a pipeline's run with its steps."""
    return shapes.pipeline_run(pipeline_submission.check_is_pipeline(auth.caller(request).run(run_id)))


@router.post(_ONE + "/resume", response={201: PipelineRunOut, REFUSALS: Refusal})
def resume_pipeline(request: HttpRequest, run_id: str, idempotency_key: str = _KEY) -> Status:
    """Run a pipeline that has ended again, as a new run: steps that had completed are not run again."""
    caller = auth.caller(request)
    caller.check_is_a_person()
    run = caller.run_to_change(run_id)

    again = pipeline_submission.resume(
        run=run, by=caller.user, at=timezone.now(), idempotency_key=idempotency_key, actor=auth.door(request)
    )

    return Status(201, shapes.pipeline_run(again))
