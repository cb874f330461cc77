"""The unmodified MLflow client of today and of a year ago gets from us what a real MLflow server gives it."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.compat.conftest import NOW, THEN, mlflow_server
from tests.journeys.product import Api, Product, submit, wait_for_status

pytestmark = [pytest.mark.compat, pytest.mark.process, pytest.mark.slow]

_SCENARIO = Path(__file__).with_name("scenario.py")
_SCRIPT = """
import mlflow
mlflow.set_experiment("whatever")
mlflow.autolog(silent=True)
from sklearn.linear_model import Ridge
with mlflow.start_run():
    Ridge(alpha=0.5).fit([[1.0], [2.0], [3.0]], [1.0, 2.0, 3.0])
print("trained")
"""


def play(python: Path, folder: Path, url: str, *, token: str = "", **environment: str) -> dict[str, Any]:
    """Run the scenario; return what the server answered."""
    folder.mkdir()
    done = subprocess.run(
        [python / "python", _SCENARIO, folder / "many"],
        cwd=folder,
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "MLFLOW_TRACKING_URI": url,
            "MLFLOW_TRACKING_TOKEN": token,
        }
        | environment,
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return json.loads(done.stdout.splitlines()[-1])


def uploads_in_parts(product: Product) -> int:
    """Return how many files came in parts and are whole."""
    return len(list((product.home / "data" / "uploads").glob("*/done")))


def test_a_real_server_answers_the_same(environment, product: Product, tmp_path):
    python = environment(*NOW)
    token = product.manage("create_token", "admin").stdout.strip()

    before = uploads_in_parts(product)
    ours = play(python, tmp_path / "ours", product.address, token=token)
    with mlflow_server(python, tmp_path / "server") as url:
        real = play(python, tmp_path / "real", url)

    assert ours["answers"] == real["answers"]
    assert all("system/cpu_utilization_percentage" in names for names in ours["answers"]["machine"])
    assert uploads_in_parts(product) == before + 1


def test_the_client_of_a_year_ago_works_and_one_run_is_one_run(environment, product: Product, tmp_path):
    token = product.manage("create_token", "admin").stdout.strip()
    sent = {"MLFLOW_TRACKING_USERNAME": "admin", "MLFLOW_TRACKING_PASSWORD": token}
    root = f"{product.address}/w/default"

    before = uploads_in_parts(product)
    played = play(environment(*THEN), tmp_path / "then", root, **sent)

    run = Api(product).get(f"/api/v1/runs/{played['run_id']}").json()
    children = Api(product).get(f"/api/v1/runs/{played['run_id']}/children").json()["items"]
    assert (run["display_name"], run["description"], run["status"]) == ("first", "a *note*", "Completed")
    assert (run["params"], run["metrics"]["m"]) == ({"lr": "0.1", "opt": "adam"}, 4)
    assert [(child["display_name"], child["status"]) for child in children] == [("nested", "Completed")]
    assert played["answers"]["model"] == 2
    assert played["answers"]["large"][0]
    assert all("system/cpu_utilization_percentage" in names for names in played["answers"]["machine"])
    assert uploads_in_parts(product) == before + 1


def test_a_script_that_only_imports_mlflow_logs_to_its_own_run(environment, product: Product):
    api = Api(product)
    interpreter = str(environment(*THEN) / "python")

    run_id = submit(
        api, _SCRIPT.encode(), experiment="autologged", compute_target="local", interpreter_path=interpreter
    )
    wait_for_status(api, run_id, "Completed")

    run = api.get(f"/api/v1/runs/{run_id}").json()
    files = {file["path"] for file in api.get(f"/api/v1/runs/{run_id}/artifacts").json()["items"]}
    listed = api.get("/api/v1/runs?include_children=true&experiment=autologged").json()["items"]
    assert [item["run_id"] for item in listed] == [run_id]
    assert run["params"]["alpha"] == "0.5"
    assert "training_score" in run["metrics"]
    assert any(path.endswith("/MLmodel") for path in files)
    assert "trained" in api.get(f"/api/v1/runs/{run_id}/logs/user_logs/std_log.txt").text
