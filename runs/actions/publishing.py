"""Published pipelines: a definition that is kept under a name, version by version, and run by that name."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Max

from runs import limits
from runs.actions import checks, experiments, pipeline_submission
from runs.errors import Conflict, NotFound
from runs.models import ComputeTarget, PipelineRun, PublishedPipeline, Run, Snapshot, Workspace
from runs.pipelines import definition as definitions
from runs.pipelines.definition import BadPipeline, Definition, Problem
from runs.wording import say

# The original's names for what a run of a published pipeline is of.
PIPELINE_ID, PIPELINE_NAME, PIPELINE_VERSION = (
    "azureml.pipelineid",
    "azureml.pipelinename",
    "azureml.pipelineversion",
)


class PipelineIsDisabled(Conflict):
    """This pipeline is disabled: enable it, or publish another version."""

    code = "pipeline_is_disabled"


def publish(
    *,
    workspace: Workspace,
    definition: Definition,
    by: User,
    at: datetime,
    name: str = "",
    label: str = "",
    description: str | None = None,
    published_from: Run | None = None,
) -> PublishedPipeline:
    """Keep `definition` as the next version of the pipeline `name`, by default its own name.

    Raises InvalidInput naming the field, and BadPipeline if it could not run here.
    """
    own_name = checks.key((name or definition.name).strip(), field="name", limit=limits.PIPELINE_NAME_LENGTH)
    told = definition.description if description is None else description
    _check_rows(workspace, definition)
    with transaction.atomic():
        # The row of the workspace hands out the versions, to one at a time.
        Workspace.objects.select_for_update().get(pk=workspace.pk)
        held = PublishedPipeline.objects.filter(workspace=workspace, name=own_name)
        return PublishedPipeline.objects.create(
            workspace=workspace,
            name=own_name,
            version=(held.aggregate(latest=Max("version"))["latest"] or 0) + 1,
            label=checks.text(label, field="label", limit=limits.PIPELINE_LABEL_LENGTH),
            description=checks.text(told, field="description", limit=limits.DESCRIPTION_LENGTH),
            definition=definition.to_document(),
            published_at=at,
            published_by=by,
            published_from=published_from,
        )


def publish_run(*, run: Run, by: User, at: datetime, **described: Any) -> PublishedPipeline:
    """Publish what the pipeline run `run` executed. `described` is as for `publish`. Raises NotFound for other runs."""
    pipeline = PipelineRun.objects.filter(run=run).first()
    if pipeline is None:
        raise NotFound(say("{run_id} is no pipeline run.", run_id=run.run_id), field="run_id")
    definition = definitions.from_document(document_of(pipeline))
    return publish(workspace=run.workspace, definition=definition, by=by, at=at, published_from=run, **described)


def document_of(pipeline: PipelineRun) -> dict[str, Any]:
    """Return the definition that a run executed, with the compute target that was chosen for it."""
    chosen = pipeline.default_compute_target
    return {**pipeline.definition, "default_compute_target": chosen} if chosen else pipeline.definition


def set_enabled(*, pipeline: PublishedPipeline, is_enabled: bool) -> PublishedPipeline:
    """Let `pipeline` be run, or not. Saying it again changes nothing."""
    PublishedPipeline.objects.filter(pk=pipeline.pk).update(is_enabled=is_enabled)
    pipeline.is_enabled = is_enabled
    return pipeline


def newest(*, workspace: Workspace, name: str) -> PublishedPipeline:
    """Return the newest enabled version of the pipeline `name`. Raises NotFound, or PipelineIsDisabled if all are."""
    held = PublishedPipeline.objects.select_related("workspace", "published_by").filter(workspace=workspace, name=name)
    found = held.enabled().order_by("-version").first()
    if found is None and held.exists():
        raise PipelineIsDisabled(say("All versions of the pipeline {name!r} are disabled.", name=name), field="name")
    if found is None:
        raise NotFound(
            say("There is no published pipeline {name!r} in {workspace}.", name=name[:100], workspace=workspace.name),
            field="name",
        )
    return found


def run(
    *,
    pipeline: PublishedPipeline,
    experiment_name: str,
    by: User,
    at: datetime,
    parameters: Mapping[str, Any] | None = None,
    tags: Mapping[str, Any] | None = None,
    properties: Mapping[str, Any] | None = None,
    description: str = "",
    display_name: str = "",
    default_compute_target: str = "",
    regenerate_outputs: bool = False,
    continue_on_step_failure: bool | None = None,
    idempotency_key: str = "",
    actor: str = "",
) -> Run:
    """Submit `pipeline` to an experiment, which is made if it is not there. Raises PipelineIsDisabled."""
    if not pipeline.is_enabled:
        raise PipelineIsDisabled(
            say("{pipeline} is disabled: enable it, or publish another version.", pipeline=pipeline), field="pipeline"
        )
    experiment = experiments.get_or_create(workspace=pipeline.workspace, name=experiment_name, by=by, at=at)
    return pipeline_submission.submit(
        experiment=experiment,
        definition=definitions.from_document(pipeline.definition),
        by=by,
        at=at,
        parameters=parameters,
        default_compute_target=default_compute_target,
        display_name=display_name,
        description=description,
        tags=tags,
        properties={
            **(properties or {}),
            PIPELINE_ID: pipeline.pipeline_id,
            PIPELINE_NAME: pipeline.name,
            PIPELINE_VERSION: str(pipeline.version),
        },
        continue_on_step_failure=continue_on_step_failure,
        regenerate_outputs=regenerate_outputs,
        idempotency_key=idempotency_key,
        actor=actor,
    )


def _check_rows(workspace: Workspace, definition: Definition) -> None:
    """Raise BadPipeline for snapshots and compute targets that are not there: it could never run."""
    snapshots = {step.snapshot for step in definition.steps if step.snapshot}
    held = set(Snapshot.objects.filter(workspace=workspace, digest__in=snapshots).values_list("digest", flat=True))
    targets = set(ComputeTarget.objects.values_list("name", flat=True))
    problems = []
    for step in definition.steps:
        if step.source:
            told = say("The folder {source!r} was not uploaded: expected a snapshot.", source=step.source)
            problems.append(Problem(step.name, None, "source", told))
        if step.snapshot and step.snapshot not in held:
            told = say("There is no snapshot {snapshot!r} in this workspace.", snapshot=step.snapshot)
            problems.append(Problem(step.name, None, "snapshot", told))
        if step.compute_target and step.compute_target not in targets:
            told = say("There is no compute target {name!r}.", name=step.compute_target)
            problems.append(Problem(step.name, None, "compute_target", told))
    if problems:
        raise BadPipeline(problems)
