"""The addresses that MLflow's pages and older clients use: twins of the API's, and files and series by a run's id."""

import pytest

from runs.models import Run
from tests.api.mlflow.conftest import ROOT, metric


@pytest.fixture
def run_id(mlflow, experiment):
    return mlflow.create(experiment)


@pytest.mark.parametrize("start", ["/ajax-api", "/w/default/ajax-api", "/w/default/api"])
def test_every_call_has_a_twin(mlflow, experiment, run_id, start):
    twin = start + ROOT.removeprefix("/api")

    answer = mlflow.client.get(f"{twin}runs/get", {"run_id": run_id}, headers=mlflow.headers)

    assert answer.json()["run"] == mlflow.run(run_id)


def test_a_file_is_put_and_read_by_the_runs_id(mlflow, run_id):
    where = f"/ajax-api/2.0/mlflow/upload-artifact?run_uuid={run_id}&path=dir/a.json"

    put = mlflow.client.post(where, b"{}", "application/json", headers=mlflow.headers)
    read = mlflow.client.get("/get-artifact", {"run_id": run_id, "path": "dir/a.json"}, headers=mlflow.headers)

    assert (put.status_code, put.json()) == (200, {})
    assert b"".join(read.streaming_content) == b"{}"


def test_series_of_several_runs_come_one_after_the_other(mlflow, experiment):
    run_ids = [mlflow.create(experiment) for _ in range(2)]
    for value, run_id in enumerate(run_ids):
        points = [metric("m", value, step=step) for step in (2, 1)]
        mlflow.post("runs/log-batch", run_id=run_id, metrics=points)

    bulk = mlflow.get("metrics/get-history-bulk", run_id=run_ids[::-1], metric_key="m").json()["metrics"]
    first = mlflow.get("metrics/get-history-bulk", run_id=run_ids, metric_key="m", max_results=3).json()["metrics"]

    assert [(run_ids.index(point["run_id"]), point["step"], point["value"]) for point in bulk] == [
        *((1, 1, 1), (1, 2, 1)),
        *((0, 1, 0), (0, 2, 0)),
    ]
    assert [run_ids.index(point["run_id"]) for point in first] == [0, 0, 1]


def test_mlflows_own_tags_are_kept_and_not_shown(mlflow, experiment, run_id, client_for, team_mate):
    mlflow.post("runs/set-tag", run_id=run_id, key="mlflow.source.name", value="/home/tom/secret-name.py")
    mlflow.post("runs/set-tag", run_id=run_id, key="team", value="crimson")

    page = client_for(team_mate).get(Run.objects.get(run_id=run_id).get_absolute_url()).content.decode()

    assert {"key": "mlflow.source.name", "value": "/home/tom/secret-name.py"} in mlflow.run(run_id)["data"]["tags"]
    assert mlflow.names(experiment, "tags.mlflow.source.name LIKE '%secret%'")
    assert "crimson" in page
    assert "secret-name" not in page
