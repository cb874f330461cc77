"""The searches of one's own below the search bar: kept and recent, each user's alone, and few."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from runs.actions import searches
from runs.models import SavedSearch
from tests import factories

PARTIAL = {"HTTP_HX_REQUEST": "true", "HTTP_HX_REQUEST_TYPE": "partial"}


@pytest.fixture
def address(workspace):
    return reverse("pipeline_list", args=[workspace.name])


def recent(user):
    return list(SavedSearch.objects.filter(user=user, name="").order_by("-used_at").values_list("query", flat=True))


@pytest.mark.parametrize("page", ["pipeline_list", "experiment_list", "experiment_detail"])
def test_a_search_is_offered_on_the_next_page(client_for, reader, workspace, experiment, page):
    address = reverse(page, args=[workspace.name, *([experiment.name] if page == "experiment_detail" else [])])
    client = client_for(reader)

    client.get(address, {"q": "status:failed"})
    answer = client.get(address)

    assert [search.query for search in answer.context["searches"].recent] == ["status:failed"]
    assert f'href="{address}?q=status%3Afailed"'.encode() in answer.content


@pytest.mark.parametrize(
    ("state", "headers"),
    [
        ({"q": "stat"}, PARTIAL),
        ({"q": "status:"}, {}),
        ({"q": " "}, {}),
        ({"q": "x", "cursor": "y"}, {}),
    ],
    ids=["typing", "mistake", "empty", "paging"],
)
def test_what_is_not_meant_as_a_search_is_not_noted(client_for, owner, workspace, address, state, headers):
    client_for(owner).get(address, state, **headers)

    assert recent(owner) == []


def test_the_browser_says_what_was_typed_to_its_end(client_for, owner, workspace):
    client, used = client_for(owner), reverse("search_used", args=[workspace.name])

    answers = [client.post(used, {"q": text}).status_code for text in ("loss", "status:", "")]

    assert answers == [204, 204, 204]
    assert recent(owner) == ["loss"]


def test_the_same_search_again_is_no_write_and_later_comes_first(workspace, owner, noon):
    searches.remember(workspace=workspace, query="a", by=owner, at=noon)
    searches.remember(workspace=workspace, query="b", by=owner, at=noon + timedelta(minutes=1))

    with CaptureQueriesContext(connection) as queries:
        searches.remember(workspace=workspace, query="a", by=owner, at=noon + timedelta(minutes=9))
    assert len(queries) == 1
    assert recent(owner) == ["b", "a"]
    searches.remember(workspace=workspace, query="a", by=owner, at=noon + timedelta(minutes=20))
    assert recent(owner) == ["a", "b"]


def test_only_the_latest_few_stay(workspace, owner, noon):
    SavedSearch.objects.create(workspace=workspace, user=owner, name="kept", query="k", used_at=noon)

    for number in range(searches.RECENT + 3):
        searches.remember(workspace=workspace, query=f"q{number}", by=owner, at=noon + timedelta(minutes=number))

    assert recent(owner) == [f"q{number}" for number in range(12, 2, -1)]
    assert SavedSearch.objects.filter(name="kept").exists()


def test_kept_ones_come_by_name_and_recent_ones_are_forgotten_at_once(client_for, owner, workspace, address):
    client, save = client_for(owner), reverse("search_save", args=[workspace.name])
    client.post(save, {"name": "bad", "query": "status:failed"})
    client.get(address, {"q": "status:failed"})
    client.get(address, {"q": "loss"})

    page = client.get(address)
    client.post(save, {"forget_recent": "1"})

    assert [search.name for search in page.context["searches"].kept] == ["bad"]
    assert [search.query for search in page.context["searches"].recent] == ["loss"]
    assert recent(owner) == []
    assert SavedSearch.objects.get().name == "bad"


def test_the_empty_bar_offers_them_after_the_kept_ones(client_for, owner, workspace, noon):
    SavedSearch.objects.create(workspace=workspace, user=owner, name="bad", query="status:failed", used_at=noon)
    searches.remember(workspace=workspace, query="loss", by=owner, at=noon)

    offered = client_for(owner).get(reverse("search_completion", args=[workspace.name]), {"q": ""}).content.decode()

    assert offered.index("bad") < offered.index("loss") < offered.index("recent")


def test_nobody_sees_those_of_others(client_for, owner, team_mate, stranger, workspace, address):
    client_for(owner).get(address, {"q": "secret"})

    assert b"secret" not in client_for(team_mate).get(address).content
    assert client_for(stranger).post(reverse("search_used", args=[workspace.name]), {"q": "x"}).status_code == 404


def test_the_list_costs_one_query_however_long_it_is(client_for, owner, workspace, address):
    client, counts = client_for(owner), []
    for amount in (3, 30):
        for number in range(amount):
            SavedSearch.objects.create(
                workspace=workspace, user=owner, name=f"{amount}.{number}", query="a", used_at=factories.NOON
            )
        with CaptureQueriesContext(connection) as queries:
            client.get(address)
        counts.append(len(queries))

    assert counts[0] == counts[1]
