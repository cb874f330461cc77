"""The addresses of MLflow's clients, at the root and below each workspace."""

from collections.abc import Iterator, Mapping

from django.urls import URLPattern, URLResolver, path

from runs.api.mlflow import (
    artifacts,
    experiments,
    inputs,
    logged_models,
    metrics,
    run_search,
    runs,
    searches,
    service,
    uploads,
)
from runs.api.mlflow.calls import Operation, view

_CALLS: Mapping[str, Mapping[str, Operation]] = {
    "runs/create": {"POST": runs.create},
    "runs/get": {"GET": runs.get},
    "runs/update": {"POST": runs.update},
    "runs/delete": {"POST": runs.delete},
    "runs/restore": {"POST": runs.restore},
    "runs/search": {"POST": run_search.search},
    "runs/log-metric": {"POST": metrics.log_metric},
    "runs/log-parameter": {"POST": metrics.log_param},
    "runs/log-batch": {"POST": metrics.log_batch},
    "runs/log-inputs": {"POST": inputs.log_inputs},
    "runs/outputs": {"POST": inputs.log_outputs},
    "runs/set-tag": {"POST": runs.set_tag},
    "runs/delete-tag": {"POST": runs.delete_tag},
    "metrics/get-history": {"GET": metrics.get_history},
    "metrics/get-history-bulk": {"GET": metrics.get_history_bulk},
    "metrics/get-history-bulk-interval": {"GET": metrics.get_history_bulk_interval},
    "artifacts/list": {"GET": artifacts.list_of_run},
    "upload-artifact": {"POST": artifacts.store_of_run},
    "experiments/create": {"POST": experiments.create},
    "experiments/get": {"GET": experiments.get},
    "experiments/get-by-name": {"GET": experiments.get_by_name},
    "experiments/search": {"POST": searches.search_experiments, "GET": searches.search_experiments},
    "experiments/update": {"POST": experiments.update},
    "experiments/delete": {"POST": experiments.delete},
    "experiments/restore": {"POST": experiments.restore},
    "experiments/set-experiment-tag": {"POST": experiments.set_tag},
    "experiments/delete-experiment-tag": {"POST": experiments.delete_tag},
    "experiments/search-datasets": {"POST": inputs.search_datasets},
    "logged-models": {"POST": logged_models.create},
    "logged-models/search": {"POST": searches.search_logged_models},
    "logged-models/<str:model_id>": {
        "GET": logged_models.get,
        "PATCH": logged_models.finalize,
        "DELETE": logged_models.delete,
    },
    "logged-models/<str:model_id>/tags": {"PATCH": logged_models.set_tags},
    "logged-models/<str:model_id>/tags/<path:tag_key>": {"DELETE": logged_models.delete_tag},
    "logged-models/<str:model_id>/params": {"POST": logged_models.add_params},
    "logged-models/<str:model_id>/artifacts/directories": {"GET": logged_models.list_folder},
    "logged-models/<str:model_id>/artifacts/files": {"GET": logged_models.read_file},
}
_FILES: Mapping[str, Mapping[str, Operation]] = {
    "artifacts": {"GET": artifacts.listing},
    "artifacts/<path:path>": {"GET": artifacts.read, "PUT": artifacts.store, "DELETE": artifacts.delete},
    "mpu/create/<path:path>": {"POST": uploads.create},
    "mpu/part/<path:path>": {"PUT": uploads.store_part},
    "mpu/complete/<path:path>": {"POST": uploads.complete},
    "mpu/abort/<path:path>": {"POST": uploads.abort},
    "presigned/<path:path>": {"GET": uploads.presigned},
}


def addresses(workspace: str) -> list[URLPattern | URLResolver]:
    """Return all addresses; `workspace` is the part of an address that names one."""
    return [
        path("health", service.health, name="mlflow_health"),
        path("version", service.version, name="mlflow_version"),
        *_below(""),
        *_below(workspace),
    ]


def _below(start: str) -> Iterator[URLPattern]:
    for door in ("api", "ajax-api"):
        for call, operations in _CALLS.items():
            yield path(f"{start}{door}/2.0/mlflow/{call}", view(operations))
        for call, operations in _FILES.items():
            yield path(f"{start}{door}/2.0/mlflow-artifacts/{call}", view(operations))
        yield path(f"{start}{door}/3.0/mlflow/server-info", service.server_info)
        yield path(f"{start}{door}/2.0/<path:rest>", service.nothing_here)
        yield path(f"{start}{door}/3.0/<path:rest>", service.nothing_here)
    yield path(f"{start}get-artifact", view({"GET": artifacts.read_of_run}))
