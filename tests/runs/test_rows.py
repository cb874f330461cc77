"""Rows written past the ORM are as the ORM would have written them."""

from datetime import datetime, timedelta, timezone

import pytest
from django.db import DataError, IntegrityError, transaction

from runs import rows
from runs.models import Metric, MetricPoint, Param
from runs.status import RunStatus
from tests import factories

POINT = ("metric_id", "step", "at", "value", "text")
PARAM = ("run_id", "experiment_id", "name", "value", "number")


@pytest.fixture
def run(experiment, owner):
    return factories.run(experiment, by=owner, status=RunStatus.RUNNING)


@pytest.fixture
def metric(run):
    return Metric.objects.create(run=run, name="loss", kind="number")


def test_rows_are_read_back_as_they_were_given_in_their_order(metric, noon, django_assert_num_queries):
    elsewhere = datetime(2026, 1, 1, 3, 30, 0, 125_000, tzinfo=timezone(timedelta(hours=3)))
    given = [(metric.pk, 2**60, noon, 0.1, ""), (metric.pk, -1, elsewhere, None, "NaN")]

    with django_assert_num_queries(1):
        rows.insert(MetricPoint, POINT, given)

    assert list(MetricPoint.objects.order_by("id").values_list("metric", "step", "at", "value", "text")) == given


def test_they_are_found_by_their_instants_as_others_are(metric, noon):
    rows.insert(MetricPoint, POINT, [(metric.pk, 1, noon, 0.5, "")])
    MetricPoint.objects.create(metric=metric, step=2, at=noon, value=0.5)

    assert MetricPoint.objects.filter(at=noon).count() == 2
    assert MetricPoint.objects.filter(at__range=(noon, noon)).count() == 2


def test_nothing_is_no_statement(django_assert_num_queries, db):
    with django_assert_num_queries(0):
        rows.insert(MetricPoint, POINT, [])
        rows.update(Metric, ("id", "point_count"), [])


def test_what_is_there_is_changed_or_left(run):
    def given(value):
        return [(run.pk, run.experiment_id, name, value, None) for name in ("a", "b")]

    rows.insert(Param, PARAM, given("1")[:1])
    rows.insert(Param, PARAM, given("2"), unique=("run_id", "name"))
    first = dict(Param.objects.values_list("name", "value"))
    rows.insert(Param, PARAM, given("3"), unique=("run_id", "name"), update=("value",))

    assert first == {"a": "1", "b": "2"}
    assert dict(Param.objects.values_list("name", "value")) == {"a": "3", "b": "3"}


def test_rows_are_changed_by_their_numbers(run, metric, noon, django_assert_num_queries):
    other = Metric.objects.create(run=run, name="other", kind="number")

    with django_assert_num_queries(1):
        rows.update(
            Metric,
            ("id", "point_count", "latest_value", "latest_at"),
            [(other.pk, 7, None, noon), (metric.pk, 5, 0.25, None)],
        )

    found = Metric.objects.order_by("pk").values_list("point_count", "latest_value", "latest_at")
    assert list(found) == [(5, 0.25, None), (7, None, noon)]


def test_what_the_table_refuses_is_refused(run):
    with pytest.raises(IntegrityError), transaction.atomic():
        rows.insert(Param, PARAM, [(run.pk, run.experiment_id, "a", None, None)])


@pytest.mark.postgres
def test_what_is_too_long_is_refused_and_not_cut(run):
    with pytest.raises(DataError), transaction.atomic():
        rows.insert(Param, PARAM, [(run.pk, run.experiment_id, "a" * 10_000, "", None)])
