"""One experiment's page."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from runs.models import Tag
from runs.search import index
from runs.status import RunStatus
from tests import factories

POLL = {"HX-Request": "true", "HX-Request-Type": "partial"}


@pytest.fixture
def address(experiment):
    return experiment.get_absolute_url()


@pytest.fixture
def runs(experiment, team_mate, owner, local):
    """A completed, a failed and a running run, the last of them with a child."""
    completed = factories.run(experiment, by=team_mate, status=RunStatus.COMPLETED)
    failed = factories.run(experiment, by=owner, status=RunStatus.FAILED)
    running = factories.run(experiment, by=team_mate, status=RunStatus.RUNNING, compute_target=local)
    factories.run(experiment, by=team_mate, status=RunStatus.RUNNING, parent=running, compute_target=local)
    Tag.objects.create(run=failed, key="quality", value="fantastic run")
    index.refresh(run_ids=[completed.pk, failed.pk, running.pk])
    return completed, failed, running


def shown(page):
    return [run.number for run in page.context["table"].runs]


def test_the_page_shows_tiles_targets_and_the_newest_run_first(client_for, team_mate, runs, address):
    page = client_for(team_mate).get(address)

    assert shown(page) == [3, 2, 1]
    assert page.context["counts"].tiles == {"running": 1, "completed": 1, "failed": 1, "other": 0}
    assert page.context["active_targets"] == 1


def test_child_runs_come_with_the_switch(client_for, team_mate, runs, address):
    page = client_for(team_mate).get(address, {"children": 1})

    assert shown(page) == [4, 3, 2, 1]
    assert page.context["counts"].running == 2


def test_a_tile_shows_what_it_counts(client_for, team_mate, runs, workspace, experiment):
    client = client_for(team_mate)

    page = client.get(reverse("experiment_tile", args=[workspace.name, experiment.name, "failed"]))
    unknown = client.get(reverse("experiment_tile", args=[workspace.name, experiment.name, "broken"]))

    assert shown(page) == [2]
    assert unknown.status_code == 404


@pytest.mark.parametrize(
    ("query", "numbers"),
    [
        ({"q": "fantastic"}, [2]),
        ({"q": "status:completed"}, [1]),
        ({"mine": 1}, [3, 1]),
        ({"order": "number"}, [1, 2, 3]),
    ],
)
def test_the_address_says_what_is_shown(client_for, team_mate, runs, address, query, numbers):
    page = client_for(team_mate).get(address, query)

    assert shown(page) == numbers


def test_a_heading_says_how_the_table_is_sorted(client_for, team_mate, runs, address):
    page = client_for(team_mate).get(address, {"order": "-duration"})

    assert page.content.count(b'aria-sort="descending"') == 1
    assert b"order=duration" in page.content


def test_a_mistake_is_marked_at_its_place(client_for, team_mate, runs, address):
    page = client_for(team_mate).get(address, {"q": "status:failed AND stats:x"})

    assert page.status_code == 422
    assert b"<mark>stats</mark>" in page.content
    assert b'aria-invalid="true"' in page.content


@pytest.mark.parametrize("query", [{"order": "password"}, {"cursor": "made-up"}])
def test_an_order_or_cursor_that_is_none_is_refused(client_for, team_mate, runs, address, query):
    page = client_for(team_mate).get(address, query)

    assert page.status_code == 400


def test_a_poll_gets_the_fragment_and_204_while_nothing_changed(client_for, team_mate, runs, address):
    client = client_for(team_mate)
    version = client.get(address).context["version"]

    unchanged = client.get(address, {"v": version}, headers=POLL)
    Tag.objects.create(run=runs[0], key="new")
    changed = client.get(address, {"v": version}, headers=POLL)

    assert unchanged.status_code == 204
    assert b"<html" not in changed.content
    assert b'id="runs"' in changed.content
    assert b"v=" + version.encode() not in changed.content


def test_the_back_button_gets_the_whole_page(client_for, team_mate, runs, address):
    headers = {"HX-History-Restore-Request": "true", "HX-Request-Type": "full"}

    page = client_for(team_mate).get(address, headers=headers)

    assert b"<html" in page.content


def test_names_with_slashes_have_a_page(client_for, team_mate, workspace):
    experiment = factories.experiment(workspace, "team/a~b c")

    page = client_for(team_mate).get(experiment.get_absolute_url())

    assert page.context["experiment"] == experiment


def test_a_stranger_finds_no_such_page(client_for, stranger, address):
    assert client_for(stranger).get(address).status_code == 404


def test_a_missing_experiment_is_a_plain_404(client_for, team_mate, workspace):
    address = reverse("experiment_detail", args=[workspace.name, "nothing"])

    assert client_for(team_mate).get(address).status_code == 404


def test_the_experiment_is_archived_and_restored(client_for, team_mate, workspace, experiment):
    client = client_for(team_mate)

    client.post(reverse("experiment_archive", args=[workspace.name, experiment.name]))
    experiment.refresh_from_db()
    archived_at = experiment.archived_at
    client.post(reverse("experiment_restore", args=[workspace.name, experiment.name]))
    experiment.refresh_from_db()

    assert archived_at is not None
    assert experiment.archived_at is None


def test_a_reader_may_not_archive_it(client_for, reader, workspace, experiment):
    answer = client_for(reader).post(reverse("experiment_archive", args=[workspace.name, experiment.name]))

    assert answer.status_code == 403


def test_the_number_of_queries_does_not_grow_with_the_rows(client_for, team_mate, experiment, local, address):
    client = client_for(team_mate)

    counts = []
    for rows in (3, 27):
        for number in range(rows):
            run = factories.run(experiment, by=team_mate, compute_target=local)
            Tag.objects.create(run=run, key="number", value=str(number))
        with CaptureQueriesContext(connection) as queries:
            client.get(address)
        counts.append(len(queries))

    assert counts[0] == counts[1]


def test_archived_runs_are_found_behind_a_tile_and_among_ones_own(client_for, team_mate, experiment, noon):
    run = factories.run(experiment, by=team_mate, status=RunStatus.FAILED, archived_at=noon)
    address = reverse("experiment_tile", args=[experiment.workspace.name, experiment.name, "failed"])

    page = client_for(team_mate).get(address, {"q": "is:archived", "mine": "1"}).content.decode()

    assert run.run_id in page
