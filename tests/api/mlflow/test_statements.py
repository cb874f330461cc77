"""How many statements each of the hot calls makes, however much it is about: nothing is asked for item by item."""

import pytest
from django.db import connection

from tests.api.mlflow.conftest import metric, pair

# The two ends of a transaction are counted, too. PostgreSQL counts a point and adds it in one statement, without a
# transaction of its own, and says which keys it gave to new rows.
IS_SQLITE = connection.vendor == "sqlite"
LOG_METRIC = 6 if IS_SQLITE else 3
LOG_BATCH = 13
LOG_FIRST_BATCH = 16 if IS_SQLITE else 15
CREATE = 13 if IS_SQLITE else 12
GET = 7


def batch(count, *, start=0):
    return {
        "metrics": [metric(f"m{n % 3}", n, step=start + n) for n in range(count * 3)],
        "params": [pair(f"p{n}", "1") for n in range(count)],
        "tags": [pair(f"t{n}", "1") for n in range(count)],
    }


@pytest.fixture
def run_id(mlflow, experiment):
    """A run whose names are known: the first of a name in a workspace is noted for the search bar."""
    run_id = mlflow.create(experiment)
    mlflow.post("runs/log-batch", run_id=run_id, **batch(99))
    return run_id


@pytest.mark.parametrize("key", ["m0", "m1"])
def test_a_single_point(mlflow, run_id, key, django_assert_num_queries):
    with django_assert_num_queries(LOG_METRIC):
        assert mlflow.post("runs/log-metric", run_id=run_id, **metric(key, 0.5, step=1000)).status_code == 200


@pytest.mark.parametrize("count", [1, 30, 99])
def test_a_batch_to_a_known_run(mlflow, run_id, count, django_assert_num_queries):
    with django_assert_num_queries(LOG_BATCH):
        assert mlflow.post("runs/log-batch", run_id=run_id, **batch(count, start=1000)).status_code == 200


@pytest.mark.parametrize("count", [1, 50])
def test_a_batch_to_a_new_run(mlflow, experiment, run_id, count, django_assert_num_queries):
    fresh = mlflow.create(experiment)

    with django_assert_num_queries(LOG_FIRST_BATCH):
        assert mlflow.post("runs/log-batch", run_id=fresh, **batch(count)).status_code == 200


@pytest.mark.parametrize("count", [1, 50])
def test_a_new_run(mlflow, experiment, run_id, count, django_assert_num_queries):
    with django_assert_num_queries(CREATE):
        mlflow.create(experiment, run_name="new", tags=[pair(f"t{n}", "1") for n in range(count)])


def test_a_run(mlflow, run_id, django_assert_num_queries):
    with django_assert_num_queries(GET):
        assert len(mlflow.run(run_id)["data"]["params"]) == 99


@pytest.mark.parametrize("count", [3, 30])
@pytest.mark.parametrize(
    ("query", "statements"),
    [
        ({}, 9),
        ({"filter": "tags.t0 = '1'"}, 10),
        ({"filter": "metrics.m0 >= 0"}, 10),
        ({"order_by": ["metrics.m0 DESC"]}, 13),
        ({"order_by": ["params.p0"]}, 10),
    ],
    ids=["newest", "tag", "metric", "by metric", "by param"],
)
def test_a_page_of_runs(mlflow, experiment, count, query, statements, django_assert_num_queries):
    for _ in range(count):
        mlflow.post("runs/log-batch", run_id=mlflow.create(experiment), **batch(1))

    with django_assert_num_queries(statements):
        assert len(mlflow.names(experiment, **query)) == count


@pytest.mark.parametrize("limit", [5, 50])
def test_a_series_and_its_chart(mlflow, run_id, limit, django_assert_num_queries):
    with django_assert_num_queries(4):
        mlflow.get("metrics/get-history", run_id=run_id, metric_key="m0", max_results=limit)
    with django_assert_num_queries(6):
        mlflow.get("metrics/get-history-bulk-interval", run_ids=[run_id], metric_key="m0", max_results=limit)
