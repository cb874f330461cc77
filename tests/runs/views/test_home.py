"""Where one lands."""

from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from runs.models import Role
from runs.status import RunStatus
from tests import factories


def test_the_root_leads_to_the_first_workspace(client_for, team_mate, workspace):
    answer = client_for(team_mate).get("/")

    assert answer["Location"] == "/w/default/"


def test_whoever_belongs_nowhere_is_told_whom_to_ask(client, db):
    client.force_login(factories.user("new"))

    page = client.get("/")

    assert page.status_code == 404
    assert b"ask an owner" in page.content


def test_an_empty_workspace_offers_an_example_and_a_command(client_for, team_mate, workspace):
    page = client_for(team_mate).get("/w/default/").content.decode()

    assert f'action="{reverse("run_submit", args=["default"])}?example=hello"' in page
    assert "curl " in page


def test_the_overview_shows_counts_runs_and_experiments(client_for, team_mate, experiment):
    run = factories.run(experiment, by=team_mate, status=RunStatus.FAILED)

    page = client_for(team_mate).get("/w/default/")

    assert page.context["counts"].tiles["failed"] == 1
    assert page.context["runs"] == [run]
    assert [row[0] for row in page.context["experiments"]] == [experiment]


def test_the_workspaces_to_switch_to_are_those_of_the_user(client_for, team_mate, workspace):
    factories.member(factories.workspace("second"), team_mate, Role.READER)
    factories.workspace("not-mine")

    page = client_for(team_mate).get("/w/default/").content.decode()

    assert "/w/second/" in page
    assert "not-mine" not in page


def test_a_stranger_finds_no_such_workspace(client_for, stranger, workspace):
    assert client_for(stranger).get("/w/default/").status_code == 404


def test_the_theme_is_remembered_in_a_cookie(client_for, team_mate):
    client = client_for(team_mate)

    answer = client.post("/theme/", {"theme": "dark", "next": "/compute/"})
    page = client.get("/compute/").content.decode()

    assert answer["Location"] == "/compute/"
    assert 'data-theme="dark"' in page


def test_a_made_up_theme_is_ignored(client_for, team_mate):
    client = client_for(team_mate)
    client.cookies["theme"] = '"><script>'

    page = client.get("/compute/").content.decode()

    assert "data-theme=" not in page


def test_the_number_of_queries_does_not_grow_with_the_rows(client_for, team_mate, workspace):
    client = client_for(team_mate)

    counts = []
    for rows in (3, 27):
        for _ in range(rows):
            factories.run(factories.experiment(workspace), by=team_mate)
        with CaptureQueriesContext(connection) as queries:
            client.get("/w/default/")
        counts.append(len(queries))

    assert counts[0] == counts[1]
