"""Experiments as MLflow's clients make, find, rename, tag and delete them."""

import pytest

from runs.models import Experiment


def test_an_experiment_is_made_and_found(mlflow, workspace):
    made = mlflow.post("experiments/create", name="churn", tags=[{"key": "team", "value": "red"}]).json()

    by_id = mlflow.get("experiments/get", experiment_id=made["experiment_id"]).json()["experiment"]
    by_name = mlflow.get("experiments/get-by-name", experiment_name="churn").json()["experiment"]
    assert by_id == by_name
    assert (by_id["name"], by_id["lifecycle_stage"]) == ("churn", "active")
    assert by_id["tags"] == [{"key": "team", "value": "red"}]
    assert by_id["artifact_location"] == f"mlflow-artifacts:/{made['experiment_id']}"
    assert Experiment.objects.get(name="churn").workspace == workspace


def test_the_experiment_0_is_made_on_first_use(mlflow, workspace):
    found = mlflow.get("experiments/get", experiment_id="0").json()["experiment"]

    assert (found["experiment_id"], found["name"]) == ("0", "Default")
    assert mlflow.get("experiments/get-by-name", experiment_name="Default").json()["experiment"] == found


@pytest.mark.parametrize(
    ("method", "call", "body", "status", "code", "message"),
    [
        ("GET", "experiments/get", {}, 400, "INVALID_PARAMETER_VALUE", "Missing value for required parameter"),
        (
            "GET",
            "experiments/get",
            {"experiment_id": "99999"},
            404,
            "RESOURCE_DOES_NOT_EXIST",
            "No Experiment with id=",
        ),
        ("GET", "experiments/get", {"experiment_id": "x"}, 404, "RESOURCE_DOES_NOT_EXIST", "No Experiment with id="),
        ("GET", "experiments/get-by-name", {"experiment_name": "no"}, 404, "RESOURCE_DOES_NOT_EXIST", "'no'"),
        ("POST", "experiments/create", {"name": "explore-runs"}, 400, "RESOURCE_ALREADY_EXISTS", "already"),
        ("POST", "experiments/create", {"name": "n" * 501}, 400, "INVALID_PARAMETER_VALUE", "500"),
        ("POST", "experiments/search", {"max_results": 0}, 400, "INVALID_PARAMETER_VALUE", "positive"),
        ("POST", "registered-models/create", {"name": "m"}, 404, "ENDPOINT_NOT_FOUND", "registry"),
    ],
)
def test_a_refusal_is_in_mlflows_words(mlflow, experiment, method, call, body, status, code, message):
    answer = mlflow.get(call, **body) if method == "GET" else mlflow.post(call, **body)

    assert (answer.status_code, answer.json()["error_code"]) == (status, code)
    assert message in answer.json()["message"]


def test_a_deleted_experiment_takes_its_runs_along_and_brings_them_back(mlflow, experiment):
    run_id = mlflow.create(experiment, run_name="one")
    mlflow.post("experiments/delete", experiment_id=str(experiment.pk))

    gone = mlflow.names(experiment), mlflow.run(run_id)["info"]["lifecycle_stage"]
    refused = mlflow.post("runs/create", experiment_id=str(experiment.pk))
    mlflow.post("experiments/restore", experiment_id=str(experiment.pk))

    assert gone == ([], "deleted")
    assert "must be in the 'active' state" in refused.json()["message"]
    assert mlflow.names(experiment) == ["one"]


def test_an_experiment_is_renamed_and_tagged(mlflow, experiment):
    own = {"experiment_id": str(experiment.pk)}
    mlflow.post("experiments/update", **own, new_name="renamed")
    mlflow.post("experiments/set-experiment-tag", **own, key="a", value="1")
    mlflow.post("experiments/set-experiment-tag", **own, key="mlflow.note.content", value="*why*")
    mlflow.post("experiments/delete-experiment-tag", **own, key="a")

    experiment.refresh_from_db()
    assert (experiment.name, experiment.description, experiment.tags) == ("renamed", "*why*", {})


def test_experiments_are_searched(mlflow, workspace):
    for name, team in (("a1", "red"), ("a2", "blue"), ("B1", "red")):
        mlflow.post("experiments/create", name=name, tags=[{"key": "team", "value": team}])

    def names(**body):
        return [e["name"] for e in mlflow.post("experiments/search", **body).json().get("experiments", [])]

    assert names(max_results=10) == ["B1", "a2", "a1"]
    assert names(filter="name LIKE 'a%'", order_by=["name ASC"]) == ["a1", "a2"]
    assert names(filter="name ILIKE 'b%'") == ["B1"]
    assert names(filter="tags.team = 'red' AND name != 'B1'") == ["a1"]
    first = mlflow.post("experiments/search", max_results=2).json()
    assert names(max_results=2, page_token=first["next_page_token"]) == ["a1"]
