"""Logged models: made before the runs that refer to them are completed, final once their files are here."""

from __future__ import annotations

from collections import defaultdict

from studio_sdk.mlflow_import.job import Document, Job, batches

_POINTS_PER_BATCH = 1_000
_FINAL = ("LOGGED_MODEL_READY", "LOGGED_MODEL_UPLOAD_FAILED")


def take(job: Job, experiment: Document) -> None:
    """Make the models of an experiment. One that no run here made gets a run that keeps its files."""
    experiment_id = job.experiment_ids[experiment["name"]]
    for model in job.store.models(experiment["experiment_id"]):
        job.tally.there["models"] += 1
        job.attempt("model", model["info"]["model_id"], _make, job, model, experiment_id)


def finalize(job: Job, run_id: str) -> None:
    """Give the models of a run the status that they have in the store."""
    for model in job.models.get(run_id, []):
        info = model["info"]
        if info["status"] in _FINAL:
            body = {"model_id": info["model_id"], "status": info["status"]}
            job.dialect.patch(f"/api/2.0/mlflow/logged-models/{info['model_id']}", body)


def _make(job: Job, model: Document, experiment_id: str) -> None:
    info, data = model["info"], model.get("data", {})
    body = {name: info[name] for name in ("model_id", "name", "model_type", "creation_timestamp_ms") if name in info}
    body |= {"experiment_id": experiment_id, "tags": info.get("tags", []), "params": data.get("params", [])}
    if info.get("source_run_id") in job.runs:
        body["source_run_id"] = info["source_run_id"]
    made = job.dialect.call("logged-models", body)["model"]["info"]
    job.model_ids.add(made["model_id"])
    if made["status"] not in _FINAL:
        _send_points(job, model)
    keeper = made["source_run_id"]
    job.models[keeper].append(model)
    if keeper not in job.runs and keeper not in job.holders:
        job.holders.append(keeper)


def _send_points(job: Job, model: Document) -> None:
    """Send the points of runs that measure the model."""
    by_run: dict[str, list[Document]] = defaultdict(list)
    for metric in model.get("data", {}).get("metrics", []):
        if metric.get("run_id") in job.runs:
            by_run[metric["run_id"]].append({**metric, "model_id": model["info"]["model_id"]})
    for run_id, found in by_run.items():
        for some in batches(found, _POINTS_PER_BATCH):
            job.dialect.call("runs/log-batch", {"run_id": run_id, "metrics": some})
