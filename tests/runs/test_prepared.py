"""Queries compiled once: other values find other rows, and say the same as the ORM."""

import pytest
from django.contrib.auth.models import User
from django.db.models import F

from runs.models import Metric, MetricPoint, Run, StatusCount
from runs.prepared import AnyOf, Prepared, PreparedAddition, PreparedUpdate, as_instant, raw
from runs.status import RunStatus
from tests import factories


def test_other_values_find_other_rows(experiment, owner):
    runs = [factories.run(experiment, by=owner) for _ in range(2)]
    of_id = Prepared(lambda run_id: Run.objects.select_related("experiment").filter(run_id=run_id))

    found = [of_id.first(run.run_id) for run in [*runs, runs[0]]]

    assert found == [*runs, runs[0]]
    assert found[0].experiment == experiment
    assert found[0].created_at == runs[0].created_at
    assert of_id("no such") == []


def test_it_is_compiled_once_and_asks_once(experiment, owner, django_assert_num_queries):
    run = factories.run(experiment, by=owner)
    builds = []
    of_id = Prepared(lambda run_id: builds.append(run_id) or Run.objects.filter(run_id=run_id))

    with django_assert_num_queries(3):
        for _ in range(3):
            assert of_id.first(run.run_id) == run
    assert len(builds) == 1


@pytest.mark.parametrize("count", [0, 1, 2, 5])
def test_lists_of_any_length_are_asked_for(experiment, owner, count):
    runs = [factories.run(experiment, by=owner) for _ in range(6)]
    of_pks = Prepared(lambda pks: Run.objects.filter(AnyOf(F("pk"), pks)).order_by("pk"))

    assert of_pks([run.pk for run in runs[:count]]) == runs[:count]


@pytest.mark.django_db
def test_a_value_that_would_be_built_in_is_refused():
    forgetful = Prepared(lambda name: User.objects.filter(username="ada"))

    with pytest.raises(ValueError, match="one of its parameters"):
        forgetful("grace")


def test_raw_rows_hold_the_same_instants(experiment, owner):
    run = factories.run(experiment, by=owner)

    [(pk, at)] = raw(Run.objects.values_list("pk", "created_at"))

    assert pk == run.pk
    assert as_instant(at) == run.created_at.replace(tzinfo=None)


def test_an_update_changes_the_rows_of_its_values(experiment, owner, noon):
    runs = [factories.run(experiment, by=owner) for _ in range(2)]
    end = PreparedUpdate(
        lambda pk, status, at: (Run.objects.filter(pk=pk), {"status": status, "status_at": at, "ended_at": at})
    )
    add = PreparedUpdate(
        lambda experiment, change: (StatusCount.objects.filter(experiment=experiment), {"count": F("count") + change})
    )

    end(runs[1].pk, RunStatus.FAILED.value, noon)
    add(experiment.pk, 3)
    add(experiment.pk, 4)

    ended = Run.objects.get(status=RunStatus.FAILED)
    assert (ended, ended.ended_at) == (runs[1], noon)
    assert Run.objects.exclude(pk=ended.pk).get().ended_at is None
    assert set(StatusCount.objects.values_list("count", flat=True)) >= {7}


def test_locks_are_taken_where_the_query_takes_them(experiment, owner):
    run = factories.run(experiment, by=owner)
    Metric.objects.create(run=run, name="loss", kind="number")
    held = Prepared(lambda run, names: Metric.objects.select_for_update().filter(AnyOf(F("name"), names), run=run))

    assert [metric.name for metric in held(run.pk, ["loss", "other"])] == ["loss"]


def test_an_addition_changes_a_row_and_adds_one_for_it_or_does_neither(experiment, owner, noon):
    metric = Metric.objects.create(run=factories.run(experiment, by=owner), name="loss", kind="number")
    count = PreparedAddition(
        lambda name, step: (
            Metric.objects.filter(name=name),
            {"point_count": F("point_count") + 1, "latest_step": step},
        ),
        MetricPoint,
        ("metric_id", "step", "at", "value", "text"),
    )

    assert count.add(("loss", 3), (3, noon, 0.5, ""))
    assert not count.add(("other", 4), (4, noon, 0.5, ""))

    metric.refresh_from_db()
    assert (metric.point_count, metric.latest_step) == (1, 3)
    assert list(MetricPoint.objects.values_list("metric", "step", "at", "value")) == [(metric.pk, 3, noon, 0.5)]
