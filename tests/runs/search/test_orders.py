"""Pages in the order of what hangs on runs: every run once, in order, forth and back."""

import functools

import pytest
from django.db import connection
from django.db.models import Q
from django.test.utils import CaptureQueriesContext

from runs.errors import InvalidInput
from runs.models import Metric, Param, Run, Tag
from runs.search import Found, orders, plan
from tests import factories

LOSSES = [0.5, 0.1, None, 0.5, 0.3, None, 0.9]


@pytest.fixture
def runs(experiment, team_mate):
    """Seven runs; some have a loss, a learning rate that is mostly a number, a tag that may have no value."""
    runs = [factories.run(experiment, by=team_mate) for _ in LOSSES]
    kept = [(run, loss) for run, loss in zip(runs, LOSSES, strict=True) if loss is not None]
    Metric.objects.bulk_create(
        Metric(run=run, name="loss", kind="number", latest_value=loss, min_value=-loss) for run, loss in kept
    )
    Param.objects.bulk_create(
        [Param(run=run, name="lr", value=str(loss), number=loss) for run, loss in kept[:3]]
        + [Param(run=kept[3][0], name="lr", value="auto")]
    )
    Tag.objects.bulk_create(Tag(run=run, key="grade", value=v) for run, v in zip(runs, ["b", None, "A"], strict=False))
    return runs


def walk(order, *, limit=2):
    """Return the numbers on each page, forth to the end and back to the start."""
    forth, back, cursor = [], [], ""
    page = orders.paginate(Found(Run.objects.all()), order=order, limit=limit)
    forth.append([run.number for run in page.items])
    while page.next:
        page = orders.paginate(Found(Run.objects.all()), order=order, cursor=page.next, limit=limit)
        forth.append([run.number for run in page.items])
    while page.previous:
        cursor = page.previous
        page = orders.paginate(Found(Run.objects.all()), order=order, cursor=cursor, limit=limit)
        back.insert(0, [run.number for run in page.items])
    return forth, back


@pytest.mark.parametrize("few", [2_000, 0], ids=["sorted", "walked"])
@pytest.mark.parametrize(
    ("order", "numbers"),
    [
        ("metrics.loss", [2, 5, 4, 1, 7, 6, 3]),
        ("-metrics.loss", [7, 1, 4, 5, 2, 6, 3]),
        ("metrics.loss.min", [7, 4, 1, 5, 2, 6, 3]),
        ("params.lr", [2, 4, 1, 5, 7, 6, 3]),
        ("-params.lr", [1, 4, 2, 5, 7, 6, 3]),
        ("tags.grade", [3, 1, 2, 7, 6, 5, 4]),
        ("-tags.grade", [1, 3, 2, 7, 6, 5, 4]),
        ("properties.none", [7, 6, 5, 4, 3, 2, 1]),
        ("-created", [7, 6, 5, 4, 3, 2, 1]),
    ],
)
def test_every_run_comes_once_and_in_order(runs, monkeypatch, few, order, numbers):
    monkeypatch.setattr(plan, "FEW", few)

    forth, back = walk(order)

    assert [number for page in forth for number in page] == numbers
    assert back == forth[: len(back)]


def test_the_names_that_the_api_had_first_still_hold():
    assert orders.check("-metric.min:val:loss") == "-metrics.val:loss.min"
    assert orders.check("metric:loss") == "metrics.loss.last"


@pytest.mark.parametrize("order", ["metrics.", "secrets.loss", "-.x", "metric.mean:loss", "metric:", ":loss"])
def test_what_is_no_order_is_refused(runs, order):
    with pytest.raises(InvalidInput) as refusal:
        orders.paginate(Found(Run.objects.all()), order=order)

    assert refusal.value.field == "order"


@pytest.mark.parametrize("order", ["created", "-number", "metrics.loss", "-params.lr", "tags.grade", "duration"])
def test_a_walk_that_finds_little_stops_and_goes_on_where_it_stopped(runs, monkeypatch, order):
    everything = walk(order, limit=50)[0][0]
    monkeypatch.setattr(plan, "FEW", 0)
    monkeypatch.setattr("runs.search.walk.FAR", 2)
    found = Found(Run.objects.all(), Q(number__in=[2, 6]))

    page, forth = orders.paginate(found, order=order, limit=2), []
    while True:
        forth.append([run.number for run in page.items])
        if not page.next:
            break
        page = orders.paginate(found, order=order, limit=2, cursor=page.next)
        assert page.previous
    back = [orders.paginate(found, order=order, limit=2, cursor=page.previous)]
    while back[-1].previous:
        back.append(orders.paginate(found, order=order, limit=2, cursor=back[-1].previous))

    expected = [number for number in everything if number in (2, 6)]
    assert [number for numbers in forth for number in numbers] == expected
    assert len(forth) > 2
    assert [run.number for run in back[-1].items] == forth[0]
    assert {run.number for page in back for run in page.items} | set(forth[-1]) == {2, 6}


def test_a_page_that_is_full_is_not_cut(runs, monkeypatch):
    monkeypatch.setattr(plan, "FEW", 0)
    monkeypatch.setattr("runs.search.walk.FAR", 3)

    page = orders.paginate(Found(Run.objects.all(), Q(number__gt=1)), limit=2)

    assert (len(page.items), page.onward, bool(page.next)) == (2, "", True)


@pytest.mark.parametrize("few", [2_000, 0], ids=["sorted", "walked"])
@pytest.mark.parametrize("order", ["created", "duration", "metrics.loss", "params.lr", "tags.grade", "properties.none"])
def test_the_queries_do_not_grow_with_the_runs(runs, experiment, team_mate, monkeypatch, order, few):
    monkeypatch.setattr(plan, "FEW", few)
    counts = []

    for _ in range(2):
        with CaptureQueriesContext(connection) as queries:
            orders.paginate(Found(Run.objects.all(), Q(number__gt=0)), order=order, limit=50)
        counts.append(len(queries))
        for number in range(30):
            run = factories.run(experiment, by=team_mate)
            Metric.objects.create(run=run, name="loss", kind="number", latest_value=number)
            Param.objects.create(run=run, name="lr", value=str(number), number=number)
            Tag.objects.create(run=run, key="grade", value=str(number))

    assert counts[0] == counts[1] <= 8


@pytest.mark.usefixtures("unanalyzed")
@pytest.mark.parametrize("order", ["metrics.loss", "params.lr", "tags.grade", "properties.none"])
@pytest.mark.sqlite
def test_an_experiments_runs_are_walked_by_its_own_index(runs, experiment, monkeypatch, order):
    monkeypatch.setattr(plan, "FEW", 0)
    call = functools.partial(orders.paginate, Found(Run.objects.filter(experiment=experiment)), order=order)

    with CaptureQueriesContext(connection) as queries:
        call(limit=1, experiment=experiment)

    plans = [str(plan_of(query["sql"])) for query in queries]
    assert any("of_experiment" in steps for steps in plans)
    assert not [steps for steps in plans if "SCAN" in steps or "TEMP B-TREE" in steps]


def plan_of(sql):
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN QUERY PLAN {sql}")
        return [row[3] for row in cursor.fetchall()]


def test_a_cursor_of_another_order_is_refused(runs):
    page = orders.paginate(Found(Run.objects.all()), order="metrics.loss", limit=2)

    with pytest.raises(InvalidInput) as refusal:
        orders.paginate(Found(Run.objects.all()), order="-metrics.loss", cursor=page.next)

    assert refusal.value.field == "cursor"


def test_a_metric_may_be_called_like_a_summary():
    assert orders.split("metrics.loss.min.last") == ("metrics", "loss.min", "last")
    assert orders.split("metrics.loss.min") == ("metrics", "loss", "min")
