"""Makes an MLflow store: a few runs with all that MLflow has, and as many others by SQL as are asked for."""

import pathlib
import sqlite3
import sys
import uuid

import mlflow
import pandas
from mlflow import MlflowClient
from sklearn.linear_model import Ridge

BEGAN = 1_700_000_000_000
_STATUSES = ("FINISHED", "FAILED", "KILLED")


def with_everything(client: MlflowClient, experiment_id: str, folder: pathlib.Path) -> None:
    """Log what MLflow has, to seven runs."""
    mlflow.set_experiment(experiment_id=experiment_id)
    (folder / "some" / "deep").mkdir(parents=True)
    (folder / "some" / "ä b.txt").write_text("hello")
    (folder / "some" / "empty.txt").write_text("")
    (folder / "some" / "deep" / "x.bin").write_bytes(b"x" * 300_000)
    with mlflow.start_run(run_name="parent") as parent:
        mlflow.set_tag("mlflow.note.content", "a *note*")
        mlflow.log_params({"lr": 0.1, "empty": ""})
        mlflow.log_metrics({"nan": float("nan"), "inf": float("inf"), "-inf": float("-inf")})
        mlflow.log_artifacts(str(folder / "some"), "many")
        mlflow.log_input(mlflow.data.from_pandas(pandas.DataFrame({"a": [1.0]}), name="iris"), context="training")
        with mlflow.start_run(run_name="child", nested=True), mlflow.start_run(run_name="grandchild", nested=True):
            mlflow.log_metric("m", 0.1)
    client.set_terminated(parent.info.run_id, "KILLED")
    with mlflow.start_run(run_name="model") as made:
        model = mlflow.sklearn.log_model(Ridge().fit([[1.0], [2.0]], [1.0, 2.0]), name="model", pip_requirements=[])
        mlflow.log_metric("rmse", 0.5, model_id=model.model_id)
    deleted = client.create_run(experiment_id, run_name="deleted", tags={"mlflow.parentRunId": made.info.run_id})
    client.log_metric(deleted.info.run_id, "m", 1)
    client.delete_run(deleted.info.run_id)
    orphan = {"mlflow.parentRunId": deleted.info.run_id}
    client.set_terminated(client.create_run(experiment_id, run_name="orphan", tags=orphan).info.run_id)
    gone = client.create_experiment("gone")
    client.set_terminated(client.create_run(gone, run_name="gone").info.run_id)
    client.delete_experiment(gone)


def by_sql(database: sqlite3.Connection, experiment_id: str, root: str, count: int) -> None:
    """Add runs with three metrics of ten points, params and tags, as MLflow writes them. Their ids tell the count."""
    rows = [(uuid.UUID(int=(count << 32) + number).hex, number) for number in range(count)]
    # One history is too long for one answer.
    long = [("loss", 1 / (step + 1), BEGAN + step, step // 2, rows[0][0]) for step in range(10, 26_000)]
    database.executemany(
        "INSERT INTO runs (run_uuid, name, source_type, user_id, status, start_time, end_time, lifecycle_stage,"
        " artifact_uri, experiment_id) VALUES (?, ?, 'UNKNOWN', 'ada', ?, ?, ?, 'active', ?, ?)",
        [
            (run, f"run-{n}", _STATUSES[n % 3], BEGAN + n, BEGAN + n + 5_000, f"{root}/{run}/artifacts", experiment_id)
            for run, n in rows
        ],
    )
    tags = (("mlflow.runName", "run-{}"), ("mlflow.user", "ada"), ("team", "team {}"))
    database.executemany(
        "INSERT INTO tags (key, value, run_uuid) VALUES (?, ?, ?)",
        [(key, value.format(n), run) for run, n in rows for key, value in tags],
    )
    database.executemany(
        "INSERT INTO params (key, value, run_uuid) VALUES (?, ?, ?)",
        [(key, str(n / 7), run) for run, n in rows for key in ("lr", "depth")],
    )
    points = [
        (key, n + 1 / (step + 1), BEGAN + step, step, run)
        for run, n in rows
        for key in ("loss", "acc", "f1")
        for step in range(10)
    ]
    latest = {(key, run): point for point in points + long for key, *_, run in [point]}
    for table, found in (("metrics", points + long), ("latest_metrics", latest.values())):
        database.executemany(
            f"INSERT INTO {table} (key, value, timestamp, step, run_uuid, is_nan) VALUES (?, ?, ?, ?, ?, 0)",
            found,
        )
    database.commit()


def main() -> None:
    """Make the store in the folder that is named, of so many runs."""
    folder, count = pathlib.Path(sys.argv[1]), int(sys.argv[2])
    mlflow.set_tracking_uri(f"sqlite:///{folder}/mlflow.db")
    client, files = MlflowClient(), (folder / "files").as_uri()
    experiment_id = client.create_experiment("history", files, tags={"k": "v", "mlflow.note.content": "of ours"})
    with_everything(client, experiment_id, folder)
    with sqlite3.connect(folder / "mlflow.db") as database:
        by_sql(database, experiment_id, files, count - 7)


if __name__ == "__main__":
    main()
