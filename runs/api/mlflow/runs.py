"""Runs: started and ended by their client, found, tagged, deleted (which here is archived) and restored."""

import uuid
from typing import Any

from django.utils import timezone

from runs import limits
from runs.actions import archiving, batches, client_status, describing, submission, tagging
from runs.api.mlflow import errors, names, shapes
from runs.api.mlflow.calls import ACTOR, Call
from runs.api.mlflow.fields import key
from runs.models import Run, Tag
from runs.status import RunStatus

Answer = dict[str, Any]

_ENDS = {"FINISHED": RunStatus.COMPLETED, "FAILED": RunStatus.FAILED, "KILLED": RunStatus.CANCELED}
_STATUSES = ("RUNNING", "SCHEDULED", *_ENDS)


def create(call: Call) -> Answer:
    """Start a run that its client drives.

    The tag mlflow.parentRunId makes it a child of that run. Inside a run that a worker
    executes, it is a child of that run unless it names another parent.
    """
    fields = call.fields
    tags = fields.key_values("tags")
    name = fields.text("run_name") or tags.pop(shapes.RUN_NAME, "")
    tags.pop(shapes.RUN_NAME, None)
    started_at, now = fields.at("start_time"), timezone.now()
    experiment = call.experiment(fields.text("experiment_id", required=True))
    if experiment.archived_at is not None:
        raise errors.invalid(
            f"The experiment {shapes.experiment_id(experiment)} must be in the 'active' state."
            " Current state is deleted."
        )
    call.check_can_start(experiment)
    parent, note = _parent(call, tags), tags.pop(shapes.NOTE, "")
    tags = _cut(tags)

    run = submission.start_interactive(
        experiment=experiment,
        by=call.caller.user,
        at=now,
        started_at=started_at,
        parent=parent,
        run_id=uuid.uuid4().hex,
        display_name=(name or names.invent())[: limits.DISPLAY_NAME_LENGTH],
        description=note,
        tags=tags,
        actor=ACTOR,
    )

    return {"run": shapes.new_run_document(run, tags)}


def get(call: Call) -> Answer:
    """Show a run."""
    run = call.run(call.fields.run_id())

    return {"run": shapes.run_document(run)}


def update(call: Call) -> Answer:
    """Change the status and the name. What a worker executes ends by its exit code: its status is passed over."""
    run = call.run_to_change(call.fields.run_id())
    status, name = call.fields.text("status"), call.fields.text("run_name")
    at = call.fields.at("end_time") or timezone.now()
    if status and status not in _STATUSES:
        raise errors.wrong("status", status, f"Expected one of {', '.join(_STATUSES)}.")

    if status in _ENDS:
        client_status.end(run=run, to=_ENDS[status], at=at, by=call.caller.user, actor=ACTOR)
    elif status == "RUNNING":
        client_status.resume(run=run, at=timezone.now(), by=call.caller.user, actor=ACTOR)
    if name:
        describing.describe(run=run, display_name=name[: limits.DISPLAY_NAME_LENGTH])

    user = Tag.objects.filter(run=run, key=shapes.USER).values_list("value", flat=True).first()
    return {"run_info": shapes.run_info(shapes.head_of(run), user=user or "")}


def delete(call: Call) -> Answer:
    """Archive a run. Deleting it again changes nothing."""
    run = call.run_to_change(call.fields.run_id(), even_deleted=True)
    call.check_is_a_person()

    archiving.archive(run=run, at=timezone.now(), even_active=True)

    return {}


def restore(call: Call) -> Answer:
    """Restore an archived run. Restoring it again changes nothing."""
    run = call.run_to_change(call.fields.run_id(), even_deleted=True)
    call.check_is_a_person()

    archiving.restore(run=run)

    return {}


def set_tag(call: Call) -> Answer:
    """Set a tag, the name or the description."""
    run = call.run_to_change(call.fields.run_id())
    name = key(call.fields.text("key", required=True), "key")
    value = call.fields.text("value")

    batches.log_batch(run=run, at=timezone.now(), **split_tags(run, {name: value}))

    return {}


def delete_tag(call: Call) -> Answer:
    """Take a tag off, or clear the description."""
    run = call.run_to_change(call.fields.run_id())
    name = call.fields.text("key", required=True)
    is_note = name == shapes.NOTE and run.description
    if not is_note and not Tag.objects.filter(run=run, key=name).exists():
        raise errors.absent(f"No tag with name: {name} in run with id {run.run_id}")

    if is_note:
        describing.describe(run=run, description="")
    else:
        tagging.remove_tags(run=run, keys=[name])

    return {}


def split_tags(run: Run, tags: dict[str, str]) -> dict[str, Any]:
    """Return which of `tags` are tags here, and which are the run's name and description."""
    found: dict[str, Any] = {}
    for name, value in tags.items():
        if name == shapes.RUN_NAME:
            found["display_name"] = value
        elif name == shapes.NOTE:
            found["description"] = value[: limits.DESCRIPTION_LENGTH]
        elif name == shapes.PARENT and run.parent is not None:
            continue  # whose child a run is was said when it was made
        else:
            found.setdefault("tags", {})[name] = value[: limits.TAG_VALUE_LENGTH]
    return found


def _parent(call: Call, tags: dict[str, str]) -> Run | None:
    """Return the run that is to get a child. One that the caller cannot change stays a mere tag, as in MLflow."""
    parent_id = tags.get(shapes.PARENT, "")
    if not parent_id:
        return call.caller.own_run
    try:
        parent = call.run(parent_id)
    except errors.MlflowError:
        if call.caller.own_run is not None:
            raise
        return None
    call.caller.check_can_change(parent)
    del tags[shapes.PARENT]
    return parent


def _cut(tags: dict[str, str]) -> dict[str, str]:
    return {name: value[: limits.TAG_VALUE_LENGTH] for name, value in tags.items()}
