"""Logged models, which MLflow 3 has beside the files of a run."""

from typing import Any

from django.http import HttpResponseBase
from django.utils import timezone

from runs.actions import client_status, logged_models, submission
from runs.api.mlflow import artifacts, errors, shapes
from runs.api.mlflow.calls import ACTOR, Call
from runs.api.mlflow.fields import key, milliseconds
from runs.api.mlflow.names import invent
from runs.models import LoggedModel, LoggedModelMetric, Workspace
from runs.models.logged_model import LoggedModelStatus
from runs.status import RunStatus

Answer = dict[str, Any]

_STATUSES = {
    LoggedModelStatus.PENDING: "LOGGED_MODEL_PENDING",
    LoggedModelStatus.READY: "LOGGED_MODEL_READY",
    LoggedModelStatus.FAILED: "LOGGED_MODEL_UPLOAD_FAILED",
}
_FORBIDDEN = set("/:.%\"'")


def create(call: Call) -> Answer:
    """Make a model whose files are still to come. One that is logged outside of any run gets a run that keeps them.

    Beyond what MLflow's clients send, an import says the id that the model has, and when
    it was made; said again, the model is the one that is there.
    """
    fields = call.fields
    model_id = fields.text("model_id")
    if model_id and LoggedModel.objects.filter(model_id=model_id).exists():
        return get(call, model_id)
    name = fields.text("name") or invent()
    if _FORBIDDEN & set(name):
        raise errors.invalid(
            f"Invalid model name ('{name[:200]}') provided. Model name must be a non-empty string and cannot contain"
            f" the following characters: {sorted(_FORBIDDEN)}"
        )
    params, tags = fields.key_values("params"), fields.key_values("tags")
    experiment = call.experiment(fields.text("experiment_id", required=True))
    call.check_can_start(experiment)
    now, run_id = fields.at("creation_timestamp_ms") or timezone.now(), fields.text("source_run_id")
    if run_id:
        run = call.run_to_change(run_id)
    elif call.caller.own_run is not None:
        run = call.caller.own_run
    else:
        run = submission.start_interactive(
            experiment=experiment, by=call.caller.user, at=now, display_name=name, actor=ACTOR
        )
        client_status.end(run=run, to=RunStatus.COMPLETED, at=now, by=call.caller.user, actor=ACTOR)

    model = logged_models.create(
        experiment=experiment,
        run=run,
        name=name,
        model_type=fields.text("model_type"),
        params=params,
        tags=tags,
        at=now,
        model_id=model_id,
    )

    return {"model": documents([model])[0]}


def get(call: Call, model_id: str) -> Answer:
    """Show a model."""
    return {"model": documents([_find(call, model_id)])[0]}


def finalize(call: Call, model_id: str) -> Answer:
    """Say whether the files of a model are there."""
    model = _to_change(call, model_id)
    found = status_of(call.fields.text("status", required=True))

    logged_models.finalize(model=model, status=found, at=timezone.now())

    return {"model": documents([model])[0]}


def delete(call: Call, model_id: str) -> Answer:
    """Hide a model; its files stay with its run."""
    model = _to_change(call, model_id)

    logged_models.delete(model=model, at=timezone.now())

    return {}


def set_tags(call: Call, model_id: str) -> Answer:
    """Set tags of a model."""
    model = _to_change(call, model_id)

    logged_models.describe(model=model, tags=call.fields.key_values("tags"))

    return {"model": documents([model])[0]}


def delete_tag(call: Call, model_id: str, tag_key: str) -> Answer:
    """Take a tag off a model."""
    model = _to_change(call, model_id)
    if tag_key not in model.tags:
        raise errors.absent(f"No tag with key '{tag_key[:250]}' found for model with ID '{model_id}'.")

    logged_models.describe(model=model, remove_tags=[key(tag_key, "key")])

    return {}


def add_params(call: Call, model_id: str) -> Answer:
    """Add params to a model."""
    model = _to_change(call, model_id)

    logged_models.describe(model=model, params=call.fields.key_values("params"))

    return {}


def list_folder(call: Call, model_id: str) -> Answer:
    """List a folder of a model's files."""
    model = _find(call, model_id)
    folder = call.fields.text("artifact_directory_path").strip("/")
    within = f"{artifacts.MODELS}{model.model_id}/"
    answer: Answer = {"root_uri": _artifact_uri(model)}

    files = artifacts.list_folder(model.run, (within + folder).rstrip("/")) if model.run else []
    for file in files:
        file["path"] = file["path"].removeprefix(within)
    return {**answer, "files": files} if files else answer


def read_file(call: Call, model_id: str) -> HttpResponseBase:
    """Read one of a model's files."""
    model = _find(call, model_id)
    path = call.fields.text("artifact_file_path", required=True)
    if model.run is None:
        raise errors.absent(f"No such artifact: '{path[:500]}'")

    return artifacts.send(call.request, model.run, f"{artifacts.MODELS}{model.model_id}/{path}", shown=path)


def status_of(text: str) -> LoggedModelStatus:
    """Return the status that MLflow calls `text`."""
    found = next((ours for ours, theirs in _STATUSES.items() if theirs in (text, f"LOGGED_MODEL_{text}")), None)
    if found is None:
        raise errors.wrong("status", text, f"Expected one of {', '.join(_STATUSES.values())}.")
    return found


def documents(models: list[LoggedModel]) -> list[Answer]:
    """Return models as MLflow shows them. Their runs and experiments are to be fetched with them."""
    metrics: dict[int, list[Answer]] = {model.pk: [] for model in models}
    names = {model.pk: model.model_id for model in models}
    for metric in LoggedModelMetric.objects.filter(model__in=names).select_related("run").order_by("id"):
        measured = {"dataset_name": metric.dataset_name, "dataset_digest": metric.dataset_digest}
        metrics[metric.model_id].append(
            shapes.metric(metric.name, metric.value, metric.text, metric.at, metric.step)
            | {name: value for name, value in measured.items() if value}
            | {"model_id": names[metric.model_id], "run_id": metric.run.run_id}
        )
    return [_document(model, metrics[model.pk]) for model in models]


def _document(model: LoggedModel, metrics: list[Answer]) -> Answer:
    info: Answer = {
        "model_id": model.model_id,
        "experiment_id": shapes.experiment_id(model.experiment),
        "name": model.name,
        "creation_timestamp_ms": milliseconds(model.created_at),
        "last_updated_timestamp_ms": milliseconds(model.updated_at),
        "artifact_uri": _artifact_uri(model),
        "status": _STATUSES[LoggedModelStatus(model.status)],
    }
    if model.model_type:
        info["model_type"] = model.model_type
    if model.run is not None:
        info["source_run_id"] = model.run.run_id
    if model.tags:
        info["tags"] = shapes.pairs(sorted(model.tags.items()))
    data: Answer = {}
    if model.params:
        data["params"] = shapes.pairs(model.params.items())
    if metrics:
        data["metrics"] = metrics
    return {"info": info, "data": data}


def _artifact_uri(model: LoggedModel) -> str:
    return f"mlflow-artifacts:/{shapes.experiment_id(model.experiment)}/models/{model.model_id}/artifacts"


def _find(call: Call, model_id: str) -> LoggedModel:
    visible = Workspace.objects.visible_to(call.caller.user)
    model = (
        LoggedModel.objects.present()
        .select_related("experiment__workspace", "run__workspace")
        .filter(model_id=model_id, experiment__workspace__in=visible)
        .first()
    )
    if (
        model is None
        or call.is_elsewhere(model.experiment.workspace)
        or (model.run is not None and not call.caller.reaches(model.run))
    ):
        raise errors.absent(f"Logged model with ID '{model_id[:100]}' not found.")
    return model


def _to_change(call: Call, model_id: str) -> LoggedModel:
    model = _find(call, model_id)
    if model.run is not None:
        call.caller.check_can_change(model.run)
    else:
        call.check_can_start(model.experiment)
    return model
