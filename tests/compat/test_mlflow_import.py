"""A real MLflow store moves here with `studio import mlflow`, whatever interrupts it."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import uuid
from collections import defaultdict
from collections.abc import Callable
from contextlib import closing
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
import pytest

from studio_sdk.mlflow_import.rest import Mlflow
from tests.compat.conftest import NOW, THEN, mlflow_server
from tests.journeys.product import ANSWER_SECONDS, Product, eventually
from tests.sdk.shell import SDK

pytestmark = [pytest.mark.compat, pytest.mark.process, pytest.mark.slow]

# The store's own runs, beside those that are made by SQL and whose ids are known beforehand.
_OWN = 7
_KNOWN = [uuid.UUID(int=((1_000 - _OWN) << 32) + number).hex for number in range(900)]
_KEYS = ("loss", "acc", "f1", "m", "nan", "inf", "-inf", "rmse")
_IN_A_FOLDER = """
import mlflow
mlflow.set_tracking_uri("file:mlruns")
mlflow.set_experiment("folder")
with mlflow.start_run(run_name="parent"):
    mlflow.log_param("lr", 0.1)
    mlflow.log_text("hello", "a/b.txt")
    with mlflow.start_run(run_name="child", nested=True):
        mlflow.log_metric("m", 1, step=1)
        mlflow.log_metric("m", 2, step=2)
"""


class Importer:
    """`studio import mlflow`, with the token of one user, and `mlflow` on its path."""

    def __init__(self, product: Product, programs: Path) -> None:
        self.token = product.manage("create_token", "admin").stdout.strip()
        self.product = product
        self._environment = {
            **os.environ,
            "PATH": f"{programs}:{os.environ['PATH']}",
            "PYTHONPATH": str(SDK),
            "STUDIO_URL": product.address,
            "STUDIO_TOKEN": self.token,
        }

    def start(self, *arguments: str, cwd: Path) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "studio_sdk.cli", "import", "mlflow", "-o", "json", *arguments]
        return subprocess.Popen(
            command, cwd=cwd, env=self._environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    def finish(self, *arguments: str, cwd: Path, code: int = 0) -> dict[str, tuple[int, int]]:
        """Run it to its end; return what it counted, there and here."""
        process = self.start(*arguments, cwd=cwd)
        out, self.said = process.communicate(timeout=300)
        assert process.returncode == code, out + self.said
        return {row["what"]: (row["there"], row["here"]) for row in json.loads(out)}

    def server(self) -> Mlflow:
        """The product, as MLflow's clients see it."""
        server = Mlflow(self.product.address)
        server.authorization = f"Bearer {self.token}"
        return server

    def count(self) -> dict[str, int]:
        """What there is of the known runs here."""
        answer = httpx.post(
            f"{self.product.address}/api/v1/imports/counts",
            headers={"Authorization": f"Bearer {self.token}"},
            json={"run_ids": _KNOWN},
            timeout=ANSWER_SECONDS,
        )
        return answer.json()


def everything(server: Mlflow, *names: str) -> dict[str, Any]:
    """What a server tells of some experiments, but for what is its own: their ids and the addresses of files."""
    experiments = {each["name"]: each for each in server.experiments(with_deleted=True)}
    return {name: of_experiment(server, experiments[name]) for name in names}


def of_experiment(server: Mlflow, experiment: dict[str, Any]) -> dict[str, Any]:
    runs = [run for page in server.runs(experiment["experiment_id"], with_deleted=True) for run in page]
    ids = [run["info"]["run_id"] for run in runs]
    histories = defaultdict(list)
    for key in _KEYS:
        for start in range(0, len(ids), 100):
            for run_id, points in server.histories(key, ids[start : start + 100]):
                histories[run_id, key] += [(*point[:2], repr(point.value)) for point in points]
    return {
        "stage": experiment["lifecycle_stage"],
        "tags": pairs(experiment.get("tags", [])),
        "runs": {run["info"]["run_id"]: document(run) for run in runs},
        "histories": {key: sorted(points) for key, points in histories.items()},
        "models": [model_document(model) for model in server.models(experiment["experiment_id"])],
        "files": {run_id: sorted(server.files(run_id)) for run_id in ids if run_id not in _KNOWN},
    }


def document(run: dict[str, Any]) -> dict[str, Any]:
    info, data = run["info"], run["data"]
    return {
        "info": {name: value for name, value in info.items() if name not in ("experiment_id", "artifact_uri")},
        "metrics": sorted([item["key"], repr(item["value"]), item["step"]] for item in data.get("metrics", [])),
        "params": pairs(data.get("params", [])),
        # Whose run it is was said without a tag, too.
        "tags": {"mlflow.user": info["user_id"]} | pairs(data.get("tags", [])),
        "inputs": run.get("inputs"),
        "outputs": run.get("outputs"),
    }


def model_document(model: dict[str, Any]) -> dict[str, Any]:
    own = ("experiment_id", "artifact_uri", "last_updated_timestamp_ms")
    info = {name: value for name, value in model["info"].items() if name not in own}
    return {"info": info | {"tags": pairs(info.get("tags", []))}, "data": model["data"]}


def pairs(items: list[dict[str, str]]) -> dict[str, str]:
    return {item["key"]: item.get("value", "") for item in items}


@pytest.fixture(scope="module")
def importer(environment, product: Product) -> Importer:
    return Importer(product, environment(*NOW))


def test_a_store_of_1000_runs_comes_whole_though_the_import_is_killed_twice(environment, importer: Importer, tmp_path):
    python = environment(*NOW)
    fill(python, tmp_path, 1_000)

    with mlflow_server(python, tmp_path / "server", database=tmp_path / "mlflow.db") as url:
        asked = ("--from", url, "--include-deleted")
        interrupt(importer, lambda: importer.count()["runs"] >= 300, *asked, cwd=tmp_path)
        interrupt(importer, lambda: importer.count()["points"] >= 5_000, *asked, cwd=tmp_path)
        cut = importer.count()
        counts = importer.finish(*asked, cwd=tmp_path)
        there = everything(Mlflow(url), "history", "gone")
    here = everything(importer.server(), "history", "gone")

    assert cut["points"] < importer.count()["points"]
    assert counts["runs"] == (1_000, 1_000)
    assert all(there == here for there, here in counts.values())
    assert here == there
    content = BytesIO()
    parent = next(run for run in here["history"]["runs"].values() if run["info"]["run_name"] == "parent")
    importer.server().fetch(parent["info"]["run_id"], "many/ä b.txt", content)
    assert content.getvalue() == b"hello"


def test_a_folder_comes_through_a_server_that_is_started_for_it(environment, importer: Importer, tmp_path):
    subprocess.run([environment(*THEN) / "python", "-c", _IN_A_FOLDER], cwd=tmp_path, check=True, timeout=300)

    without_files = importer.finish("--from", "mlruns", "--no-artifacts", cwd=tmp_path)
    counts = importer.finish("--from", "mlruns", "-e", "folder", cwd=tmp_path)

    assert (without_files["runs"], without_files["files"]) == ((2, 2), (0, 0))
    assert counts == {
        **dict.fromkeys(("tags", "datasets", "models"), (0, 0)),
        **{"experiments": (1, 1), "runs": (2, 2), "params": (1, 1), "metrics": (1, 1), "points": (2, 2)},
        **{"tags": counts["tags"], "files": (1, 1), "bytes": (5, 5)},
    }


def test_what_is_refused_is_said_and_comes_once_its_cause_is_gone(environment, importer: Importer, tmp_path):
    fill(environment(*NOW), tmp_path, 20)
    store, refused = f"sqlite:///{tmp_path}/mlflow.db", uuid.UUID(int=((20 - _OWN) << 32) + 3).hex
    execute(
        tmp_path,
        "INSERT INTO tags (key, value, run_uuid) VALUES (?, ?, ?)",
        [(f"t{n}", "", refused) for n in range(600)],
    )

    first = importer.finish("--from", store, "--no-artifacts", cwd=tmp_path, code=1)
    said = importer.said
    execute(tmp_path, "DELETE FROM tags WHERE run_uuid = ? AND key = ?", [(refused, f"t{n}") for n in range(600)])
    second = importer.finish("--from", store, "--no-artifacts", cwd=tmp_path)

    assert first["runs"] == (18, 17)
    assert f"run {refused}: This would make 602 tags; at most 500 are allowed." in said
    assert second["runs"] == (18, 18)
    orphan = importer.server().call(
        "runs/search", {"experiment_ids": ids_of(importer), "filter": "run_name = 'orphan'"}
    )
    assert "mlflow.parentRunId" in pairs(orphan["runs"][0]["data"]["tags"])


def fill(python: Path, folder: Path, count: int) -> None:
    script = Path(__file__).with_name("fill_store.py")
    subprocess.run([python / "python", script, folder, str(count)], check=True, timeout=400, capture_output=True)


def interrupt(importer: Importer, is_far_enough: Callable[[], bool], *arguments: str, cwd: Path) -> None:
    """Kill the import in the middle. While one looks it stands still, or it might come to its end meanwhile."""
    with importer.start(*arguments, cwd=cwd) as process:

        def stands_far_enough() -> bool:
            process.send_signal(signal.SIGSTOP)
            if is_far_enough():
                return True
            process.send_signal(signal.SIGCONT)
            return False

        try:
            eventually(stands_far_enough, seconds=300)
        finally:
            process.kill()
            process.communicate()


def execute(folder: Path, statement: str, rows: list[tuple[str, ...]]) -> None:
    with closing(sqlite3.connect(folder / "mlflow.db")) as database:
        database.executemany(statement, rows)
        database.commit()


def ids_of(importer: Importer) -> list[str]:
    return [each["experiment_id"] for each in importer.server().experiments(with_deleted=False)]
