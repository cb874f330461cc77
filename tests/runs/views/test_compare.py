"""Compare: who sees it, what it shows of two to twenty runs, and how many queries that takes."""

import io
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from runs.actions import recording, snapshots
from runs.actions.recording import Point
from runs.models import Param, Tag
from runs.status import RunStatus
from tests import factories


@pytest.fixture
def make(experiment, owner, noon):
    """Makes runs with a param, a tag, a metric and code, whose number is in all of them."""

    def make_run(number, **fields):
        code = [("train.py", io.BytesIO(f"import os\nrate = {number}\n".encode())), ("same.py", io.BytesIO(b"pass\n"))]
        snapshot = snapshots.store_files(workspace=experiment.workspace, files=code, at=noon)
        run = factories.run(
            experiment,
            by=owner,
            status=RunStatus.COMPLETED,
            snapshot=snapshot,
            arguments=["--alpha", str(number), "data.csv"],
            environment_variables={"SECRET_TOKEN": f"hidden{number}", "THREADS": "4"},
            duration_seconds=60.0 + number,
            **fields,
        )
        recording.log_params(run=run, params={"lr": 0.1 * number, "optimizer": "adam", "text": f"value-{number}"})
        Tag.objects.create(run=run, key="note", value=f"tag-{number}")
        points = [Point("loss", value=number / (step + 1)) for step in range(5)]
        recording.log_metrics(run=run, points=points, at=noon)
        return run

    return make_run


def address(workspace, runs, **parameters):
    query = "&".join(f"{name}={value}" for name, value in parameters.items())
    return f"{reverse('run_compare', args=[workspace.name])}?runs={','.join(run.run_id for run in runs)}&{query}"


def test_a_member_sees_what_differs_only(client_for, reader, workspace, make):
    response = client_for(reader).get(address(workspace, [make(1), make(2)]))

    sections = {section.name: section for section in response.context["sections"]}
    assert [row.name for row in sections["params"].rows] == ["lr", "text"]
    assert [row.cells for row in sections["arguments"].rows] == [["1", "2"]]
    assert [row.cells for row in sections["tags"].rows] == [["tag-1", "tag-2"]]
    [loss] = sections["metrics"].rows
    assert (loss.cells, loss.least, loss.greatest) == ([0.2, 0.4], 0, 1)
    assert sections["params"].hidden_count == 1
    assert b"hidden1" not in response.content


def test_what_is_alike_is_shown_on_demand(client_for, reader, workspace, make):
    response = client_for(reader).get(address(workspace, [make(1), make(2)], all=1))

    assert "adam" in response.content.decode()
    assert "same.py" not in response.content.decode()


def test_numbers_written_otherwise_are_alike(client_for, reader, workspace, make):
    runs = [make(1), make(1)]
    Param.objects.filter(run=runs[0], name="lr").update(value="1e-1", number=0.1)

    response = client_for(reader).get(address(workspace, runs))

    assert response.context["sections"][1].rows == []


def test_curves_scatter_and_parallel_coordinates_are_drawn(client_for, reader, workspace, make):
    response = client_for(reader).get(address(workspace, [make(1), make(2), make(3)], x="lr", y="loss"))

    [(name, chart)] = response.context["charts"]
    assert (name, len(chart.lines), chart.point_count) == ("loss", 3, 15)
    assert len(response.context["scatter"].lines) == 3
    assert [axis.name for axis in response.context["parallel"].axes] == ["lr", "loss"]


def test_a_long_series_is_drawn_from_its_pyramid(client_for, reader, workspace, make, noon):
    runs = [make(1), make(2)]
    points = [Point("long", value=9.0 if step == 3_333 else 1.0) for step in range(6_000)]
    recording.log_metrics(run=runs[0], points=points, at=noon)

    response = client_for(reader).get(address(workspace, runs, metric="long"))

    [(_, chart)] = response.context["charts"]
    assert chart.point_count == 6_000
    assert chart.drawn_count < 700
    assert chart.y_high >= 9


def test_the_script_is_shown_as_a_diff(client_for, reader, workspace, make):
    runs = [make(1), make(1), make(2)]

    response = client_for(reader).get(address(workspace, runs))

    diff = response.context["diff"]
    assert (diff.path, diff.old, diff.new) == ("train.py", runs[0], runs[2])
    assert [(line.kind, line.text) for line in diff.lines[2:]] == [("removed", "rate = 1"), ("added", "rate = 2")]
    assert response.context["code"].files[0].versions == [1, 1, 2]
    assert response.context["code"].alike_count == 1


def test_a_snapshot_that_is_gone_is_said_and_does_not_hurt(client_for, reader, workspace, make, owner, experiment):
    gone = factories.run(experiment, by=owner, snapshot=factories.snapshot(workspace))

    response = client_for(reader).get(address(workspace, [make(1), gone], file="train.py"))

    assert response.context["code"].without == [gone]


def test_runs_of_others_do_not_exist(client_for, stranger, reader, workspace, make, noon):
    runs = [make(1), make(2)]
    elsewhere = factories.experiment(stranger.workspaces.get(), "secret")
    foreign = factories.run(elsewhere, by=stranger, display_name="foreign")

    response = client_for(reader).get(address(workspace, [*runs, foreign]))

    assert client_for(stranger).get(address(workspace, runs)).status_code == 404
    assert response.context["missing"] == [foreign.run_id]
    assert b">foreign<" not in response.content


@pytest.mark.parametrize(("count", "shown", "left_out"), [(0, 0, 0), (1, 1, 0), (22, 20, 2)])
def test_it_takes_two_to_twenty_runs(client_for, reader, workspace, experiment, owner, count, shown, left_out):
    runs = [factories.run(experiment, by=owner) for _ in range(count)]

    context = client_for(reader).get(address(workspace, runs)).context

    assert len(context["runs"]) == shown
    assert context["left_out_count"] == left_out
    assert context["is_comparison"] is (count > 1)


def test_more_runs_take_no_more_queries(client_for, reader, workspace, make, noon):
    client = client_for(reader)
    runs = [make(number, at=noon + timedelta(minutes=number)) for number in range(1, 21)]
    counts = []

    for amount in (2, 3, 20):
        with CaptureQueriesContext(connection) as queries:
            assert client.get(address(workspace, runs[:amount])).status_code == 200
        counts.append(len(queries))

    assert counts[0] == counts[1] == counts[2] <= 18
