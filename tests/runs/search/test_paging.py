"""Pages follow each other without gaps or repeats, in both directions, whatever the order and whatever happens."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from runs import limits
from runs.errors import InvalidInput
from runs.models import Run
from runs.search import Found, orders, paging, plan
from runs.status import RunStatus
from tests import factories

DURATIONS = [3.0, None, 1.0, 1.0, None, 2.5, 1.0, None, 0.0, 3.0, 1.0]


@pytest.fixture
def runs(experiment, owner, noon):
    """Eleven runs with equal durations and some without any."""
    return [
        factories.run(
            experiment,
            by=owner,
            status=RunStatus.RUNNING if seconds is None else RunStatus.COMPLETED,
            at=noon + timedelta(minutes=number),
            duration_seconds=seconds,
        )
        for number, seconds in enumerate(DURATIONS)
    ]


def walk(order, limit, *, towards="next", cursor=""):
    """Return the pages from `cursor` on, and the last of them."""
    pages = [orders.paginate(Found(Run.objects.all()), order=order, cursor=cursor, limit=limit)]
    while getattr(pages[-1], towards):
        cursor = getattr(pages[-1], towards)
        pages.append(orders.paginate(Found(Run.objects.all()), order=order, cursor=cursor, limit=limit))
    return pages


def numbers(pages):
    return [run.number for page in pages for run in page.items]


EXPECTED = {
    "created": [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11],
    "-created": [11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1],
    "number": [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11],
    "-number": [11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1],
    # Rows without a value come last in both directions, newest first.
    "duration": [9, 11, 7, 4, 3, 6, 10, 1, 8, 5, 2],
    "-duration": [1, 10, 6, 3, 4, 7, 11, 9, 8, 5, 2],
    "ended": [1, 3, 4, 6, 7, 9, 10, 11, 8, 5, 2],
    "-ended": [11, 10, 9, 7, 6, 4, 3, 1, 8, 5, 2],
    "status": [11, 10, 9, 7, 6, 4, 3, 1, 8, 5, 2],
    "-status": [2, 5, 8, 1, 3, 4, 6, 7, 9, 10, 11],
}


@pytest.mark.parametrize("limit", [1, 2, 3, 5, 10, 11, 50])
@pytest.mark.parametrize("order", EXPECTED)
def test_pages_forth_and_back_hold_every_row_once_in_order(order, limit, runs):
    forth = walk(order, limit)
    back = walk(order, limit, towards="previous", cursor=forth[-2].next if len(forth) > 1 else "")

    assert numbers(forth) == EXPECTED[order]
    assert numbers(reversed(back)) == EXPECTED[order] or len(forth) == 1
    assert [len(page.items) for page in forth[:-1]] == [limit] * (len(forth) - 1)
    assert (forth[0].previous, forth[-1].next) == ("", "")


def test_every_order_is_tried_above():
    assert {order.removeprefix("-") for order in EXPECTED} == set(orders.COLUMNS)


def test_going_back_to_a_start_that_has_shrunk_shows_a_whole_first_page(runs):
    second = orders.paginate(
        Found(Run.objects.all()), cursor=orders.paginate(Found(Run.objects.all()), limit=3).next, limit=3
    )
    Run.objects.filter(number__in=[10, 11]).delete()

    page = orders.paginate(Found(Run.objects.all()), cursor=second.previous, limit=3)

    assert numbers([page]) == [9, 8, 7]
    assert page.previous == ""
    assert page.next


def test_new_rows_do_not_move_the_pages_behind_them(runs, experiment, owner):
    first = orders.paginate(Found(Run.objects.all()), limit=3)
    factories.run(experiment, by=owner)

    second = orders.paginate(Found(Run.objects.all()), cursor=first.next, limit=3)

    assert numbers([second]) == [8, 7, 6]
    assert numbers([orders.paginate(Found(Run.objects.all()), cursor=second.previous, limit=3)]) == [11, 10, 9]


def test_an_empty_list_is_an_empty_page(db):
    assert orders.paginate(Found(Run.objects.all()), order="duration") == paging.Page([], "", "")


@pytest.mark.parametrize(
    ("order", "cursor", "limit", "field"),
    [
        ("color", "", 50, "order"),
        ("--created", "", 50, "order"),
        ("-created", "", 0, "limit"),
        ("-created", "", limits.PAGE_ROWS + 1, "limit"),
        ("-created", "rubbish", 50, "cursor"),
        ("-created", "WyJhIl0:x", 50, "cursor"),
    ],
)
def test_bad_input_names_its_field(order, cursor, limit, field, db):
    with pytest.raises(InvalidInput) as caught:
        orders.paginate(Found(Run.objects.all()), order=order, cursor=cursor, limit=limit)

    assert caught.value.field == field


def test_a_cursor_of_another_order_is_refused(runs):
    cursor = orders.paginate(Found(Run.objects.all()), order="duration", limit=3).next

    with pytest.raises(InvalidInput, match="belongs to the order duration"):
        orders.paginate(Found(Run.objects.all()), order="-duration", cursor=cursor)


def plan_of(query):
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN QUERY PLAN {query['sql']}")
        return " / ".join(row[3] for row in cursor.fetchall())


@pytest.mark.usefixtures("unanalyzed")
@pytest.mark.sqlite
@pytest.mark.parametrize("order", EXPECTED)
@pytest.mark.parametrize("scope", ["workspace", "experiment"])
def test_no_page_of_a_long_list_scans_or_sorts_all_runs(order, scope, runs, monkeypatch):
    monkeypatch.setattr(plan, "FEW", 0)
    queryset = Run.objects.filter(**{scope: getattr(runs[0], scope)})
    first = orders.paginate(Found(queryset), order=order, limit=4)

    with CaptureQueriesContext(
        connection,
    ) as queries:
        second = orders.paginate(Found(queryset), order=order, cursor=first.next, limit=4)
        orders.paginate(Found(queryset), order=order, cursor=second.previous, limit=4)

    plans = [plan_of(query) for query in list(queries)]
    assert plans
    assert not [plan for plan in plans if "SCAN" in plan or "TEMP B-TREE" in plan]
