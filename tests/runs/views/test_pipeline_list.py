"""All runs of a workspace."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from tests import factories


@pytest.fixture
def address(workspace):
    return reverse("pipeline_list", args=[workspace.name])


def test_runs_of_all_experiments_are_shown(client_for, team_mate, workspace, address):
    runs = [factories.run(factories.experiment(workspace), by=team_mate) for _ in range(2)]

    page = client_for(team_mate).get(address)

    assert page.context["table"].runs == runs[::-1]


def test_a_stranger_finds_no_such_page(client_for, stranger, address):
    assert client_for(stranger).get(address).status_code == 404


def test_whoever_is_not_signed_in_is_sent_to_the_sign_in(client, address):
    assert client.get(address).status_code == 302


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
