from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from runs import lifecycle
from runs.actions import tokens
from runs.status import RunStatus
from runs.views import metrics
from tests import factories


@pytest.fixture(autouse=True)
def fresh(monkeypatch):
    """A process that was never asked."""
    monkeypatch.setattr(metrics, "_events", metrics._Events())


@pytest.fixture
def scrape(admin, client_for):
    browser = client_for(admin)

    def scrape():
        lines = browser.get("/metrics").content.decode().splitlines()
        return dict(line.rsplit(" ", 1) for line in lines if not line.startswith("#"))

    return scrape


def test_strangers_and_mere_users_learn_nothing(client: Client, owner, client_for) -> None:
    token = tokens.create_token(user=owner, name="", at=timezone.now())[1]

    answers = [
        client.get("/metrics"),
        client_for(owner).get("/metrics"),
        client.get("/metrics", headers={"Authorization": f"Bearer {token}"}),
        client.get("/metrics", headers={"Authorization": "Bearer nonsense"}),
    ]

    assert [answer.status_code for answer in answers] == [401] * 4
    assert all(b"studio_" not in answer.content for answer in answers)


def test_an_administrators_token_opens_them_and_one_of_a_run_does_not(client: Client, admin, experiment) -> None:
    run = factories.run(experiment, by=admin)
    secrets = [
        tokens.create_token(user=admin, name="", at=timezone.now())[1],
        tokens.create_run_token(run=run, attempt_number=0, at=timezone.now())[1],
    ]

    answers = [client.get("/metrics", headers={"Authorization": f"Bearer {secret}"}) for secret in secrets]

    assert [answer.status_code for answer in answers] == [200, 401]
    assert answers[0]["Content-Type"].startswith("text/plain; version=")


def test_queues_slots_workers_and_statuses_are_told(scrape, experiment, owner, local) -> None:
    now = timezone.now()
    factories.run(experiment, by=owner, compute_target=local, at=now - timedelta(seconds=90))
    factories.run(experiment, by=owner, compute_target=local, at=now, not_before=now + timedelta(hours=1))
    factories.attempt(factories.run(experiment, by=owner, compute_target=local, status=RunStatus.RUNNING))
    factories.worker(at=now, targets=["local"])

    told = scrape()

    assert told['studio_queued_runs{compute_target="local"}'] == "2.0"
    assert 90 <= float(told['studio_queue_wait_seconds{compute_target="local"}']) < 100
    assert told['studio_slots{compute_target="local"}'] == "2.0"
    assert told['studio_slots_taken{compute_target="local"}'] == "1.0"
    assert told['studio_workers{compute_target="local"}'] == "1.0"
    assert told["studio_workers_without_broker"] == "1.0"
    assert told['studio_runs{status="Queued"}'] == "2.0"
    assert told['studio_runs{status="Running"}'] == "1.0"


def test_what_happens_after_the_first_scrape_is_counted_once(scrape, experiment, owner, local) -> None:
    at = timezone.now() - timedelta(minutes=5)
    started = factories.run(experiment, by=owner, compute_target=local, at=at, status=RunStatus.STARTING)
    lost = factories.run(experiment, by=owner, at=at, status=RunStatus.RUNNING, attempt_number=1)
    stopped = factories.run(
        experiment, by=owner, at=at, status=RunStatus.CANCEL_REQUESTED, cancel_requested_at=at, attempt_number=1
    )
    scrape()

    lifecycle.move(started, RunStatus.RUNNING, at=at + timedelta(seconds=2), actor="supervisor")
    lifecycle.move(lost, RunStatus.NOT_RESPONDING, at=at, actor="reaper")
    lifecycle.move(stopped, RunStatus.CANCELED, at=at + timedelta(seconds=0.4), actor="supervisor")
    scrape()
    told = scrape()

    assert (told["studio_start_seconds_count"], told["studio_start_seconds_sum"]) == ("1.0", "2.0")
    assert (told["studio_cancel_seconds_count"], told["studio_cancel_seconds_sum"]) == ("1.0", "0.4")
    assert told["studio_leases_lost_total"] == "1.0"
    assert told['studio_runs_ended_total{status="Canceled"}'] == "1.0"
    assert told['studio_runs_ended_total{status="Failed"}'] == "0.0"


@pytest.mark.parametrize("count", [3, 30])
def test_the_database_is_asked_as_often_for_many_rows_as_for_few(
    scrape, experiment, owner, local, django_assert_num_queries, count
) -> None:
    scrape()
    for _ in range(count):
        factories.run(experiment, by=owner, compute_target=local)
        factories.worker(at=timezone.now())

    with django_assert_num_queries(8):  # two of them for the session
        scrape()
