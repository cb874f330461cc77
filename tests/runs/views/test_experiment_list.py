"""The list of experiments."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from runs.models import Experiment
from runs.status import RunStatus
from tests import factories

POLL = {"HX-Request": "true", "HX-Request-Type": "partial"}


@pytest.fixture
def address(workspace):
    return reverse("experiment_list", args=[workspace.name])


def test_the_list_shows_the_latest_run_and_the_counts(client_for, team_mate, experiment, address):
    factories.run(experiment, by=team_mate, status=RunStatus.FAILED)
    factories.run(experiment, by=team_mate, status=RunStatus.COMPLETED)

    page = client_for(team_mate).get(address)

    [(shown, counts)] = page.context["rows"]
    assert shown == experiment
    assert counts.total == 2
    assert b"Run 2" in page.content


def test_a_stranger_finds_no_such_page(client_for, stranger, address):
    page = client_for(stranger).get(address)

    assert page.status_code == 404


def test_whoever_is_not_signed_in_is_sent_to_the_sign_in(client, address):
    page = client.get(address)

    assert page.status_code == 302
    assert page["Location"].startswith("/sign-in/?next=")


def test_a_fragment_is_answered_to_htmx_and_nothing_when_nothing_changed(client_for, team_mate, experiment, address):
    client = client_for(team_mate)
    version = client.get(address).context["version"]

    fragment = client.get(address, headers=POLL)
    unchanged = client.get(address, {"v": version}, headers=POLL)

    assert b'id="experiments"' in fragment.content
    assert b"<html" not in fragment.content
    assert "no-store" in fragment["Cache-Control"]
    assert unchanged.status_code == 204
    assert "HX-Request" in unchanged["Vary"]


def test_ticked_experiments_are_archived_and_restored(client_for, team_mate, workspace, experiment, address):
    client = client_for(team_mate)

    client.post(reverse("experiments_archive", args=[workspace.name]), {"experiment": [experiment.name]})
    hidden = client.get(address).context["rows"]
    archived = client.get(address, {"archived": 1}).context["rows"]
    client.post(reverse("experiments_restore", args=[workspace.name]), {"experiment": [experiment.name]})
    shown = client.get(address).context["rows"]

    assert (len(hidden), len(archived), len(shown)) == (0, 1, 1)


def test_a_reader_may_not_archive(client_for, reader, workspace, experiment):
    address = reverse("experiments_archive", args=[workspace.name])

    answer = client_for(reader).post(address, {"experiment": [experiment.name]})

    assert answer.status_code == 403
    assert Experiment.objects.active().count() == 1


def test_a_reader_sees_the_button_greyed_out(client_for, reader, experiment, address):
    page = client_for(reader).get(address)

    assert b"disabled data-forbidden" in page.content
    assert b'name="experiment"' not in page.content


def test_archiving_goes_back_to_pages_of_this_host_only(client_for, team_mate, workspace, experiment):
    address = reverse("experiments_archive", args=[workspace.name])

    answer = client_for(team_mate).post(address, {"experiment": [experiment.name], "next": "//evil.example/"})

    assert answer["Location"] == "/"


def test_experiments_are_found_by_their_name_and_by_their_runs(client_for, team_mate, workspace, local, address):
    named = factories.experiment(workspace, "diabetes")
    other = factories.experiment(workspace, "other")
    factories.run(other, by=team_mate, status=RunStatus.FAILED)
    client = client_for(team_mate)

    by_name = client.get(address, {"q": "diab"}).context["rows"]
    by_run = client.get(address, {"q": "status:failed"}).context["rows"]

    assert [row[0] for row in by_name] == [named]
    assert [row[0] for row in by_run] == [other]


def test_a_mistake_in_the_search_is_shown_under_the_bar(client_for, team_mate, address):
    page = client_for(team_mate).get(address, {"q": "stats:failed"})

    assert page.status_code == 422
    assert "did you mean" in page.content.decode()


def test_pages_follow_each_other(client_for, team_mate, workspace, address):
    for _ in range(60):
        factories.experiment(workspace)
    client = client_for(team_mate)

    first = client.get(address).context["page"]
    second = client.get(address, {"cursor": first.next}).context["page"]

    assert (len(first.items), len(second.items)) == (50, 10)
    assert not {e.pk for e in first.items} & {e.pk for e in second.items}


def test_the_number_of_queries_does_not_grow_with_the_rows(client_for, team_mate, workspace, address):
    client = client_for(team_mate)

    counts = []
    for rows in (3, 27):
        for _ in range(rows):
            factories.run(factories.experiment(workspace), by=team_mate)
        with CaptureQueriesContext(connection) as queries:
            client.get(address)
        counts.append(len(queries))

    assert counts[0] == counts[1]
