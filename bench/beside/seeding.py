"""The same runs in both databases: ours by the bulk room of the demo, MLflow's by SQL into its own schema.

Each run has 5 params, 5 tags and 5 metrics of one point, with the values that the API
would have left. As a program it puts runs into the product that the environment names:
`python -m bench.beside.seeding EXPERIMENT FIRST LAST`.
"""

import hashlib
import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from bench.beside.servers import ROOT, Place

# 2025-01-01; the runs start a second after each other.
_FIRST_START_MS = 1_735_689_600_000
_TEAMS = ("red", "blue", "green", "white", "black", "amber", "coral", "ivory", "olive", "pearl")
_CHUNK = 10_000


@dataclass(frozen=True)
class SeededRun:
    """One run as both sides get it."""

    number: int
    run_id: str
    name: str
    start_ms: int
    end_ms: int
    has_failed: bool
    params: dict[str, str]
    tags: dict[str, str]
    metrics: dict[str, float]


def runs(first: int, last: int) -> Iterator[SeededRun]:
    """Yield the runs of these numbers."""
    for number in range(first, last):
        digest = hashlib.sha256(str(number).encode()).digest()
        shares = [int.from_bytes(digest[at : at + 4], "big") / 2**32 for at in range(0, 32, 4)]
        start = _FIRST_START_MS + 1000 * number
        yield SeededRun(
            number=number,
            run_id=digest[:16].hex(),
            name=f"run {number}",
            start_ms=start,
            end_ms=start + 60_000,
            has_failed=number % 20 == 0,
            params={
                "lr": f"{shares[0]:.4f}",
                "optimizer": ("adam", "sgd", "adagrad", "rmsprop")[digest[20] % 4],
                "batch_size": str(2 ** (4 + digest[21] % 5)),
                "depth": str(digest[22] % 32),
                "seed": str(number),
            },
            tags={
                "team": _TEAMS[digest[23] % 10],
                "stage": ("dev", "test", "prod")[digest[24] % 3],
                "dataset": f"set-{digest[25]}",
                "host": f"node-{digest[26] % 16}",
                "commit": digest[:20].hex(),
            },
            metrics=dict(zip(("accuracy", "loss", "f1", "auc", "seconds"), shares[1:6], strict=True)),
        )


# --- MLflow's ---------------------------------------------------------------------------

_COLUMNS = {
    "runs": (
        *("run_uuid", "name", "source_type", "source_name", "entry_point_name", "user_id", "status", "start_time"),
        *("end_time", "source_version", "lifecycle_stage", "artifact_uri", "experiment_id"),
    ),
    "params": ("key", "value", "run_uuid"),
    "tags": ("key", "value", "run_uuid"),
    "latest_metrics": ("key", "value", "timestamp", "step", "is_nan", "run_uuid"),
    "metrics": ("key", "value", "timestamp", "run_uuid", "step", "is_nan"),
}


def seed_mlflow(place: Place, *, experiment_id: int, first: int, last: int) -> None:
    """Put the runs into MLflow's database."""
    if place.database.startswith("sqlite"):
        with closing(sqlite3.connect(place.folder / "db.sqlite3")) as connection:

            def insert(table: str, rows: Sequence[tuple[Any, ...]]) -> None:
                marks = ", ".join("?" * len(_COLUMNS[table]))
                connection.executemany(f"INSERT INTO {table} ({_names(table)}) VALUES ({marks})", rows)

            _write(insert, experiment_id, first, last)
            connection.execute("ANALYZE")
            connection.commit()
        return
    import psycopg

    with psycopg.connect(place.database, autocommit=True) as server, server.cursor() as cursor:

        def copy(table: str, rows: Sequence[tuple[Any, ...]]) -> None:
            with cursor.copy(f"COPY {table} ({_names(table)}) FROM STDIN") as into:
                for row in rows:
                    into.write_row(row)

        _write(copy, experiment_id, first, last)
        for table in _COLUMNS:
            server.execute(f"VACUUM ANALYZE {table}")


def _names(table: str) -> str:
    return ", ".join(f'"{column}"' for column in _COLUMNS[table])


def _write(put: Callable[[str, Sequence[tuple[Any, ...]]], None], experiment_id: int, first: int, last: int) -> None:
    for start in range(first, last, _CHUNK):
        rows: dict[str, list[tuple[Any, ...]]] = {table: [] for table in _COLUMNS}
        for run in runs(start, min(start + _CHUNK, last)):
            status = "FAILED" if run.has_failed else "FINISHED"
            where = f"mlflow-artifacts:/{experiment_id}/{run.run_id}/artifacts"
            head = (run.run_id, run.name, "UNKNOWN", "", "", "admin", status, run.start_ms, run.end_ms)
            rows["runs"].append((*head, "", "active", where, experiment_id))
            rows["params"] += [(key, value, run.run_id) for key, value in run.params.items()]
            tags = {**run.tags, "mlflow.runName": run.name}
            rows["tags"] += [(key, value, run.run_id) for key, value in tags.items()]
            for key, value in run.metrics.items():
                rows["latest_metrics"].append((key, value, run.end_ms, 0, False, run.run_id))
                rows["metrics"].append((key, value, run.end_ms, run.run_id, 0, False))
        for table, some in rows.items():
            put(table, some)


# --- Ours -------------------------------------------------------------------------------


def seed_studio(place: Place, *, experiment_id: int, first: int, last: int) -> None:
    """Put the runs into the product's database."""
    command = [sys.executable, "-m", "bench.beside.seeding", *map(str, (experiment_id, first, last))]
    subprocess.run(command, cwd=ROOT, env=place.environment, check=True, timeout=1800)


def _seed(experiment_id: int, first: int, last: int) -> None:
    from django.contrib.auth.models import User
    from django.db import connection, transaction
    from django.db.models import F

    from runs.management.demo.bulk import Table
    from runs.models import Experiment, KeyKind, Metric, MetricPoint, Param, Run, RunEvent, SearchText, StatusCount, Tag
    from runs.search import index, keys

    experiment = Experiment.objects.get(pk=experiment_id)
    user = User.objects.get(username="admin")
    tables = {
        "run": Table(
            Run,
            *("run_id", "workspace_id", "experiment_id", "number", "display_name", "run_type", "submitted_by_id"),
            *("status", "status_at", "created_at", "started_at", "ended_at", "duration_seconds"),
        ),
        "tag": Table(Tag, "run_id", "experiment_id", "key", "value"),
        "param": Table(Param, "run_id", "experiment_id", "name", "value", "number"),
        "metric": Table(
            Metric,
            *("run_id", "experiment_id", "name", "kind", "point_count", "latest_value", "latest_step", "latest_at"),
            *("min_value", "max_value"),
        ),
        "point": Table(MetricPoint, "metric_id", "step", "at", "value"),
        "event": Table(RunEvent, "run_id", "from_status", "to_status", "at", "by_id", "actor", "reason"),
        "text": Table(SearchText, "run_id", "text"),
    }
    for start in range(first, last, _CHUNK):
        with transaction.atomic():
            some = list(runs(start, min(start + _CHUNK, last)))
            number = experiment.latest_run_number
            for run in some:
                number += 1
                began, ended = _instant(run.start_ms), _instant(run.end_ms)
                status = "Failed" if run.has_failed else "Completed"
                pk = tables["run"].add(
                    *(run.run_id, experiment.workspace_id, experiment.pk, number, run.name, "interactive", user.pk),
                    *(status, ended, began, began, ended, 60.0),
                )
                for key, value in run.tags.items():
                    tables["tag"].add(pk, experiment.pk, key, value)
                for key, value in run.params.items():
                    tables["param"].add(pk, experiment.pk, key, value, None if key == "optimizer" else float(value))
                for key, measured in run.metrics.items():
                    metric = tables["metric"].add(
                        *(pk, experiment.pk, key, "number", 1, measured, 0, ended, measured, measured)
                    )
                    tables["point"].add(metric, 0, ended, measured)
                tables["event"].add(pk, "", "Running", began, user.pk, "mlflow", "")
                tables["event"].add(pk, "Running", status, ended, user.pk, "mlflow", "")
                text = index.text_of(
                    display_name=run.name, run_id=run.run_id, experiment=experiment.name, submitter=user.username,
                    tags=run.tags.items(), description="",
                )  # fmt: skip
                tables["text"].add(pk, text)
            for table in tables.values():
                table.flush()
            failed = sum(run.has_failed for run in some)
            for status, count in (("Failed", failed), ("Completed", len(some) - failed)):
                counts = StatusCount.objects.filter(experiment=experiment, is_child=False, status=status)
                counts.update(count=F("count") + count)
            experiment.latest_run_number, experiment.latest_run_id = number, pk
            experiment.save(update_fields=["latest_run_number", "latest_run"])
            seen = {KeyKind.TAG: some[0].tags, KeyKind.PARAM: some[0].params, KeyKind.METRIC: some[0].metrics}
            keys.keep(experiment.workspace_id, seen)
    for table in tables.values():
        table.finish()
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE" if connection.vendor == "sqlite" else "VACUUM ANALYZE")


def _instant(ms: int) -> datetime:
    """Return an instant as the bulk room takes it: naive, in UTC."""
    return datetime(1970, 1, 1, tzinfo=UTC).replace(tzinfo=None) + timedelta(milliseconds=ms)


def main(arguments: Iterable[str]) -> None:
    """Seed the product."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "studio.settings")
    import django

    django.setup()
    _seed(*map(int, arguments))


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
    main(sys.argv[1:])
