"""Who may do what through MLflow's clients, and where."""

import base64

import pytest

from runs.actions import tokens
from runs.status import RunStatus
from tests import factories
from tests.api.mlflow.conftest import Mlflow


def basic(name, password):
    return "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()


@pytest.fixture
def secret(team_mate, noon):
    return tokens.create_token(user=team_mate, name="test", at=noon)[1]


@pytest.mark.parametrize("authorization", ["", "Bearer no", "Basic !", basic("tom", "wrong"), basic("", "")])
def test_who_is_nobody_is_refused(experiment, team_mate, authorization):
    answer = Mlflow(authorization).get("experiments/get", experiment_id=str(experiment.pk))

    assert (answer.status_code, answer.json()["error_code"]) == (401, "UNAUTHENTICATED")
    assert answer["WWW-Authenticate"].startswith("Basic")


def test_a_token_or_a_password_opens(experiment, secret):
    for authorization in (f"Bearer {secret}", basic("anything", secret), basic("tom", "secret")):
        assert Mlflow(authorization).get("experiments/get", experiment_id=str(experiment.pk)).status_code == 200


def test_a_session_opens_nothing(client_for, team_mate, experiment):
    assert client_for(team_mate).get("/api/2.0/mlflow/experiments/search").status_code == 401


def test_a_reader_looks_and_does_not_touch(mlflow_for, reader, owner, experiment):
    run = factories.run(experiment, by=owner, status=RunStatus.RUNNING)
    mlflow = mlflow_for(reader)

    assert mlflow.get("runs/get", run_id=run.run_id).status_code == 200
    refused = [
        mlflow.post("runs/create", experiment_id=str(experiment.pk)),
        mlflow.post("runs/set-tag", run_id=run.run_id, key="a", value="1"),
        mlflow.post("experiments/create", name="new"),
        mlflow.post("experiments/delete", experiment_id=str(experiment.pk)),
        mlflow.post("logged-models", experiment_id=str(experiment.pk), name="m"),
        mlflow.file("PUT", f"/0/{run.run_id}/artifacts/a.txt", b"a"),
        mlflow.file("DELETE", f"/0/{run.run_id}/artifacts/a.txt"),
    ]
    assert {(answer.status_code, answer.json()["error_code"]) for answer in refused} == {(403, "PERMISSION_DENIED")}


def test_what_is_not_yours_does_not_exist(mlflow_for, stranger, owner, experiment):
    run = factories.run(experiment, by=owner, status=RunStatus.RUNNING)
    mlflow = mlflow_for(stranger)

    answers = [
        mlflow.get("runs/get", run_id=run.run_id),
        mlflow.post("runs/log-metric", run_id=run.run_id, key="a", value=1, timestamp=1),
        mlflow.get("experiments/get", experiment_id=str(experiment.pk)),
        mlflow.get("experiments/get-by-name", experiment_name=experiment.name),
        mlflow.get("metrics/get-history-bulk", run_id=[run.run_id], metric_key="a"),
        mlflow.file("GET", f"/0/{run.run_id}/artifacts/a.txt"),
    ]
    assert {answer.status_code for answer in answers} == {404}
    assert mlflow.search(experiment).json() == {}


def test_the_address_chooses_the_workspace(mlflow_for, team_mate, experiment):
    other = factories.workspace("other")
    factories.member(other, team_mate)
    here, there = mlflow_for(team_mate, "/w/default"), mlflow_for(team_mate, "/w/other")

    made = there.post("experiments/create", name="explore-runs").json()["experiment_id"]

    assert made != str(experiment.pk)
    assert here.get("experiments/get", experiment_id=made).status_code == 404
    assert (
        there.get("experiments/get-by-name", experiment_name="explore-runs").json()["experiment"]["experiment_id"]
        == made
    )
    assert mlflow_for(team_mate, "/w/no").post("experiments/search").status_code == 404


def test_a_runs_token_reaches_its_own_tree_only(mlflow_of, experiment, owner):
    run = factories.run(experiment, by=owner, status=RunStatus.RUNNING, attempt_number=1)
    beside = factories.run(experiment, by=owner, status=RunStatus.RUNNING)
    mlflow = mlflow_of(run)

    assert mlflow.get("runs/get", run_id=beside.run_id).status_code == 404
    assert mlflow.post("runs/delete", run_id=run.run_id).status_code == 403
    assert len(mlflow.names(experiment)) == 1


def test_the_server_says_what_it_is(client):
    assert client.get("/health").content == b"OK"
    assert client.get("/version").status_code == 200
    assert client.get("/api/3.0/mlflow/server-info").json()["workspaces_enabled"] is False
    assert client.post("/api/3.0/mlflow/traces").json()["error_code"] == "ENDPOINT_NOT_FOUND"
