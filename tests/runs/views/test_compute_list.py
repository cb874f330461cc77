"""The compute targets and their workers."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from runs.models import Attempt
from runs.status import RunStatus
from tests import factories

ADDRESS = "/compute/"


def attempt(run, target):
    now = timezone.now()
    return Attempt.objects.create(
        run=run, number=1, compute_target=target, host="host1", boot_id="b", cookie="c", claimed_at=now, lease_until=now
    )


@pytest.fixture
def running(experiment, team_mate, local):
    run = factories.run(experiment, by=team_mate, status=RunStatus.RUNNING, compute_target=local)
    attempt(run, local)
    return run


def test_a_target_shows_slots_current_runs_queue_and_workers(client_for, team_mate, experiment, local, running):
    factories.run(experiment, by=team_mate, status=RunStatus.QUEUED, compute_target=local)
    factories.worker(at=timezone.now(), kill_tier="cgroup", has_broker=True)
    factories.worker(at=timezone.now() - timedelta(minutes=5), host="gone")

    page = client_for(team_mate).get(ADDRESS)

    [row] = page.context["rows"]
    assert (row.running_count, row.queued_count, [worker.host for worker in row.workers]) == (1, 1, ["host1"])
    assert row.runs == [running]
    assert b"cgroup" in page.content
    assert b"cannot reach the broker" not in page.content


def test_a_run_that_waits_for_its_children_runs_and_takes_no_slot(client_for, team_mate, running):
    Attempt.objects.update(lent_until=timezone.now() + timedelta(seconds=60))

    page = client_for(team_mate).get(ADDRESS)

    [row] = page.context["rows"]
    assert (row.running_count, row.busy_count) == (1, 0)
    assert b"Waiting for child runs" in page.content


def test_a_worker_that_starts_nothing_says_why(client_for, team_mate, local):
    factories.worker(at=timezone.now(), refusal="The disk of host1 is full.")

    assert b"The disk of host1 is full." in client_for(team_mate).get(ADDRESS).content


def test_a_target_without_a_worker_says_how_to_start_one(client_for, team_mate, local):
    page = client_for(team_mate).get(ADDRESS)

    assert b"up --only worker --targets local" in page.content


def test_a_worker_without_a_broker_is_said(client_for, team_mate, local):
    factories.worker(at=timezone.now(), has_broker=False)

    page = client_for(team_mate).get(ADDRESS)

    assert b"cannot reach the broker" in page.content


def test_runs_of_other_workspaces_are_counted_but_not_named(client_for, stranger, running):
    page = client_for(stranger).get(ADDRESS)

    [row] = page.context["rows"]
    assert (row.runs, row.hidden_count) == ([], 1)
    assert running.run_id not in page.content.decode()
    assert running.experiment.name not in page.content.decode()


def test_whoever_is_not_signed_in_is_sent_to_the_sign_in(client, db):
    assert client.get(ADDRESS)["Location"].startswith("/sign-in/")


def test_the_number_of_queries_does_not_grow_with_the_rows(client_for, team_mate, experiment, local):
    client = client_for(team_mate)

    counts = []
    for rows in (3, 27):
        for _ in range(rows):
            target = factories.compute_target()
            factories.worker(at=timezone.now(), targets=[target.name])
            attempt(factories.run(experiment, by=team_mate, status=RunStatus.RUNNING, compute_target=target), target)
        with CaptureQueriesContext(connection) as queries:
            client.get(ADDRESS)
        counts.append(len(queries))

    assert counts[0] == counts[1]
