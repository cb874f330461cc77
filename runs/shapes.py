"""Rows as documents: what the API answers and the Raw JSON tab shows. No requests, no decisions."""

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from django.conf import settings
from django.db.models import Prefetch, prefetch_related_objects
from django.urls import reverse

from runs import storage
from runs.models import (
    Artifact,
    ComputeTarget,
    Experiment,
    Metric,
    MetricPoint,
    Param,
    PipelineRun,
    Property,
    PublishedPipeline,
    Run,
    RunEvent,
    Schedule,
    ScheduleTick,
    StepRun,
    Tag,
    Worker,
    Workspace,
)
from runs.models.metric import MetricKind
from runs.status import RunStatus

Document = dict[str, Any]

# So many series' latest values are in the document of a run; the metrics have addresses of their own.
METRICS_PER_DOCUMENT = 1_000
MASK = "********"
_SECRET = re.compile(
    r"secret|token|passw|pwd|passphrase|credential|api_?key|access_?key|private_?key|account_?key|encryption_?key"
    r"|auth|cookie|connection_?string|signature|_sas$|_key$|_pat$|^dsn$|_dsn$",
    re.IGNORECASE,
)
# user:password@ in an address, whatever the variable is called.
_URL_PASSWORD = re.compile(r"(?<=://)[^/\s@]*@")


def instant(at: datetime | None) -> str | None:
    """Return `at` as ISO 8601 in UTC, such as `2026-11-23T12:00:00Z`."""
    return None if at is None else at.astimezone(UTC).isoformat().replace("+00:00", "Z")


def masked(variables: Mapping[str, str]) -> dict[str, str]:
    """Return environment variables with the values hidden of those that look like secrets."""
    return {
        name: MASK if _SECRET.search(name) else _URL_PASSWORD.sub(f"{MASK}@", str(value))
        for name, value in variables.items()
    }


def run_document(run: Run) -> Document:
    """Return the document of one run."""
    hung_on: Any = run
    # For one of them a slice serves, where many need a window.
    hung_on.shown_metrics = list(Metric.objects.filter(run=run).order_by("name")[:METRICS_PER_DOCUMENT])
    return run_documents([run])[0]


def run_documents(runs: Iterable[Run]) -> list[Document]:
    """Return the documents of `runs` in their order, with a number of queries that does not depend on how many."""
    runs = list(runs)
    prefetch_related_objects(
        runs,
        "experiment",
        "workspace",
        "compute_target",
        "submitted_by",
        "cancel_requested_by",
        "snapshot",
        Prefetch("tags", Tag.objects.order_by("key"), to_attr="shown_tags"),
        Prefetch("properties", Property.objects.order_by("key"), to_attr="shown_properties"),
        Prefetch("params", Param.objects.order_by("name"), to_attr="shown_params"),
        Prefetch("metrics", Metric.objects.order_by("name")[:METRICS_PER_DOCUMENT], to_attr="shown_metrics"),
    )
    relatives = {pk for run in runs for pk in (run.parent_id, run.root_id, run.resubmitted_from_id) if pk}
    ids = dict(Run.objects.filter(pk__in=relatives).values_list("pk", "run_id"))
    return [_run_document(run, ids) for run in runs]


def pipeline_run(run: Run) -> Document:
    """Return the document of a pipeline's run: that of the run, what was submitted, and its steps in order."""
    pipeline = PipelineRun.objects.select_related("resumed_from").get(run=run)
    return {
        **run_document(run),
        "definition": pipeline.definition,
        "parameters": pipeline.parameters,
        "continue_on_step_failure": pipeline.continue_on_step_failure,
        "regenerate_outputs": pipeline.regenerate_outputs,
        "resumed_from": pipeline.resumed_from.run_id if pipeline.resumed_from else None,
        "steps": step_documents(pipeline),
    }


def step_documents(pipeline: PipelineRun) -> list[Document]:
    """Return the steps of a pipeline's run in the order of its definition, with one query however many they are."""
    rows = (
        StepRun.objects.filter(pipeline_run=pipeline)
        .order_by("run_id")
        .values(
            *("name", "index", "item", "parents", "reused_from__run_id", "run__run_id", "run__number", "run__status"),
            *("run__reason", "run__started_at", "run__ended_at", "run__duration_seconds"),
        )
    )
    return [
        {
            "name": row["name"],
            "index": row["index"],
            "item": row["item"],
            "run_id": row["run__run_id"],
            "run_number": row["run__number"],
            "status": row["run__status"],
            "reason": row["run__reason"],
            "depends_on": row["parents"],
            "reused_from": row["reused_from__run_id"],
            "started_at": instant(row["run__started_at"]),
            "ended_at": instant(row["run__ended_at"]),
            "duration_seconds": row["run__duration_seconds"],
        }
        for row in rows
    ]


def experiment_documents(experiments: Iterable[Experiment]) -> list[Document]:
    """Return the documents of `experiments` in their order, with their counts of top-level runs per status."""
    experiments = list(experiments)
    prefetch_related_objects(experiments, "workspace", "latest_run", "status_counts")
    return [_experiment_document(experiment) for experiment in experiments]


def event_document(event: RunEvent) -> Document:
    """Return one change of status; `by` is to be fetched with it."""
    return {
        "from_status": event.from_status or None,
        "to_status": event.to_status,
        "at": instant(event.at),
        "by": event.by.get_username() if event.by else None,
        "actor": event.actor,
        "attempt_number": event.attempt_number,
        "reason": event.reason,
    }


def metric_document(metric: Metric, *, run_id: str) -> Document:
    """Return a series with its summaries."""
    return {
        "run_id": run_id,
        "name": metric.name,
        "kind": metric.kind,
        "point_count": metric.point_count,
        "latest": latest(metric),
        "latest_step": metric.latest_step,
        "latest_utc": instant(metric.latest_at),
        "min": metric.min_value,
        "max": metric.max_value,
    }


def point_document(point: MetricPoint, kind: str) -> Document:
    """Return one point: a number has `value`, or `text` if it is no finite one; a row has `row`; the rest `text`."""
    row = _parsed(point.text) if kind == MetricKind.ROW else None
    return {
        "step": point.step,
        "at": instant(point.at),
        "value": point.value,
        "text": "" if isinstance(row, dict) else point.text,
        "row": row if isinstance(row, dict) else None,
    }


def latest(metric: Metric) -> Any:
    """Return the latest value of a series: a number, a text, or what the JSON of a row or document says."""
    if metric.latest_value is not None:
        return metric.latest_value
    if metric.kind in (MetricKind.ROW, MetricKind.DOCUMENT):
        return _parsed(metric.latest_text)
    return metric.latest_text or None


def artifact_document(artifact: Artifact) -> Document:
    """Return one stored file."""
    return {
        "path": artifact.path,
        "size_bytes": artifact.size_bytes,
        "sha256": artifact.digest,
        "created_utc": instant(artifact.created_at),
    }


def log_document(log: storage.Stored) -> Document:
    """Return one log."""
    return {"name": log.path, "size_bytes": log.size_bytes, "modified_utc": instant(log.modified_at)}


def workspace_document(workspace: Workspace, role: str | None) -> Document:
    """Return a workspace, with the role that the reader has in it."""
    return {
        "name": workspace.name,
        "description": workspace.description,
        "role": role,
        "created_utc": instant(workspace.created_at),
        "url": absolute(workspace.get_absolute_url()),
    }


def compute_target_document(target: ComputeTarget, *, running: int, queued: int, workers: int) -> Document:
    """Return a compute target, with how many of its slots are taken, runs wait and workers serve it."""
    return {
        "name": target.name,
        "description": target.description,
        "is_enabled": target.is_enabled,
        "refuses_conda_and_docker": target.refuses_conda_and_docker,
        "slots": target.slots,
        "running": running,
        "queued": queued,
        "workers": workers,
        "max_run_duration_seconds": target.max_run_duration_seconds,
        "memory_bytes": target.memory_bytes,
        "process_count": target.process_count,
        "cpu_seconds": target.cpu_seconds,
        "file_bytes": target.file_bytes,
        "run_as": target.run_as,
    }


def worker_document(worker: Worker, *, is_alive: bool) -> Document:
    """Return a worker."""
    return {
        "id": str(worker.pk),
        "host": worker.host,
        "pid": worker.pid,
        "version": worker.version,
        "compute_targets": worker.targets,
        "is_alive": is_alive,
        "has_broker": worker.has_broker,
        "refusal": worker.refusal,
        "started_utc": instant(worker.started_at),
        "heartbeat_utc": instant(worker.heartbeat_at),
        "stopped_utc": instant(worker.stopped_at),
    }


def published_pipeline_document(pipeline: PublishedPipeline) -> Document:
    """Return one version of a published pipeline, with the addresses at which it is run."""
    name = pipeline.name.replace("~", "~7E").replace("/", "~2F")
    by_name = f"/api/v1/pipeline-endpoints/{quote(name, safe='')}/runs?workspace={quote(pipeline.workspace.name)}"
    return {
        "id": pipeline.pipeline_id,
        "name": pipeline.name,
        "version": pipeline.version,
        "label": pipeline.label,
        "description": pipeline.description,
        "workspace": pipeline.workspace.name,
        "is_enabled": pipeline.is_enabled,
        "definition": pipeline.definition,
        "published_utc": instant(pipeline.published_at),
        "published_by": pipeline.published_by.get_username(),
        "published_from": pipeline.published_from.run_id if pipeline.published_from else None,
        "endpoint": absolute(f"/api/v1/published-pipelines/{pipeline.pipeline_id}/runs"),
        "endpoint_of_newest": absolute(by_name),
        "url": absolute(pipeline.get_absolute_url()),
    }


def schedule_document(schedule: Schedule) -> Document:
    """Return a schedule."""
    status = "Paused" if schedule.is_paused else "Active" if schedule.next_at else "Ended"
    return {
        "id": schedule.schedule_id,
        "name": schedule.name,
        "description": schedule.description,
        "workspace": schedule.workspace.name,
        "status": status,
        "pipeline_id": schedule.pipeline.pipeline_id,
        "pipeline": schedule.pipeline.name,
        "pipeline_version": schedule.pipeline.version,
        "experiment": schedule.experiment_name,
        "parameters": schedule.parameters,
        "tags": schedule.tags,
        "cron": schedule.cron,
        "recurrence": schedule.recurrence,
        "time_zone": schedule.time_zone,
        "starts_utc": instant(schedule.starts_at),
        "ends_utc": instant(schedule.ends_at),
        "catches_up": schedule.catches_up,
        "next_utc": instant(schedule.next_at),
        "created_utc": instant(schedule.created_at),
        "created_by": schedule.created_by.get_username(),
    }


def tick_document(tick: ScheduleTick) -> Document:
    """Return one time of a schedule and what became of it."""
    return {
        "at_utc": instant(tick.at),
        "outcome": tick.outcome,
        "reason": tick.reason,
        "run_id": tick.run.run_id if tick.run else None,
    }


def absolute(address: str) -> str:
    """Return an address of this site as others reach it."""
    return f"{settings.STUDIO_URL}{address}"


def _run_document(run: Run, ids: Mapping[int, str]) -> Document:
    hung_on: Any = run  # the attributes that run_documents prefetched
    return {
        "run_id": run.run_id,
        "run_number": run.number,
        "experiment": run.experiment.name,
        "workspace": run.workspace.name,
        "display_name": run.display_name,
        "description": run.description,
        "status": run.status,
        "reason": run.reason,
        "run_type": run.run_type,
        "parent_run_id": ids[run.parent_id] if run.parent_id else None,
        "root_run_id": ids[run.root_id] if run.root_id else run.run_id,
        "resubmitted_from": ids.get(run.resubmitted_from_id) if run.resubmitted_from_id else None,
        "compute_target": run.compute_target.name if run.compute_target else None,
        "script": run.script,
        "command": run.command,
        "arguments": run.arguments,
        "environment_variables": masked(run.environment_variables),
        "requirements": run.requirements,
        "interpreter_path": run.interpreter_path,
        "snapshot_id": run.snapshot.digest if run.snapshot else None,
        "tags": {tag.key: tag.value for tag in hung_on.shown_tags},
        "properties": {item.key: item.value for item in hung_on.shown_properties},
        "params": {param.name: param.value for param in hung_on.shown_params},
        "metrics": {metric.name: latest(metric) for metric in hung_on.shown_metrics},
        "submitted_by": run.submitted_by.get_username(),
        "created_utc": instant(run.created_at),
        "queued_utc": instant(run.queued_at),
        "start_time_utc": instant(run.started_at),
        "end_time_utc": instant(run.ended_at),
        "heartbeat_utc": instant(run.heartbeat_at),
        "archived_utc": instant(run.archived_at),
        "duration_seconds": run.duration_seconds,
        "max_run_duration_seconds": run.max_run_duration_seconds,
        "memory_bytes": run.memory_bytes,
        "process_count": run.process_count,
        "cpu_seconds": run.cpu_seconds,
        "file_bytes": run.file_bytes,
        "priority": run.priority,
        "not_before_utc": instant(run.not_before),
        "max_retries": run.max_retries,
        "retries_lost_workers": run.retries_lost_workers,
        "attempt_number": run.attempt_number,
        "cancel_requested_utc": instant(run.cancel_requested_at),
        "cancel_requested_by": run.cancel_requested_by.get_username() if run.cancel_requested_by else None,
        "exit_code": run.exit_code,
        "exit_signal": run.exit_signal,
        "error": run.error,
        "url": absolute(run.get_absolute_url()),
    }


def _experiment_document(experiment: Experiment) -> Document:
    counts: dict[str, int] = defaultdict(int)
    children = 0
    for row in experiment.status_counts.all():
        if row.is_child:
            children += row.count
        else:
            counts[row.status] += row.count
    return {
        "name": experiment.name,
        "workspace": experiment.workspace.name,
        "description": experiment.description,
        "tags": experiment.tags,
        "created_utc": instant(experiment.created_at),
        "archived_utc": instant(experiment.archived_at),
        "latest_run_id": experiment.latest_run.run_id if experiment.latest_run else None,
        "latest_run_number": experiment.latest_run_number,
        "latest_submitted_utc": instant(experiment.latest_submitted_at),
        "run_count": sum(counts.values()),
        "child_run_count": children,
        "runs_by_status": {status.value: counts[status] for status in RunStatus},
        "url": absolute(reverse("experiment_detail", args=[experiment.workspace.name, experiment.name])),
    }


def _parsed(text: str) -> Any:
    try:
        return json.loads(text) if text else None
    except ValueError:
        return text
