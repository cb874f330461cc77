"""A client that speaks MLflow's REST API with a token."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from runs.actions import tokens
from runs.models import Experiment, Run

ROOT = "/api/2.0/mlflow/"
FILES = "/api/2.0/mlflow-artifacts/artifacts"


class Mlflow:
    """Calls as the bearer of one token; `at` is the start of the addresses, such as `/w/default`."""

    def __init__(self, authorization: str, at: str = "") -> None:
        self.client = Client(enforce_csrf_checks=True)
        self.at = at
        self.headers = {"Authorization": authorization} if authorization else {}

    def get(self, call: str, **query: Any):
        return self.client.get(f"{self.at}{ROOT}{call}", query, headers=self.headers)

    def send(self, method: str, call: str, body: Any):
        return self.client.generic(
            method, f"{self.at}{ROOT}{call}", json.dumps(body), "application/json", headers=self.headers
        )

    def post(self, call: str, **body: Any):
        return self.send("POST", call, body)

    def file(self, method: str, path: str, data: bytes = b""):
        return self.client.generic(
            method, f"{self.at}{FILES}{path}", data, "application/octet-stream", headers=self.headers
        )

    def create(self, experiment: Experiment, **body: Any) -> str:
        """Start a run; return its id."""
        made = self.post("runs/create", experiment_id=str(experiment.pk), start_time=1_700_000_000_000, **body)
        return made.json()["run"]["info"]["run_id"]

    def run(self, run_id: str) -> dict[str, Any]:
        return self.get("runs/get", run_id=run_id).json()["run"]

    def search(self, experiment: Experiment, filter: str = "", **body: Any):
        return self.post("runs/search", experiment_ids=[str(experiment.pk)], filter=filter, **body)

    def names(self, experiment: Experiment, filter: str = "", **body: Any) -> list[str]:
        """Return the names of the runs that a search finds."""
        return [run["info"]["run_name"] for run in self.search(experiment, filter, **body).json().get("runs", [])]


def metric(key: str, value: Any, step: int = 0, timestamp: int = 1) -> dict[str, Any]:
    return {"key": key, "value": value, "step": step, "timestamp": timestamp}


def pair(key: str, value: str) -> dict[str, str]:
    return {"key": key, "value": value}


@pytest.fixture
def mlflow_for(db: None) -> Callable[..., Mlflow]:
    """A client with a token of the given user."""

    def with_token(user: User, at: str = "") -> Mlflow:
        return Mlflow(f"Bearer {tokens.create_token(user=user, name='test', at=timezone.now())[1]}", at)

    return with_token


@pytest.fixture
def mlflow(mlflow_for, team_mate) -> Mlflow:
    """A client with a token of a contributor."""
    return mlflow_for(team_mate)


@pytest.fixture
def mlflow_of(db: None) -> Callable[[Run], Mlflow]:
    """A client with the token of the given run's latest attempt."""

    def with_token(run: Run) -> Mlflow:
        secret = tokens.create_run_token(run=run, attempt_number=run.attempt_number, at=timezone.now())[1]
        return Mlflow(f"Bearer {secret}")

    return with_token
