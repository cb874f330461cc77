"""Files and logged models of runs, as MLflow's clients put, list and get them."""

import pytest

from runs.models import Artifact
from tests.api.mlflow.conftest import metric, pair


@pytest.fixture
def root(mlflow, experiment):
    """The address of a run's files."""
    return f"/{experiment.pk}/{mlflow.create(experiment)}/artifacts"


def body(answer):
    return b"".join(answer.streaming_content)


def test_a_file_is_put_listed_read_and_deleted(mlflow, root):
    put = mlflow.file("PUT", f"{root}/dir/ä b.txt", b"hello")

    listed = mlflow.file("GET", f"?path={root}").json(), mlflow.file("GET", f"?path={root}/dir").json()
    read = mlflow.file("GET", f"{root}/dir/ä b.txt")
    assert (put.status_code, put.content) == (200, b"")
    assert listed[0] == {"files": [{"path": "dir", "is_dir": True}]}
    assert listed[1] == {"files": [{"path": "ä b.txt", "is_dir": False, "file_size": 5}]}
    assert (body(read), read["X-Content-Type-Options"]) == (b"hello", "nosniff")
    assert "attachment" in read["Content-Disposition"]
    assert mlflow.file("DELETE", f"{root}/dir").json() == {}
    assert mlflow.file("GET", f"?path={root}").json() == {}
    assert not Artifact.objects.exists()


@pytest.mark.parametrize("path", ["/../x", "/a/../../x", "//x", "/%252e%252e/x", "/a\\b", "/"])
def test_a_path_that_leads_elsewhere_is_refused(mlflow, root, path):
    answer = mlflow.file("PUT", f"{root}{path}", b"x")

    assert answer.status_code in (400, 404)
    assert not Artifact.objects.exists()


def test_a_runs_files_are_listed_from_its_root(mlflow, root):
    run_id = root.split("/")[2]
    mlflow.file("PUT", f"{root}/dir/a.txt", b"a")

    listed = mlflow.get("artifacts/list", run_id=run_id, path="dir").json()

    assert listed["root_uri"] == f"mlflow-artifacts:{root}"
    assert listed["files"] == [{"path": "dir/a.txt", "is_dir": False, "file_size": 1}]


def test_what_is_not_there_is_said_so(mlflow, root):
    missing = mlflow.file("GET", f"{root}/no.txt")

    assert (missing.status_code, missing.json()["error_code"]) == (404, "RESOURCE_DOES_NOT_EXIST")
    assert mlflow.file("GET", f"?path={root}/no").json() == {}


def test_an_imported_model_keeps_its_id_and_its_time(mlflow, experiment):
    body = {"model_id": "m-" + "a" * 32, "name": "ridge", "creation_timestamp_ms": 1_600_000_000_000}

    first, second = (
        mlflow.post("logged-models", experiment_id=str(experiment.pk), **body).json()["model"]["info"] for _ in range(2)
    )
    refused = mlflow.post("logged-models", experiment_id=str(experiment.pk), **{**body, "model_id": "../m"})

    assert first == second
    assert {name: first[name] for name in body} == body
    assert (refused.status_code, refused.json()["error_code"]) == (400, "INVALID_PARAMETER_VALUE")


def test_a_model_is_logged_measured_found_and_deleted(mlflow, experiment):
    run_id = mlflow.create(experiment)
    made = mlflow.post(
        "logged-models", experiment_id=str(experiment.pk), name="ridge", source_run_id=run_id, params=[pair("a", "1")]
    ).json()["model"]
    model_id = made["info"]["model_id"]
    own = f"logged-models/{model_id}"
    mlflow.file("PUT", f"/{experiment.pk}/models/{model_id}/artifacts/MLmodel", b"flavors")
    mlflow.send("PATCH", own, {"model_id": model_id, "status": "LOGGED_MODEL_READY"})
    mlflow.post("runs/outputs", run_id=run_id, models=[{"model_id": model_id, "step": 2}])
    mlflow.post("runs/log-batch", run_id=run_id, metrics=[{**metric("acc", 0.9), "model_id": model_id}])
    mlflow.send("PATCH", f"{own}/tags", {"tags": [pair("stage", "best")]})

    def names(**body):
        answer = mlflow.post("logged-models/search", experiment_ids=[str(experiment.pk)], **body).json()
        return [model["info"]["name"] for model in answer.get("models", [])]

    shown = mlflow.get(own).json()["model"]
    assert made["info"]["status"] == "LOGGED_MODEL_PENDING"
    assert (shown["info"]["status"], shown["info"]["tags"]) == ("LOGGED_MODEL_READY", [pair("stage", "best")])
    assert shown["data"]["metrics"] == [{**metric("acc", 0.9), "model_id": model_id, "run_id": run_id}]
    assert mlflow.run(run_id)["outputs"] == {"model_outputs": [{"model_id": model_id, "step": 2}]}
    assert mlflow.get(f"{own}/artifacts/directories").json()["files"][0]["path"] == "MLmodel"
    assert Artifact.objects.get().path == f"models/{model_id}/MLmodel"
    assert names(filter="name = 'ridge' AND metrics.acc > 0.5 AND tags.stage = 'best' AND params.a = '1'") == ["ridge"]
    assert names(order_by=[{"field_name": "metrics.acc", "ascending": False}]) == ["ridge"]
    assert names(filter="metrics.acc > 0.95") == []
    assert mlflow.send("DELETE", own, {}).json() == {}
    assert mlflow.get(own).status_code == 404


def test_datasets_of_experiments_are_listed(mlflow, experiment):
    run_id = mlflow.create(experiment)
    dataset = {"name": "iris", "digest": "d1", "source_type": "local", "source": "{}"}
    uses = [{"dataset": dataset, "tags": [pair("mlflow.data.context", "training")]}]

    for _ in range(2):
        mlflow.post("runs/log-inputs", run_id=run_id, datasets=uses)

    listed = mlflow.post("experiments/search-datasets", experiment_ids=[str(experiment.pk)]).json()
    assert mlflow.run(run_id)["inputs"]["dataset_inputs"] == [{"dataset": dataset, "tags": uses[0]["tags"]}]
    assert listed["dataset_summaries"] == [
        {"experiment_id": str(experiment.pk), "name": "iris", "digest": "d1", "context": "training"}
    ]
