"""Experiments: made, found, renamed, tagged, deleted (which here is archived) and restored."""

from typing import Any

from django.utils import timezone

from runs import limits
from runs.actions import experiments
from runs.api.mlflow import errors, shapes
from runs.api.mlflow.calls import Call
from runs.api.mlflow.fields import key
from runs.models import Experiment

Answer = dict[str, Any]


def create(call: Call) -> Answer:
    """Make an experiment. Where its files lie is not for the client to say: they are kept by this server.

    Inside a run that a worker executes, it is the run's own experiment whatever it is called.
    """
    name = call.fields.text("name", required=True)
    tags = call.fields.key_values("tags")
    if call.caller.own_run is not None:
        return {"experiment_id": shapes.experiment_id(call.caller.own_run.experiment)}
    workspace = call.workspace_to_change()

    note = tags.pop(shapes.NOTE, None)
    experiment = experiments.create(
        workspace=workspace, name=name, tags=_cut(tags), by=call.caller.user, at=timezone.now()
    )
    if note:
        experiments.describe(experiment=experiment, description=note)

    return {"experiment_id": shapes.experiment_id(experiment)}


def get(call: Call) -> Answer:
    """Show an experiment."""
    experiment = call.experiment(call.fields.text("experiment_id", required=True))

    return {"experiment": shapes.experiment_document(experiment)}


def get_by_name(call: Call) -> Answer:
    """Show the experiment of a name. Inside a run every name means the run's own experiment, so that scripts go on."""
    name = call.fields.text("experiment_name", required=True)
    if call.caller.own_run is not None:
        return {"experiment": shapes.experiment_document(call.caller.own_run.experiment)}
    found = Experiment.objects.filter(workspace=call.workspace, name=name).first()
    if found is None and name == shapes.DEFAULT_EXPERIMENT:
        found = call.default_experiment()
    if found is None:
        raise errors.absent(f"Could not find experiment with name '{name[:500]}'")

    return {"experiment": shapes.experiment_document(found)}


def update(call: Call) -> Answer:
    """Rename an experiment."""
    experiment = call.experiment_to_change(call.fields.text("experiment_id", required=True))
    name = call.fields.text("new_name", required=True)
    if experiment.archived_at is not None:
        raise errors.invalid("Cannot rename a non-active experiment.")

    experiments.rename(experiment=experiment, name=name, by=call.caller.user)

    return {}


def delete(call: Call) -> Answer:
    """Archive an experiment, and with it its runs."""
    experiment = call.experiment_to_change(call.fields.text("experiment_id", required=True))
    if experiment.archived_at is not None:
        raise errors.absent(f"No Experiment with id={shapes.experiment_id(experiment)} exists")

    experiments.archive(experiment=experiment, by=call.caller.user, at=timezone.now())

    return {}


def restore(call: Call) -> Answer:
    """Restore an archived experiment."""
    experiment = call.experiment_to_change(call.fields.text("experiment_id", required=True))

    experiments.restore(experiment=experiment, by=call.caller.user, at=timezone.now())

    return {}


def set_tag(call: Call) -> Answer:
    """Set a tag of an experiment."""
    experiment = call.experiment_to_change(call.fields.text("experiment_id", required=True))
    name = key(call.fields.text("key", required=True), "key")
    value = call.fields.text("value")
    _check_active(experiment)

    if name == shapes.NOTE:
        experiments.describe(experiment=experiment, description=value)
    else:
        experiments.describe(experiment=experiment, tags=_cut({name: value}))

    return {}


def delete_tag(call: Call) -> Answer:
    """Take a tag off an experiment."""
    experiment = call.experiment_to_change(call.fields.text("experiment_id", required=True))
    name = call.fields.text("key", required=True)
    _check_active(experiment)
    if name not in experiment.tags and not (name == shapes.NOTE and experiment.description):
        raise errors.absent(f"No tag with name: {name} in experiment with id {shapes.experiment_id(experiment)}")

    if name == shapes.NOTE:
        experiments.describe(experiment=experiment, description="")
    else:
        experiments.describe(experiment=experiment, remove_tags=[name])

    return {}


def _check_active(experiment: Experiment) -> None:
    if experiment.archived_at is not None:
        raise errors.invalid(
            f"The experiment {shapes.experiment_id(experiment)} must be in the 'active' state."
            " Current state is deleted."
        )


def _cut(tags: dict[str, str]) -> dict[str, str]:
    return {name: value[: limits.TAG_VALUE_LENGTH] for name, value in tags.items()}
