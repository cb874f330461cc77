"""Charts: no spike is lost, no number breaks them, and a million points are few."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runs.models import Metric, MetricPoint
from runs.models.metric import MetricKind
from runs.status import RunStatus
from runs.views import run_chart, run_metrics
from runs.views.run_chart import Point
from tests import factories


def test_reducing_keeps_the_spikes():
    points = [Point(x, 0.0) for x in range(100_000)]
    points[54_321] = Point(54_321, 99.0)
    points[77_777] = Point(77_777, -99.0)

    reduced = run_chart.reduce(points)

    assert len(reduced) <= 2 * run_chart.BUCKETS
    assert {points[54_321], points[77_777]} <= set(reduced)


def test_what_is_no_number_is_a_mark():
    chart = run_chart.draw(
        [Point(1, 1.0), Point(2, None, "NaN"), Point(3, None, "-Infinity"), Point(4, 2.0)],
        point_count=4,
        x_label="Step",
    )

    assert [mark.title for mark in chart.marks] == ["2: NaN", "3: -Infinity"]
    assert len(chart.dots) == 2


@given(
    st.lists(st.tuples(st.integers(-(2**63), 2**63 - 1), st.floats(allow_nan=False, allow_infinity=False)), max_size=30)
)
def test_any_numbers_make_a_chart(pairs):
    chart = run_chart.draw([Point(x, y) for x, y in sorted(pairs)], point_count=len(pairs), x_label="Step")

    assert "nan" not in chart.path
    assert "inf" not in chart.path
    assert all(math.isfinite(float(tick.at)) for tick in chart.x_ticks + chart.y_ticks)


@pytest.mark.django_db
def test_a_long_series_is_cut_into_buckets_by_the_database(experiment, team_mate, monkeypatch):
    monkeypatch.setattr(run_metrics, "_READ_POINTS", 100)
    run = factories.run(experiment, by=team_mate, status=RunStatus.COMPLETED)
    metric = Metric.objects.create(run=run, name="loss", kind=MetricKind.NUMBER, point_count=10_000)
    MetricPoint.objects.bulk_create(
        MetricPoint(metric=metric, step=step * 10**12, at=factories.NOON, value=99.0 if step == 4_321 else 1.0)
        for step in range(10_000)
    )
    MetricPoint.objects.create(metric=metric, step=5, at=factories.NOON, text="NaN")

    [view] = run_metrics.views_of(run, [metric])

    assert view.chart.is_reduced
    assert view.chart.drawn_count <= 2 * run_chart.BUCKETS + 1
    assert view.chart.y_ticks[-1].label == "100"
    assert len(view.chart.marks) == 1


@pytest.mark.django_db
def test_rows_of_two_numbers_are_a_line_and_others_a_table(experiment, team_mate):
    run = factories.run(experiment, by=team_mate, status=RunStatus.COMPLETED)
    line = Metric.objects.create(run=run, name="curve", kind=MetricKind.ROW, point_count=2)
    table = Metric.objects.create(run=run, name="people", kind=MetricKind.ROW, point_count=1)
    MetricPoint.objects.create(metric=line, step=0, at=factories.NOON, text='{"x": 1, "y": 2}')
    MetricPoint.objects.create(metric=line, step=1, at=factories.NOON, text='{"x": 2, "y": 3}')
    MetricPoint.objects.create(metric=table, step=0, at=factories.NOON, text='{"name": "ann", "age": 3, "city": "x"}')

    [curve, people] = run_metrics.views_of(run, [line, table])

    assert curve.chart.x_label == "x"
    assert people.chart is None
    assert people.rows == [["ann", 3, "x"]]
