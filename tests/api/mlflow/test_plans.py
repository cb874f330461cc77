"""MLflow's searches find an experiment's runs by index, whatever the databases know of their tables."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from runs.search import plan
from tests.api.mlflow.conftest import metric, pair

SEARCHES = {
    "newest": {},
    "tag": {"filter": "tags.team = 'red'"},
    "metric": {"filter": "metrics.loss < 100"},
    "tag and metric": {"filter": "tags.team = 'red' and metrics.loss < 100"},
    "param LIKE": {"filter": "params.optimizer LIKE 'ada%'"},
    "status": {"filter": "attributes.status = 'RUNNING'"},
    "by metric": {"order_by": ["metrics.loss DESC"]},
    "tag, by metric": {"filter": "tags.team = 'red'", "order_by": ["metrics.loss ASC"]},
    "by param": {"order_by": ["params.optimizer DESC"]},
    "by tag": {"order_by": ["tags.team ASC", "metrics.loss DESC"]},
}


# PostgreSQL has its own statistics of what is there.
MANY = pytest.param("many", marks=pytest.mark.sqlite)
UNKNOWN = pytest.param("unknown", marks=pytest.mark.sqlite)


@pytest.fixture(params=["few", MANY, UNKNOWN])
def runs(request, mlflow, experiment):
    for number in range(60):
        run_id = mlflow.create(experiment)
        described = {"params": [pair("optimizer", "adam")], "tags": [pair("team", "red")]}
        metrics = [metric(name, number) for name in ("loss", "accuracy", "f1", "auc")]
        mlflow.post("runs/log-batch", run_id=run_id, metrics=metrics, **described)
        if number % 2:
            mlflow.post("runs/update", run_id=run_id, status="FAILED")
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
        if connection.vendor == "sqlite":
            if request.param == "unknown":
                cursor.execute("DELETE FROM sqlite_stat1")
            if request.param == "many":
                make_many(cursor)
            cursor.execute("ANALYZE sqlite_schema")


@pytest.mark.parametrize("few", [0, 2_000])
def test_no_search_reads_all_runs(mlflow, experiment, runs, few, monkeypatch):
    monkeypatch.setattr(plan, "FEW", few)

    with CaptureQueriesContext(connection) as captured:
        pages = [mlflow.search(experiment, max_results=5, **body).json() for body in SEARCHES.values()]
        found = [page["runs"] for page in pages]
        for page, body in zip(pages, SEARCHES.values(), strict=True):
            rest = mlflow.search(experiment, max_results=5, page_token=page["next_page_token"], **body)
            found.append(rest.json()["runs"])

    # Those that ask for runs by a list of their keys have marks for it on PostgreSQL.
    of_runs = [query["sql"] for query in captured if ' FROM "runs_run"' in query["sql"] and "ANY(" not in query["sql"]]
    assert {len(some) for some in found} == {5}
    assert len(of_runs) >= 2 * len(SEARCHES)
    assert not [sql for sql in of_runs if reads_all(plan_of(sql))]


@pytest.mark.parametrize("runs", ["few", UNKNOWN], indirect=True)
def test_an_order_by_an_attribute_reads_the_runs_of_the_experiment_alone(mlflow, experiment, runs):
    for name in ("run_id", "run_name", "status", "user_id", "end_time"):
        page, _ = two_pages(mlflow, experiment, name)

        assert not reads_all(plan_of(page)), name


@pytest.mark.parametrize("name", ["params.optimizer", "tags.team"])
def test_an_order_by_a_text_walks_an_index_of_it_on_any_page(mlflow, experiment, runs, name):
    do_not_sort()

    for order in (name, f"{name} DESC"):
        pages = two_pages(mlflow, experiment, order)

        assert [any("_as_written" in step for step in plan_of(sql)) for sql in pages] == [True, True], order
        assert [sql.count(" JOIN ") for sql in pages] == [1, 1]


@pytest.mark.postgres
def test_no_order_by_a_time_sorts_all_runs(mlflow, experiment, runs):
    do_not_sort()

    for order in ("start_time DESC", "start_time ASC", "end_time DESC", "end_time ASC"):
        steps = [step.lstrip(" ->") for sql in two_pages(mlflow, experiment, order) for step in plan_of(sql)]

        assert not [step for step in steps if step.startswith("Sort  (")], order


def two_pages(mlflow, experiment, order):
    """Return the statements that find the first two pages in an order."""
    with CaptureQueriesContext(connection) as captured:
        token = mlflow.search(experiment, order_by=[order], max_results=5).json()["next_page_token"]
        mlflow.search(experiment, order_by=[order], max_results=5, page_token=token)
    pages = [query["sql"] for query in captured if query["sql"].endswith(("LIMIT 6", "LIMIT 6 OFFSET 5"))]
    return pages[0], pages[-1]


def do_not_sort():
    """Keep PostgreSQL from it: else sixty runs are sorted at less cost."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL enable_sort = off")


def make_many(cursor):
    """Let SQLite believe that there are a thousand times as many runs."""
    cursor.execute("SELECT tbl, idx, stat FROM sqlite_stat1")
    for table, index, numbers in cursor.fetchall():
        # What there is once or a few times a run stays so.
        believed = [number if int(number) < 10 else f"{number}000" for number in numbers.split()]
        cursor.execute(
            "UPDATE sqlite_stat1 SET stat = %s WHERE tbl = %s AND idx IS %s", [" ".join(believed), table, index]
        )


def plan_of(sql):
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute(f"EXPLAIN QUERY PLAN {sql}")
        else:
            # So few rows are read whole at less cost: what is asked is whether there is an index to go by.
            cursor.execute("SET LOCAL enable_seqscan = off")
            cursor.execute(f"EXPLAIN {sql}")
        return [row[-1] for row in cursor.fetchall()]


def reads_all(steps):
    return any("Seq Scan on runs_run" in step or step.startswith("SCAN runs_run") for step in steps)
