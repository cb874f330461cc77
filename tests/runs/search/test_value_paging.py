"""Pages in the order of what hangs on runs: every run once, in order, forth and back."""

import pytest

from runs.errors import InvalidInput
from runs.models import Metric, Param, Run, Tag
from runs.search import plan, value_paging
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
    page = value_paging.paginate(Run.objects.all(), order=order, limit=limit)
    forth.append([run.number for run in page.items])
    while page.next:
        page = value_paging.paginate(Run.objects.all(), order=order, cursor=page.next, limit=limit)
        forth.append([run.number for run in page.items])
    while page.previous:
        cursor = page.previous
        page = value_paging.paginate(Run.objects.all(), order=order, cursor=cursor, limit=limit)
        back.insert(0, [run.number for run in page.items])
    return forth, back


@pytest.mark.parametrize("few", [2_000, 0], ids=["sorted", "walked"])
@pytest.mark.parametrize(
    ("order", "numbers"),
    [
        ("metrics.loss", [2, 5, 4, 1, 7, 6, 3]),
        ("-metrics.loss", [7, 1, 4, 5, 2, 6, 3]),
        ("metrics.loss.min", [7, 4, 1, 5, 2, 6, 3]),
        ("params.lr", [2, 1, 4, 5, 7, 6, 3]),
        ("-params.lr", [4, 1, 2, 5, 7, 6, 3]),
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


@pytest.mark.parametrize("order", ["metrics.", "secrets.loss", "-.x"])
def test_what_is_no_order_is_refused(runs, order):
    with pytest.raises(InvalidInput) as refusal:
        value_paging.paginate(Run.objects.all(), order=order)

    assert refusal.value.field == "order"


def test_a_cursor_of_another_order_is_refused(runs):
    page = value_paging.paginate(Run.objects.all(), order="metrics.loss", limit=2)

    with pytest.raises(InvalidInput) as refusal:
        value_paging.paginate(Run.objects.all(), order="-metrics.loss", cursor=page.next)

    assert refusal.value.field == "cursor"


def test_a_metric_may_be_called_like_a_summary():
    assert value_paging.split("metrics.loss.min.last") == ("metrics", "loss.min", "last")
    assert value_paging.split("metrics.loss.min") == ("metrics", "loss", "min")
