"""The charts above an experiment's table."""

import json
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from runs.actions import recording
from runs.models import Metric
from tests import factories


@pytest.fixture
def address(experiment):
    return experiment.get_absolute_url()


@pytest.fixture
def runs(experiment, team_mate, noon):
    """Two runs with three points of a loss, one a minute, the second run's last point being no number."""
    runs = [factories.run(experiment, by=team_mate, started_at=noon) for _ in range(2)]
    for number, run in enumerate(runs):
        points = [
            recording.Point("loss", value=value, at=noon + timedelta(minutes=place))
            for place, value in enumerate([3.0 + number, 2.0, float("nan") if number else 1.0])
        ]
        recording.log_metrics(run=run, points=points, at=noon)
    return runs


def charts(page):
    return page.context["charts"]


def data(page, place=0):
    return json.loads(charts(page)[place].plot.data)


def test_at_first_each_of_two_metrics_is_a_scatter_over_the_run_number(client_for, team_mate, runs, address):
    page = client_for(team_mate).get(address)

    assert [chart.spec.text for chart in charts(page)] == ["scatter.number.loss"]
    assert data(page)["series"][0]["points"] == [[1.0, 1.0]]
    assert charts(page)[0].plot.odd_count == 1
    assert b"<circle" in page.content


@pytest.mark.parametrize(
    ("asked", "xs"),
    [
        ("line.step.loss", [0, 1, 2]),
        ("scatter.relative.loss", [0, 60, 120]),
        ("bar.step.loss", [0, 1, 2]),
    ],
)
def test_curves_run_over_steps_or_time(client_for, team_mate, runs, address, asked, xs):
    page = client_for(team_mate).get(address, {"chart": asked})

    first, second = data(page)["series"]
    assert [x for x, _y in first["points"]] == xs
    assert second["points"] == [[xs[0], 4.0], [xs[1], 2.0]]
    assert second["run"] == runs[1].run_id


def test_several_metrics_share_a_chart_and_summaries_are_shown(client_for, team_mate, runs, address):
    page = client_for(team_mate).get(address, {"chart": ["line.number.loss.min,loss.max", "none"]})

    assert [series["label"] for series in data(page)["series"]] == ["loss, least", "loss, greatest"]
    assert data(page)["series"][1]["points"] == [[1.0, 3.0], [2.0, 4.0]]


def test_only_chosen_rows_are_drawn(client_for, team_mate, runs, address):
    bulk = reverse("runs_bulk", args=["default"])
    client = client_for(team_mate)

    answer = client.post(bulk, {"verb": "chart", "run": [runs[1].run_id], "next": f"{address}?chart=line.step.loss"})
    page = client.get(answer["Location"])

    assert [series["run"] for series in data(page)["series"]] == [runs[1].run_id]
    assert b"The charts show 1 chosen run only." in page.content


@pytest.mark.parametrize("asked", ["pie.number.loss", "line.moon.loss", "line.step.", "line", ["line.step.loss"] * 13])
def test_what_is_no_chart_is_refused(client_for, team_mate, runs, address, asked):
    assert client_for(team_mate).get(address, {"chart": asked}).status_code == 400


def test_charts_are_added_edited_and_removed_without_scripts(client_for, team_mate, runs, experiment, address):
    edit = reverse("chart_edit", args=["default", experiment.name])
    state = {"q": "x", "chart": ["line.step.loss", "bar.number.loss"]}
    sent = {"kind": "scatter", "x": "time", "metric": "loss", "other": "val, a", "save": "1"}
    client = client_for(team_mate)

    added = client.get(edit, {**state, **sent})["Location"]
    changed = client.get(edit, {**state, **sent, "place": "0"})["Location"]
    removed = client.get(edit, {**state, "place": "0", "remove": "1"})["Location"]
    last = client.get(edit, {"chart": "line.step.loss", "place": "0", "remove": "1"})["Location"]

    assert added == f"{address}?q=x&chart=line.step.loss&chart=bar.number.loss&chart=scatter.time.loss%2Cval%2Ca"
    assert changed == f"{address}?q=x&chart=scatter.time.loss%2Cval%2Ca&chart=bar.number.loss"
    assert removed == f"{address}?q=x&chart=bar.number.loss"
    assert last == f"{address}?chart=none"


def test_a_chart_without_metrics_is_not_saved(client_for, team_mate, runs, experiment):
    edit = reverse("chart_edit", args=["default", experiment.name])

    page = client_for(team_mate).get(edit, {"kind": "line", "x": "step", "save": "1"})

    assert page.status_code == 422
    assert b"A chart shows one to 8 metrics." in page.content


def test_the_queries_do_not_grow_with_the_runs(client_for, team_mate, experiment, address, noon):
    client, counts = client_for(team_mate), []

    for rows in (3, 17):
        for number in range(rows):
            run = factories.run(experiment, by=team_mate)
            recording.log_metrics(run=run, points=[recording.Point("loss", value=number)], at=noon)
        with CaptureQueriesContext(connection) as queries:
            client.get(address, {"chart": ["line.step.loss", "bar.number.loss"]})
        counts.append(len(queries))

    assert Metric.objects.count() == 20
    assert counts[0] == counts[1]
