"""The pyramid of a long series: however its points arrive, no spike is lost, and nothing reads them again."""

import random

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from runs.actions import pyramid, recording
from runs.models import Metric, MetricBucket, MetricPoint
from runs.status import RunStatus
from tests import factories


@pytest.fixture
def run(experiment, owner, monkeypatch):
    monkeypatch.setattr(pyramid, "BEGINS_AFTER", 20)
    return factories.run(experiment, by=owner, status=RunStatus.RUNNING)


def log(run, values):
    points = [recording.Point("loss", value=value) for value in values]
    recording.log_metrics(run=run, points=points, at=factories.NOON)


def fresh_pyramid(metric):
    """What the pyramid of the stored points is, made in one go."""
    rows = [
        (point.step, pyramid.microseconds(point.at), point.value, point.text)
        for point in MetricPoint.objects.filter(metric=metric).order_by("id")
    ]
    return {
        (level, number): bucket
        for level, part in enumerate(pyramid.levels(rows, before=0))
        for number, bucket in part.items()
    }


@pytest.mark.parametrize("sizes", [[8, 24, 1, 31, 64, 128, 3], [1] * 40, [300], [21, 11, 96, 1], [20, 1, 11, 1]])
def test_batches_of_any_size_make_the_pyramid_that_all_points_make(run, sizes):
    draw = random.Random(4)
    for size in sizes:
        log(run, [draw.choice([draw.random(), float("nan"), float("inf")]) for _ in range(size)])

    metric = Metric.objects.get()
    stored = {(row.level, row.number): pyramid.bucket_of(row) for row in MetricBucket.objects.all()}
    assert stored == fresh_pyramid(metric)
    total = sum(sizes)
    full = {(row.level, row.number) for row in MetricBucket.objects.filter(is_open=False)}
    root = pyramid.root_level(total)
    assert full == {key for key in stored if key[0] != root and (key[1] + 1) * pyramid.size(key[0]) <= total}


def test_a_short_series_has_none(run):
    log(run, range(20))

    assert not MetricBucket.objects.exists()


def test_a_spike_is_in_the_bucket_of_every_level(run):
    log(run, [1.0] * 100 + [99.0] + [1.0] * 100 + [-99.0] + [1.0] * 100)

    levels = {row.level for row in MetricBucket.objects.all()}
    assert {row.level for row in MetricBucket.objects.filter(max_value=99.0, max_step=100)} == levels
    assert {row.level for row in MetricBucket.objects.filter(min_value=-99.0, min_step=201)} == levels


def test_long_series_cost_as_many_queries_as_one(run):
    names = [f"m{n}" for n in range(5)]
    recording.log_metrics(
        run=run, points=[recording.Point(name, value=1.0) for name in names for _ in range(30)], at=factories.NOON
    )
    counts = []

    for chosen in (names[:1], names):
        points = [recording.Point(name, value=2.0) for name in chosen]
        with CaptureQueriesContext(
            connection,
        ) as queries:
            recording.log_metrics(run=run, points=points, at=factories.NOON)
        counts.append(len(queries))

    assert counts[0] == counts[1]
