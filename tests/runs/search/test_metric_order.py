"""Runs in the order of a metric: complete in both directions, by index, and only those of the list."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from runs.errors import InvalidInput
from runs.models import Metric, Run
from runs.search import paging
from tests import factories

LOSSES = [3.0, None, 1.0, 1.0, "none", 2.5, 1.0, None, 0.0, 3.0, 1.0]
RISING = [9, 11, 7, 4, 3, 6, 10, 1, 8, 5, 2]
FALLING = [1, 10, 6, 3, 4, 7, 11, 9, 8, 5, 2]


def log(run, value, name="loss"):
    Metric.objects.create(run=run, name=name, kind="number", latest_value=value, min_value=value, max_value=value)


@pytest.fixture
def runs(experiment, owner):
    """Eleven runs, some with equal losses, two without any and one whose loss is no number."""
    made = [factories.run(experiment, by=owner) for _ in LOSSES]
    for run, loss in zip(made, LOSSES, strict=True):
        if loss is not None:
            log(run, None if loss == "none" else loss)
    return made


def walk(queryset, order, towards="next", cursor=""):
    found, pages = [], 0
    while pages == 0 or cursor:
        page = paging.paginate(queryset, order=order, cursor=cursor, limit=2)
        found, cursor, pages = found + [run.number for run in page.items], getattr(page, towards), pages + 1
    return found, page


@pytest.mark.parametrize(("order", "expected"), [("metric:loss", RISING), ("-metric.min:loss", FALLING)])
@pytest.mark.parametrize("is_few", [False, True], ids=["walked", "sorted"])
def test_pages_follow_each_other_in_the_order_of_a_metric(runs, order, expected, is_few):
    queryset = Run.objects.filter(pk__in=[run.pk for run in runs]) if is_few else Run.objects.all()

    found, last = walk(queryset, order)
    back, _ = walk(queryset, order, "previous", last.previous)

    assert found == expected
    pages = [expected[start : start + 2] for start in range(0, 10, 2)]
    assert back == [number for page in reversed(pages) for number in page]


def test_a_stretch_that_shows_too_little_is_followed_by_another(runs, monkeypatch):
    monkeypatch.setattr("runs.search.metric_order._SHORTEST", 1)

    found, _ = walk(Run.objects.filter(number__gte=7), "metric:loss")

    assert found == [9, 11, 7, 10, 8]


def test_other_experiments_and_metrics_do_not_mix_in(runs, experiment, workspace, owner):
    other = factories.run(factories.experiment(workspace, "other"), by=owner)
    log(other, -1.0)
    log(runs[1], -5.0, name="accuracy")

    with CaptureQueriesContext(
        connection,
    ) as queries:
        page = paging.paginate(Run.objects.filter(experiment=experiment), order="metric:loss")

    assert [run.number for run in page.items] == RISING
    assert '"experiment_id"' in queries[0]["sql"]


def test_a_metric_that_nothing_logged_shows_the_newest_runs_first(runs):
    page = paging.paginate(Run.objects.all(), order="-metric:nothing")

    assert [run.number for run in page.items] == list(range(11, 0, -1))


def test_the_walk_goes_along_an_index(runs, experiment, is_sqlite):
    with CaptureQueriesContext(connection) as queries:
        paging.paginate(Run.objects.filter(experiment=experiment), order="-metric.max:loss")

    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN {'QUERY PLAN ' if is_sqlite else ''}{queries[0]['sql']}")
        plan = str(cursor.fetchall())
    assert not is_sqlite or "metric_of_experiment_max" in plan
    assert "TEMP B-TREE" not in plan


@pytest.mark.parametrize("order", ["metric:", "metrics:loss", "metric.mean:loss", ":loss"])
def test_an_order_that_is_none_is_refused(db, order):
    with pytest.raises(InvalidInput, match="metric:NAME") as refused:
        paging.check_order(order)

    assert refused.value.field == "order"
