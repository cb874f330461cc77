"""The histories of metrics, read for many runs at once and sent run by run."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence

from studio_sdk.mlflow_import.job import Document, Job, batches
from studio_sdk.mlflow_import.rest import RUNS_PER_PAGE

_POINTS_PER_BATCH = 1_000


def send(job: Job, runs: Sequence[Document]) -> Counter[str]:
    """Bring all points of these runs; return how many each has. A point that is here already is not doubled."""
    with_key: dict[str, list[str]] = defaultdict(list)
    for each in runs:
        for metric in each["data"].get("metrics", []):
            with_key[metric["key"]].append(each["info"]["run_id"])
    counts: Counter[str] = Counter()
    # What has not been sent of a run: less than a batch, however long the histories are.
    rest: dict[str, list[Document]] = defaultdict(list)
    for key, run_ids in with_key.items():
        for some in batches(run_ids, RUNS_PER_PAGE):
            for run_id, points in job.store.histories(key, some):
                # A folder may hold a point twice, of which a database, there as here, keeps one.
                distinct = dict.fromkeys((point.step, point.timestamp, repr(point.value)) for point in points)
                counts[run_id] += len(distinct)
                found = rest[run_id] + [
                    {"key": key, "step": step, "timestamp": at, "value": value} for step, at, value in distinct
                ]
                full = len(found) - len(found) % _POINTS_PER_BATCH
                _send(job, run_id, found[:full])
                rest[run_id] = found[full:]
                job.tally.points_done += full
                job.tell(job.tally)
    for sent in job.pool.map(lambda run_id: _send(job, run_id, rest[run_id]), rest):
        job.tally.points_done += sent
        job.tell(job.tally)
    return counts


def _send(job: Job, run_id: str, found: Sequence[Document]) -> int:
    for some in batches(found, _POINTS_PER_BATCH):
        job.attempt("run", run_id, job.dialect.call, "runs/log-batch", {"run_id": run_id, "metrics": some})
    return len(found)
