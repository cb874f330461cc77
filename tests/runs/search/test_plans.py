"""Standard searches use the indexes that are made for them, whatever SQLite knows or does not know of its tables."""

import pytest
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext

from runs import search
from runs.models import Experiment, Run, Workspace
from runs.search import orders, plan
from tests import factories

pytestmark = pytest.mark.sqlite

QUERIES = [
    "",
    "status:failed",
    "status:failed,canceled",
    "submitter:admin",
    "submitter:admin,ana",
    "experiment:churn",
    "tags.stage:tuning",
    "has:tags.quality",
    "bert",
    "bert label",
    "bert OR tags.stage:tuning",
    "-bert",
    "ab",
    "params.learning_rate<0.01",
    "params.optimizer:adam",
    "metrics.loss<0.5",
    "metrics.loss.min<0.5",
    "duration:>1m",
    "number:>2",
    "created:>7d",
    "type:script",
    "target:demo-gpu",
    "name:lr",
    "parent:none",
]


@pytest.fixture(params=["analyzed", "unknown"])
def demo(db, request, settings, tmp_path):
    settings.STUDIO_HOME = tmp_path
    call_command("seed_demo", "--runs", "600", "--until", "2026-11-23T12:00+00:00")
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE" if request.param == "analyzed" else "DELETE FROM sqlite_stat1")
        cursor.execute("ANALYZE sqlite_schema")
    return Workspace.objects.get(name="default")


@pytest.mark.parametrize("few", [0, 2_000])
@pytest.mark.parametrize("scope", ["workspace", "experiment"])
def test_no_search_scans_or_sorts_all_runs(scope, few, demo, admin_user, monkeypatch):
    monkeypatch.setattr(plan, "FEW", few)
    of_scope = {"workspace": {"workspace": demo}, "experiment": {"experiment": Experiment.objects.first()}}[scope]
    runs = Run.objects.filter(**of_scope).top_level().for_lists().prefetch_related("tags")

    with CaptureQueriesContext(connection) as captured:
        pages = [
            orders.paginate(search.find(runs, text, user=admin_user, at=factories.NOON), limit=3) for text in QUERIES
        ]

    plans = [(query["sql"], steps_of(query["sql"])) for query in captured]
    assert sum(bool(page.items) for page in pages) > len(QUERIES) / 2
    assert not [sql for sql, steps in plans if "SCAN runs_run" in (step.partition(" USING")[0] for step in steps)]
    # Walked newest first, nothing is gathered and sorted; the few may be.
    sorted_ones = [sql for sql, steps in plans if "USE TEMP B-TREE FOR ORDER BY" in steps and '"runs_run"' in sql]
    assert few or not sorted_ones


def steps_of(sql):
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN QUERY PLAN {sql}")
        return [row[3] for row in cursor.fetchall()]
