"""Lists cost the same number of queries for three rows and for thirty."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from runs.actions import recording, tagging
from runs.models import RunType
from runs.status import RunStatus
from tests import factories


@pytest.fixture
def parent(experiment, owner):
    return factories.run(experiment, by=owner, status=RunStatus.RUNNING, run_type=RunType.INTERACTIVE)


def fill(numbers, *, parent, owner, local, noon):
    """One of everything that is listed for each of `numbers`."""
    for number in numbers:
        child = factories.run(parent.experiment, by=owner, parent=parent, compute_target=local)
        factories.run(factories.experiment(parent.workspace), by=owner, compute_target=local)
        for run in (child, parent):
            recording.log_metrics(run=run, points=[recording.Point(f"m{number}", value=number)], at=noon)
        tagging.set_tags(run=child, tags={"a": "b", "c": None})
        tagging.add_properties(run=child, properties={"a": "b"})
        recording.log_params(run=child, params={"a": 1})
        recording.save_artifact(run=parent, path=f"outputs/{number}", chunks=[b"x"], at=noon)
        parent.events.create(to_status=RunStatus.RUNNING, at=noon, by=owner)
        factories.worker()
        factories.compute_target()
        factories.member(factories.workspace(), owner)


def ask(api, address, least):
    with CaptureQueriesContext(connection) as captured:
        answer = api.get(address)
    assert len(answer.json()["items"]) >= least
    return len(captured)


@pytest.mark.parametrize(
    "address",
    [
        "/runs?include_children=true&limit=100",
        "/runs?query=status:queued&include_children=true&limit=100",
        "/runs/{}/children?limit=100",
        "/runs/{}/children?recursive=true&limit=100",
        "/runs/{}/metrics",
        "/runs/{}/metrics?points=100&recursive=true",
        "/runs/{}/events",
        "/runs/{}/artifacts",
        "/experiments?limit=100",
        "/workspaces",
        "/compute-targets",
        "/workers",
    ],
)
def test_a_list_takes_as_many_queries_for_thirty_rows_as_for_three(
    address, api_for, owner, parent, local, noon, settings, tmp_path
):
    settings.STUDIO_HOME = tmp_path
    api = api_for(owner)
    address = address.format(parent.run_id)
    fill(range(3), parent=parent, owner=owner, local=local, noon=noon)
    ask(api, address, least=3)

    for_three = ask(api, address, least=3)
    fill(range(3, 30), parent=parent, owner=owner, local=local, noon=noon)
    for_thirty = ask(api, address, least=30)

    assert for_three == for_thirty


def test_storing_points_takes_as_many_queries_for_thirty_as_for_three(api_for, owner, parent):
    api = api_for(owner)
    address = f"/runs/{parent.run_id}/metrics"
    api.post(address, {"points": [{"name": "x", "value": 1}]})

    counts = []
    for count in (3, 30):
        with CaptureQueriesContext(connection) as captured:
            api.post(address, {"batch_id": f"b{count}", "points": [{"name": "x", "value": 1}] * count})
        counts.append(len(captured))

    assert counts[0] == counts[1]


def test_starting_children_takes_as_many_queries_for_fifteen_as_for_three(api_for, owner, parent):
    api = api_for(owner)
    api.post(f"/runs/{parent.run_id}/children", {"count": 1})

    counts = []
    for count in (3, 15):  # SQLite takes 999 values, so 19 rows of runs, at once
        with CaptureQueriesContext(connection) as captured:
            api.post(f"/runs/{parent.run_id}/children", {"count": count})
        counts.append(len(captured))

    assert counts[0] == counts[1]
