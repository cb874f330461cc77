"""Rows as MLflow's documents, with a number of queries that does not depend on how many rows there are."""

import sys
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from runs.api.mlflow.fields import EPOCH, milliseconds
from runs.models import DatasetUse, Experiment, LoggedModelUse, Metric, Param, Run, Tag
from runs.models.metric import MetricKind
from runs.status import RunStatus

Document = dict[str, Any]

S = RunStatus
STATUSES: dict[RunStatus, str] = {
    S.NOT_STARTED: "SCHEDULED",
    S.QUEUED: "SCHEDULED",
    S.PREPARING: "SCHEDULED",
    S.STARTING: "SCHEDULED",
    S.RUNNING: "RUNNING",
    S.FINALIZING: "RUNNING",
    S.CANCEL_REQUESTED: "RUNNING",
    S.NOT_RESPONDING: "RUNNING",
    S.COMPLETED: "FINISHED",
    S.FAILED: "FAILED",
    S.CANCELED: "KILLED",
}
# The experiment "0", which every client takes where none is named.
DEFAULT_EXPERIMENT = "Default"
# These tags are not rows: they say what the run says already.
RUN_NAME, NOTE, PARENT, USER = "mlflow.runName", "mlflow.note.content", "mlflow.parentRunId", "mlflow.user"

RELATIONS = ("experiment", "workspace", "submitted_by", "parent")
COLUMNS = (
    *("run_id", "number", "display_name", "description", "run_type", "status", "attempt_number", "root_id"),
    *("created_at", "started_at", "ended_at", "archived_at"),
    *("workspace__name", "experiment__name", "experiment__archived_at", "experiment__workspace_id"),
    *("submitted_by__username", "parent__run_id"),
)
_ROWS_PER_QUERY = 10_000


def experiment_id(experiment: Experiment) -> str:
    """Return the id by which clients know the experiment."""
    return "0" if experiment.name == DEFAULT_EXPERIMENT else str(experiment.pk)


def experiment_document(experiment: Experiment) -> Document:
    """Return an experiment."""
    own_id = experiment_id(experiment)
    document: Document = {
        "experiment_id": own_id,
        "name": experiment.name,
        "artifact_location": f"mlflow-artifacts:/{own_id}",
        "lifecycle_stage": "deleted" if experiment.archived_at else "active",
        "last_update_time": milliseconds(experiment.latest_submitted_at),
        "creation_time": milliseconds(experiment.created_at),
    }
    tags = dict(experiment.tags)
    if experiment.description:
        tags[NOTE] = experiment.description
    if tags:
        document["tags"] = pairs(tags.items())
    return document


def is_deleted(run: Run) -> bool:
    """Return whether MLflow would call the run deleted: it is archived, or its experiment is."""
    return run.archived_at is not None or run.experiment.archived_at is not None


def run_info(run: Run, *, user: str = "") -> Document:
    """Return the head of a run; `user` is what its tag says."""
    experiment = experiment_id(run.experiment)
    document: Document = {
        "run_uuid": run.run_id,
        "experiment_id": experiment,
        "run_name": run.title,
        "user_id": user or run.submitted_by.username,
        "status": STATUSES[RunStatus(run.status)],
        "start_time": milliseconds(run.started_at or run.created_at),
    }
    if run.ended_at is not None:
        document["end_time"] = milliseconds(run.ended_at)
    document["artifact_uri"] = artifact_uri(run)
    document["lifecycle_stage"] = "deleted" if is_deleted(run) else "active"
    document["run_id"] = run.run_id
    return document


def artifact_uri(run: Run) -> str:
    """Return the address of a run's files, which clients turn into one of this server's."""
    return f"mlflow-artifacts:/{experiment_id(run.experiment)}/{run.run_id}/artifacts"


def run_document(run: Run) -> Document:
    """Return one run."""
    return run_documents([run])[0]


def run_documents(runs: Sequence[Run]) -> list[Document]:
    """Return runs, in their order."""
    documents: list[Document] = []
    for start in range(0, len(runs), _ROWS_PER_QUERY):
        documents += _run_documents(runs[start : start + _ROWS_PER_QUERY])
    return documents


def _run_documents(runs: Sequence[Run]) -> list[Document]:
    ids = [run.pk for run in runs]
    metrics: dict[int, list[Document]] = defaultdict(list)
    params: dict[int, list[Document]] = defaultdict(list)
    tags: dict[int, list[Document]] = defaultdict(list)
    for pk, name, latest, text, at, step in (
        Metric.objects.filter(run__in=ids, kind=MetricKind.NUMBER, point_count__gt=0)
        .order_by("id")
        .values_list("run_id", "name", "latest_value", "latest_text", "latest_at", "latest_step")
    ):
        metrics[pk].append(metric(name, latest, text, at or EPOCH, step or 0))
    for pk, name, value in Param.objects.filter(run__in=ids).order_by("id").values_list("run_id", "name", "value"):
        params[pk].append({"key": name, "value": value})
    for pk, name, said in Tag.objects.filter(run__in=ids).order_by("id").values_list("run_id", "key", "value"):
        tags[pk].append({"key": name, "value": said or ""})
    inputs, outputs = _inputs_and_outputs(ids)
    documents = []
    for run in runs:
        held = [*_own_tags(run), *tags[run.pk]]
        data = {"metrics": metrics[run.pk], "params": params[run.pk], "tags": held}
        user = next((tag["value"] for tag in tags[run.pk] if tag["key"] == USER), "")
        documents.append(
            {
                "info": run_info(run, user=user),
                "data": {name: found for name, found in data.items() if found},
                "inputs": inputs[run.pk],
                "outputs": outputs[run.pk],
            }
        )
    return documents


def _own_tags(run: Run) -> list[Document]:
    """Return what MLflow has as tags and is a column here."""
    own = {RUN_NAME: run.title, NOTE: run.description, PARENT: run.parent.run_id if run.parent else ""}
    return pairs((name, value) for name, value in own.items() if value)


def _inputs_and_outputs(ids: list[int]) -> tuple[dict[int, Document], dict[int, Document]]:
    inputs: dict[int, Document] = defaultdict(dict)
    outputs: dict[int, Document] = defaultdict(dict)
    uses = DatasetUse.objects.filter(run__in=ids).select_related("dataset").order_by("id")
    for use in uses:
        found = inputs[use.run_id].setdefault("dataset_inputs", [])
        dataset = {
            name: value
            for name in ("name", "digest", "source_type", "source", "schema", "profile")
            if (value := getattr(use.dataset, name))
        }
        found.append({"tags": pairs(use.tags), "dataset": dataset} if use.tags else {"dataset": dataset})
    for run, model_id, is_output, step in (
        LoggedModelUse.objects.filter(run__in=ids)
        .order_by("id")
        .values_list("run_id", "model__model_id", "is_output", "step")
    ):
        if is_output:
            outputs[run].setdefault("model_outputs", []).append({"model_id": model_id, "step": step})
        else:
            inputs[run].setdefault("model_inputs", []).append({"model_id": model_id})
    return inputs, outputs


def metric(name: str, value: float | None, text: str, at: datetime, step: int) -> Document:
    """Return one point of a metric."""
    return {"key": name, "value": number(value, text), "timestamp": milliseconds(at), "step": step}


def number(value: float | None, text: str) -> float | str:
    """Return a number as clients expect it: an infinity is the greatest number that there is."""
    if value is not None:
        return value
    return {"Infinity": sys.float_info.max, "-Infinity": -sys.float_info.max}.get(text, "NaN")


def pairs(items: Iterable[Sequence[Any]]) -> list[Document]:
    """Return keys and values as MLflow lists them."""
    return [{"key": key, "value": value or ""} for key, value in items]
