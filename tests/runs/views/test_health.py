from datetime import timedelta

import pytest
from django.db import OperationalError
from django.test import Client
from django.utils import timezone
from pytest_django.fixtures import DjangoAssertNumQueries

from runs.models import ComputeTarget, Worker
from runs.views import health
from tests import factories


@pytest.fixture
def broker(monkeypatch: pytest.MonkeyPatch) -> None:
    """A broker that answers."""
    monkeypatch.setattr(health, "_has_broker", lambda: True)


def test_healthz_answers_anybody_without_the_database(
    client: Client, db: None, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_num_queries(0):
        answer = client.get("/healthz")

    assert (answer.status_code, answer.content) == (200, b"ok\n")


def test_readyz_is_ready_with_a_live_worker_for_each_target(client: Client, local: ComputeTarget, broker: None) -> None:
    factories.worker(at=timezone.now(), targets=["local"])

    answer = client.get("/readyz")

    assert (answer.status_code, answer.json()) == (200, {"ready": True, "missing": []})


def test_readyz_names_the_target_without_a_worker(client: Client, local: ComputeTarget, broker: None) -> None:
    factories.worker(at=timezone.now(), targets=["local"])
    factories.compute_target("gpu")

    answer = client.get("/readyz")

    assert answer.status_code == 503
    assert answer.json()["missing"] == ["a live worker for the compute target gpu"]


def test_readyz_does_not_count_a_silent_worker(client: Client, local: ComputeTarget, broker: None) -> None:
    factories.worker(at=timezone.now() - timedelta(minutes=5), targets=["local"])

    assert client.get("/readyz").status_code == 503


def test_readyz_does_not_count_a_worker_that_said_goodbye(client: Client, local: ComputeTarget, broker: None) -> None:
    factories.worker(at=timezone.now(), targets=["local"], stopped_at=timezone.now())

    assert client.get("/readyz").status_code == 503


def test_readyz_asks_for_no_worker_of_a_disabled_target(client: Client, local: ComputeTarget, broker: None) -> None:
    ComputeTarget.objects.update(is_enabled=False)

    assert client.get("/readyz").status_code == 200


def test_readyz_names_the_broker(client: Client, db: None) -> None:
    assert client.get("/readyz").json()["missing"] == ["broker"]


def test_readyz_names_the_database(client: Client, db: None, broker: None, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(**_: object) -> None:
        raise OperationalError

    monkeypatch.setattr(Worker.objects, "alive", fail)

    assert client.get("/readyz").json()["missing"] == ["database"]


@pytest.mark.parametrize("row_count", [3, 30])
def test_readyz_asks_the_database_twice(
    client: Client, db: None, broker: None, django_assert_num_queries: DjangoAssertNumQueries, row_count: int
) -> None:
    [factories.worker(at=timezone.now()) for _ in range(row_count)]
    [factories.compute_target() for _ in range(row_count)]

    with django_assert_num_queries(2):
        client.get("/readyz")
