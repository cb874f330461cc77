"""The Metrics tab: every kind as it should look, a million points as few, and a zoom that sees every one."""

import json
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from runs.actions import recording
from runs.models import Metric, MetricBucket
from runs.status import RunStatus
from runs.views import curves, metric_documents
from runs.views.curves import Axis, Window
from tests import factories


@pytest.fixture
def run(experiment, team_mate):
    return factories.run(experiment, by=team_mate, status=RunStatus.COMPLETED, started_at=factories.NOON)


@pytest.fixture
def client(client_for, team_mate):
    return client_for(team_mate)


@pytest.fixture
def long(run):
    """A series of 8,000 points, one every second, with a spike, a dip, a NaN and an infinity."""
    odd = {4_345: 99.0, 7_001: -99.0, 3_000: float("nan"), 3_100: float("inf")}
    points = [
        recording.Point("loss", step=step, at=factories.NOON + timedelta(seconds=step), value=odd.get(step, 1.0))
        for step in range(8_000)
    ]
    recording.log_metrics(run=run, points=points, at=factories.NOON)
    return Metric.objects.get()


def page(client, run, **query):
    return client.get(reverse("run_metrics", args=[run.run_id]), query)


def ask(client, run, **query):
    return client.get(reverse("run_curves", args=[run.run_id]), query).json()


def test_a_long_series_is_few_points_and_no_spike_is_lost(long):
    curve = curves.read([long], window=Window())[long.pk]

    assert curve.point_count == 8_000
    assert len(curve.points) <= curves.DRAWN_POINTS + 2
    assert {(4_345, 99.0), (7_001, -99.0), (7_999, 1.0)} <= {(point.x, point.y) for point in curve.points}
    assert {"NaN", "Infinity"} <= {point.text for point in curve.points}
    assert [point.x for point in curve.points] == sorted(point.x for point in curve.points)


@pytest.mark.parametrize("axis", Axis)
def test_a_zoom_reads_again_and_shows_every_point_of_a_short_part(long, run, axis):
    zero = factories.NOON.timestamp() if axis is Axis.TIME else 0
    window = Window(axis, zero + 4_300, zero + 4_400, run.started_at)

    curve = curves.read([long], window=window)[long.pk]

    assert curve.point_count == len(curve.points) == 101
    assert (zero + 4_345, 99.0) in {(point.x, point.y) for point in curve.points}


@pytest.mark.parametrize(("low", "high"), [(None, None), (1_000, 7_500), (100, 120), (50_000, 60_000)])
def test_a_look_at_a_long_series_takes_three_queries_at_most(long, low, high):
    with CaptureQueriesContext(connection) as queries:
        curves.read([long], window=Window(Axis.STEP, low, high))

    assert len(queries) <= 4  # one for the short ones, of which there are none


def test_a_long_series_that_is_older_than_pyramids_is_drawn_all_the_same(long):
    before = curves.read([long], window=Window())[long.pk]
    MetricBucket.objects.all().delete()

    assert curves.read([long], window=Window())[long.pk].points == before.points


def test_the_caption_says_how_many_of_how_many(client, run, long):
    text = page(client, run).content.decode()
    answer = ask(client, run, name="loss")

    assert "of 8,000 points" in text
    assert answer["caption"].endswith("of 8,000 points; least, greatest and last of each stretch")


def test_the_script_gets_the_part_it_asks_for(client, run, long):
    answer = ask(client, run, name="loss", **{"from": "4344.5", "to": "4346"})

    assert answer["series"][0]["points"] == [[4_345, 99.0], [4_346, 1.0]]
    assert answer["caption"] == "2 of 2 points"


def test_options_come_from_the_address_and_nonsense_is_left_out(client, run):
    recording.log_metrics(
        run=run,
        points=[recording.Point(name, value=value) for name in ("loss", "val_loss") for value in (100.0, 0.01)],
        at=factories.NOON,
    )

    answer = page(client, run, name=["loss", "val_loss"], together="1", log="1", smooth="0.5", x="relative")
    odd = page(client, run, x="nowhere", smooth="nan", **{"from": "inf", "to": "'", "view": "<"})

    together = answer.context["together"].chart
    assert [line.name for line in together.lines] == ["loss", "val_loss"]
    assert [line.color for line in together.lines] == [1, 2]
    assert all(line.smooth for line in together.lines)
    assert together.y_ticks[0].label == "0.01"
    assert odd.status_code == 200
    assert odd.context["options"].axis == Axis.STEP


def test_a_table_shows_the_latest_points(client, run):
    recording.log_metrics(run=run, points=[recording.Point("loss", value=n) for n in range(300)], at=factories.NOON)

    answer = page(client, run, view="table")

    [view] = answer.context["views"]
    assert view.chart is None
    assert [row[0] for row in view.rows] == list(range(299, 99, -1))
    assert "The latest 200 of 300 points" in answer.content.decode()


def test_a_search_narrows_the_tick_list(client, run):
    recording.log_metrics(
        run=run, points=[recording.Point(n, value=1) for n in ("loss", "val_loss", "auc")], at=factories.NOON
    )

    answer = page(client, run, find="LOSS")

    assert [metric.name for metric, _ in answer.context["series"]] == ["loss", "val_loss"]


def row(series, **cells):
    return recording.Point(series, text=recording.row_text(cells), kind="row")


def test_rows_of_two_numbers_are_a_line_and_others_a_table(client, run):
    points = [row("curve", x=1, y=2), row("curve", x=2, y=3), row("people", name="ann", age=3, city="x")]
    recording.log_metrics(run=run, points=points, at=factories.NOON)

    curve, people = page(client, run).context["views"]

    assert curve.chart.x_label == "x"
    assert people.chart is None
    assert people.rows == [["ann", 3, "x"]]


DOCUMENTS = {
    "confusion_matrix": {"class_labels": ["cat", "dog"], "matrix": [[9, 1], [2, 8]]},
    "residuals": {"bin_edges": [-1, 0, 1], "bin_counts": [3, 7], "mean": 0.1, "stddev": 0.5},
    "predictions": {"bin_averages": [1.1, 2.2], "bin_errors": [0.1, 0.2], "bin_edges": [0, 2, 4]},
    "accuracy_table": {"class_labels": ["a"], "probability_tables": [[[5, 5, 0, 0], [4, 1, 4, 1], [0, 0, 5, 5]]]},
}


@pytest.mark.parametrize(
    ("schema", "sign"),
    [
        ("confusion_matrix", 'class="numeric shade-8"'),
        ("residuals", "bar-mark"),
        ("predictions", "Predicted over true value"),
        ("accuracy_table", "Precision over recall"),
    ],
)
def test_documents_of_azure_ml_have_figures_of_their_own(client, run, schema, sign):
    text = json.dumps({"schema_type": schema, "schema_version": "1.0.0", "data": DOCUMENTS[schema]})
    recording.log_metrics(run=run, points=[recording.Point("it", text=text, kind="document")], at=factories.NOON)

    answer = page(client, run)

    assert answer.context["views"][0].figure is not None
    assert sign in answer.content.decode()


@pytest.mark.parametrize(
    "data",
    [
        {},
        [],
        {"class_labels": ["a"], "matrix": [[1, 2], [3, 4]], "bin_edges": [1], "bin_counts": [2]},
        {"matrix": [["x"]], "bin_edges": ["x", 2], "bin_counts": [1], "bin_averages": [], "probability_tables": [[1]]},
        {"matrix": [[float("inf")]], "bin_edges": [1, 1], "bin_counts": [0], "probability_tables": [[[1, 2]]]},
    ],
)
@pytest.mark.parametrize("schema", DOCUMENTS)
def test_a_document_of_another_form_is_shown_as_it_is(schema, data):
    assert metric_documents.figure_of({"schema_type": schema, "data": data}) is None


def test_the_page_takes_as_many_queries_for_many_series_as_for_few(client, run):
    counts = []
    for names in (3, 12):
        points = [recording.Point(f"m{n}", value=value) for n in range(names) for value in (1.0, 2.0)]
        recording.log_metrics(run=run, points=points, at=factories.NOON)
        with CaptureQueriesContext(connection) as queries:
            page(client, run)
        counts.append(len(queries))

    assert counts[0] == counts[1]
