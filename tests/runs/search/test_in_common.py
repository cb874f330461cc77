"""Two frequent conditions that hardly ever meet: answered by two indexes read side by side, or openly in parts."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from runs import search
from runs.models import Param, Run, Tag
from runs.search import orders, plan
from tests import factories


@pytest.fixture
def runs(experiment, owner, monkeypatch):
    """Twelve runs, half of them with a=1, the others with b=2, one with both; what two runs have is frequent."""
    monkeypatch.setattr(plan, "FEW", 1)
    runs = [factories.run(experiment, by=owner) for _ in range(12)]
    Tag.objects.bulk_create(
        Tag(run=run, key=key, value=value)
        for number, run in enumerate(runs)
        for key, value in [("a", "1"), ("b", "2")]
        if number % 2 == (key == "b") or number == 5
    )
    Param.objects.bulk_create(Param(run=run, name="opt", value="Adam") for run in runs[1::2])
    return runs


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("tags.a:1 tags.b:2", [6]),
        ("tags.a:1 has:tags.b", [6]),
        ("tags.a:1 params.opt:adam", [6]),
        ("tags.a:1 tags.b:2 tags.c:3", []),
        ("tags.b:2 params.opt:adam", [12, 10, 8, 6, 4, 2]),
    ],
)
def test_what_meets_is_found(runs, owner, text, numbers):
    found = search.find(Run.objects.all(), text, user=owner, at=factories.NOON)

    assert [run.number for run in orders.paginate(found).items] == numbers


def test_no_run_is_tested_for_it(runs, owner):
    with CaptureQueriesContext(connection) as queries:
        found = search.find(Run.objects.all(), "tags.a:1 tags.b:2", user=owner, at=factories.NOON)

    assert found.few == {runs[5].pk}
    assert len(queries) == 4


@pytest.mark.sqlite
def test_both_indexes_are_read_side_by_side(runs, owner):
    with CaptureQueriesContext(connection) as queries:
        search.find(Run.objects.all(), "tags.a:1 tags.b:2", user=owner, at=factories.NOON)

    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN QUERY PLAN {queries[-1]['sql']}")
        steps = [row[3] for row in cursor.fetchall()]
    assert "MERGE (INTERSECT)" in steps
    assert not [step for step in steps if "TEMP B-TREE" in step or "SCAN" in step]


def test_where_there_is_too_much_to_read_the_page_says_how_far_it_looked(
    runs, owner, client_for, experiment, monkeypatch
):
    monkeypatch.setattr(plan, "MERGED", dict.fromkeys(plan.MERGED, 3))
    monkeypatch.setattr("runs.search.walk.FAR", 4)
    monkeypatch.setattr("runs.search.walk._NEAR", 2)
    client, address = client_for(owner), experiment.get_absolute_url()

    first = client.get(address, {"q": "tags.a:1 tags.b:2"})
    second = client.get(address, {"q": "tags.a:1 tags.b:2", "cursor": first.context["table"].onward})

    assert first.context["table"].runs == []
    assert "This page ends after 4 runs that were looked through" in first.content.decode()
    assert "No run like this so far." in first.content.decode()
    assert [run.number for run in second.context["table"].runs] == [6]
