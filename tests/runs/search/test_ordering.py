"""`order:` in a query: the same language, one order, and nothing left to guess."""

import pytest
from django.urls import reverse
from django.utils import translation as languages

from runs import search
from runs.models import Metric, Run
from runs.search import completion, keys
from runs.search.grammar import QuerySyntaxError
from runs.translation import translated
from tests import factories

LOSSES = [0.5, 0.1, None, 0.3]


@pytest.fixture
def runs(experiment, owner):
    runs = [factories.run(experiment, by=owner) for _ in LOSSES]
    for run, loss in zip(runs, LOSSES, strict=True):
        if loss is not None:
            Metric.objects.create(run=run, name="val loss", kind="number", latest_value=loss, min_value=-loss)
    keys.rebuild()
    return runs


def found(text, user):
    return search.find(Run.objects.all(), text, user=user, at=factories.NOON)


@pytest.mark.parametrize(
    ("text", "order"),
    [
        ("", ""),
        ("order:created", "created"),
        ("order:-metrics.loss -is:archived", "-metrics.loss"),
        ('status:queued ORDER:"-metrics.val loss.min"', "-metrics.val loss.min"),
        ("(order:params.lr)", "params.lr"),
        ("order:-metric:loss", "-metrics.loss.last"),
    ],
)
def test_a_query_says_its_order(text, order, owner, db):
    assert found(text, owner).order == order


@pytest.mark.parametrize(
    ("text", "position", "length", "message"),
    [
        ("a order:craeted", 8, 7, "unknown order 'craeted' at 9; did you mean 'created'?"),
        ("order:-metric.loss", 6, 12, "did you mean '-metrics.loss'?"),
        ("order:color", 6, 5, "expected created, number, status, ended, duration, metrics.NAME"),
        ("order:created order:number", 14, 5, "a second order at 15; expected one order"),
        ("order:created,number", 14, 6, "a second order at 15"),
        ("order>created", 0, 5, "'order' cannot be compared by '>' at 1"),
        ("order:a..b", 6, 4, "'order' takes no range"),
        ("order:m*", 6, 2, "'order' takes no '*'"),
        ("order.x:y", 0, 7, "'order' takes no key"),
        ("a OR order:created", 5, 5, "'order' stands beside all else, not within OR, NOT or brackets at 6"),
        ("-order:created", 1, 5, "not within OR, NOT or brackets at 2"),
    ],
)
def test_what_is_no_order_is_pointed_at(text, position, length, message, owner, db):
    with pytest.raises(search.QuerySyntaxError) as caught:
        found(text, owner)

    assert message in caught.value.message
    assert (caught.value.position, caught.value.length) == (position, length)


@pytest.mark.parametrize(
    ("typed", "texts"),
    [
        ("order:-n", ["order:-number"]),
        ("a order:cr", ["order:-created", "order:created"]),
        ("order:me", ["order:metrics."]),
        ("order:-metrics.v", ['order:"-metrics.val loss"']),
        ("order:tags.", []),
        ("ord", ["order:"]),
    ],
)
def test_orders_are_completed(typed, texts, runs, workspace, owner):
    assert [option.text for option in completion.complete(typed, workspace=workspace, user=owner)] == texts


def test_the_order_of_the_query_goes_before_that_of_the_address(client_for, owner, runs, experiment):
    query = 'order:"-metrics.val loss" status:queued'

    page = client_for(owner).get(experiment.get_absolute_url(), {"q": query, "order": "number"})

    assert [run.number for run in page.context["table"].runs] == [1, 4, 2, 3]
    # A click at a heading takes the order out of the query.
    assert "?q=status%3Aqueued&amp;order=-number" in page.content.decode()


def test_the_file_comes_in_the_order_of_the_query(client_for, owner, runs, experiment, workspace):
    address = reverse("experiment_export", args=[workspace.name, experiment.name, "csv"])

    file = client_for(owner).get(address, {"q": 'order:"metrics.val loss"', "columns": "number"})

    lines = file.getvalue().decode().splitlines()
    assert [line.split(",")[0] for line in lines] == ["number", "2", "4", "1", "3"]


def test_a_list_of_experiments_has_no_order_of_runs(client_for, owner, workspace, runs):
    page = client_for(owner).get(reverse("experiment_list", args=[workspace.name]), {"q": "order:created"})

    assert page.status_code == 422
    assert "&#x27;order&#x27; is for lists of runs at 1" in page.content.decode()


def test_an_unknown_order_is_refused_in_the_readers_language(owner):
    with pytest.raises(QuerySyntaxError) as refused:
        found("order:x", owner)

    with languages.override("it"):
        assert translated(refused.value.message).endswith("properties.NAME, oppure -NAME")
