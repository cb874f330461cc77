"""Rows as MLflow's documents, with a number of queries that does not depend on how many rows there are."""

import sys
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from django.db.models import F, QuerySet

from runs import statements
from runs.api.mlflow.fields import milliseconds
from runs.models import DatasetUse, Experiment, LoggedModelUse, Metric, Param, Run, Tag
from runs.models.metric import MetricKind
from runs.prepared import AnyOf, Prepared, as_instant
from runs.status import RunStatus

Document = dict[str, Any]

S = RunStatus
STATUSES: dict[str, str] = {
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
# With one row more than a client asks for, and in as few statements as 50,000 runs allow.
_RUNS_PER_QUERY = 1_024
_EPOCH = datetime(1970, 1, 1)
_MILLISECOND = timedelta(milliseconds=1)


class Head(NamedTuple):
    """What the head of a run's document says, in the order of `_HEAD`."""

    pk: int
    run_id: str
    number: int
    display_name: str
    description: str
    status: str
    created_at: Any
    started_at: Any
    ended_at: Any
    archived_at: Any
    experiment_pk: int
    experiment_name: str
    experiment_archived_at: Any
    username: str
    parent_id: str | None


_HEAD = (
    *("pk", "run_id", "number", "display_name", "description", "status", "created_at", "started_at", "ended_at"),
    *("archived_at", "experiment", "experiment__name", "experiment__archived_at", "submitted_by__username"),
    "parent__run_id",
)
_heads = Prepared(lambda pks: Run.objects.filter(AnyOf(F("pk"), pks)).values_list(*_HEAD), is_raw=True)


def _of_runs(rows: QuerySet[Any], *columns: str) -> Prepared[Any]:
    """Return the query of what hangs on runs, by their keys."""
    return Prepared(
        lambda pks: rows.filter(AnyOf(F("run_id"), pks)).order_by("id").values_list("run_id", *columns), is_raw=True
    )


_metrics = _of_runs(
    Metric.objects.filter(kind=MetricKind.NUMBER, point_count__gt=0),
    *("name", "latest_value", "latest_text", "latest_at", "latest_step"),
)
_params = _of_runs(Param.objects.all(), "name", "value")
_tags = _of_runs(Tag.objects.all(), "key", "value")
_models = _of_runs(LoggedModelUse.objects.all(), "model__model_id", "is_output", "step")
_datasets = Prepared(
    lambda pks: DatasetUse.objects.filter(AnyOf(F("run_id"), pks)).select_related("dataset").order_by("id")
)


def experiment_id(experiment: Experiment) -> str:
    """Return the id by which clients know the experiment."""
    return _client_id(experiment.name, experiment.pk)


def _client_id(name: str, pk: int) -> str:
    return "0" if name == DEFAULT_EXPERIMENT else str(pk)


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


def head_of(run: Run) -> Head:
    """Return the head of a run that was fetched with `COLUMNS`."""
    experiment, parent = run.experiment, run.parent
    return Head(
        *(run.pk, run.run_id, run.number, run.display_name, run.description, run.status),
        *(run.created_at, run.started_at, run.ended_at, run.archived_at),
        *(experiment.pk, experiment.name, experiment.archived_at, run.submitted_by.username),
        parent.run_id if parent else None,
    )


def run_info(head: Head, *, user: str = "") -> Document:
    """Return the head of a run; `user` is what its tag says."""
    experiment = _client_id(head.experiment_name, head.experiment_pk)
    document: Document = {
        "run_uuid": head.run_id,
        "experiment_id": experiment,
        "run_name": _name(head),
        "user_id": user or head.username,
        "status": STATUSES[head.status],
        "start_time": _ms(head.started_at or head.created_at),
    }
    if head.ended_at is not None:
        document["end_time"] = _ms(head.ended_at)
    document["artifact_uri"] = f"mlflow-artifacts:/{experiment}/{head.run_id}/artifacts"
    is_gone = head.archived_at is not None or head.experiment_archived_at is not None
    document["lifecycle_stage"] = "deleted" if is_gone else "active"
    document["run_id"] = head.run_id
    return document


def artifact_uri(run: Run) -> str:
    """Return the address of a run's files, which clients turn into one of this server's."""
    return f"mlflow-artifacts:/{experiment_id(run.experiment)}/{run.run_id}/artifacts"


def run_document(run: Run) -> Document:
    """Return one run."""
    return _run_documents([head_of(run)])[0]


def new_run_document(run: Run, tags: Mapping[str, str]) -> Document:
    """Return a run that was just made with these tags, and has nothing else: nothing is read for it."""
    return _document(head_of(run), metrics=[], params=[], tags=pairs(tags.items()), inputs={}, outputs={})


def run_documents(pks: Sequence[int]) -> list[Document]:
    """Return the runs of these keys, in their order; those that are gone are left out."""
    documents: list[Document] = []
    for start in range(0, len(pks), _RUNS_PER_QUERY):
        some = pks[start : start + _RUNS_PER_QUERY]
        by_pk = {row[0]: Head(*row) for row in _heads(list(some))}
        documents += _run_documents([by_pk[pk] for pk in some if pk in by_pk])
    return documents


def _run_documents(heads: Sequence[Head]) -> list[Document]:
    if not heads:
        return []
    pks = [head.pk for head in heads]
    metrics: dict[int, list[Document]] = defaultdict(list)
    params: dict[int, list[Document]] = defaultdict(list)
    tags: dict[int, list[Document]] = defaultdict(list)
    with statements.together():
        asked: list[Callable[[], list[Any]]] = [
            some.later(pks) for some in (_metrics, _params, _tags, _datasets, _models)
        ]
        held_metrics, held_params, held_tags, datasets, models = (rows() for rows in asked)
    for pk, name, latest, text, at, step in held_metrics:
        metrics[pk].append(metric(name, latest, text, at, step or 0))
    for pk, name, value in held_params:
        params[pk].append({"key": name, "value": value})
    for pk, name, value in held_tags:
        tags[pk].append({"key": name, "value": value or ""})
    inputs, outputs = _inputs_and_outputs(datasets, models)
    return [
        _document(
            head,
            metrics=metrics[head.pk],
            params=params[head.pk],
            tags=tags[head.pk],
            inputs=inputs[head.pk],
            outputs=outputs[head.pk],
        )
        for head in heads
    ]


def _document(
    head: Head,
    *,
    metrics: list[Document],
    params: list[Document],
    tags: list[Document],
    inputs: Document,
    outputs: Document,
) -> Document:
    data = {"metrics": metrics, "params": params, "tags": [*_own_tags(head), *tags]}
    user = next((tag["value"] for tag in tags if tag["key"] == USER), "")
    return {
        "info": run_info(head, user=user),
        "data": {name: found for name, found in data.items() if found},
        "inputs": inputs,
        "outputs": outputs,
    }


def _name(head: Head) -> str:
    return head.display_name or f"Run {head.number}"


def _own_tags(head: Head) -> list[Document]:
    """Return what MLflow has as tags and is a column here."""
    own = ((RUN_NAME, _name(head)), (NOTE, head.description), (PARENT, head.parent_id))
    return [{"key": key, "value": value} for key, value in own if value]


def _inputs_and_outputs(
    datasets: Iterable[DatasetUse], models: Iterable[Any]
) -> tuple[dict[int, Document], dict[int, Document]]:
    inputs: dict[int, Document] = defaultdict(dict)
    outputs: dict[int, Document] = defaultdict(dict)
    for use in datasets:
        found = inputs[use.run_id].setdefault("dataset_inputs", [])
        dataset = {
            name: value
            for name in ("name", "digest", "source_type", "source", "schema", "profile")
            if (value := getattr(use.dataset, name))
        }
        found.append({"tags": pairs(use.tags), "dataset": dataset} if use.tags else {"dataset": dataset})
    for run, model_id, is_output, step in models:
        if is_output:
            outputs[run].setdefault("model_outputs", []).append({"model_id": model_id, "step": step})
        else:
            inputs[run].setdefault("model_inputs", []).append({"model_id": model_id})
    return inputs, outputs


def metric(name: str, value: float | None, text: str, at: Any, step: int) -> Document:
    """Return one point of a metric; its time may be that of a raw row."""
    return {"key": name, "value": number(value, text), "timestamp": _ms(at), "step": step}


def _ms(at: Any) -> int:
    return (as_instant(at) - _EPOCH) // _MILLISECOND


def number(value: float | None, text: str) -> float | str:
    """Return a number as clients expect it: an infinity is the greatest number that there is."""
    if value is not None:
        return value
    return {"Infinity": sys.float_info.max, "-Infinity": -sys.float_info.max}.get(text, "NaN")


def pairs(items: Iterable[Sequence[Any]]) -> list[Document]:
    """Return keys and values as MLflow lists them."""
    return [{"key": key, "value": value or ""} for key, value in items]
