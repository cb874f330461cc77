"""Saved views of an experiment's page."""

import pytest
from django.urls import reverse

from runs.models import DefaultView, TableView
from tests import factories


@pytest.fixture
def place(workspace, experiment):
    """The address of one of the views' pages, by its name."""
    return lambda name, *more: reverse(name, args=[workspace.name, experiment.name, *more])


STATE = "q=status%3Afailed&columns=number%2Cmetrics.loss&order=metrics.loss&chart=line.step.loss&chart=bar.number.auc"


def save(client, place, name="Losses", state=f"{STATE}&cursor=abc&view=7"):
    return client.post(place("view_save"), {"name": name, "state": state})


def test_a_view_keeps_all_of_the_page_but_the_place_in_it(client_for, team_mate, experiment, place):
    answer = save(client_for(team_mate), place)

    view = TableView.objects.get()
    assert view.query == STATE
    assert answer["Location"] == f"{experiment.get_absolute_url()}?{STATE}&view={view.pk}"


def test_saved_again_it_is_written_over_and_a_change_is_marked(client_for, team_mate, experiment, place):
    client = client_for(team_mate)
    save(client, place)
    save(client, place, state="q=x")
    view = TableView.objects.get()

    same = client.get(experiment.get_absolute_url(), {"q": "x", "view": view.pk}).context["views"]
    other = client.get(experiment.get_absolute_url(), {"q": "y", "view": view.pk}).context["views"]

    assert (same.current, same.is_changed) == (view, False)
    assert other.is_changed


def test_a_link_opens_it_for_everybody_who_may_see_the_experiment(client_for, team_mate, reader, stranger, place):
    save(client_for(team_mate), place)
    link = place("view_open", TableView.objects.get().pk)

    assert "metrics.loss" in client_for(reader).get(link)["Location"]
    assert client_for(stranger).get(link).status_code == 404


def test_a_default_view_is_found_by_its_user_alone_until_it_is_reset(client_for, team_mate, reader, experiment, place):
    address, client = experiment.get_absolute_url(), client_for(reader)
    save(client_for(team_mate), place)
    view = TableView.objects.get()

    client.post(place("view_default"), {"view": view.pk})
    found, standard = client.get(address), client.get(address, {"view": "standard"})
    theirs = client_for(team_mate).get(address)
    client.post(place("view_default"))

    assert found["Location"].endswith(f"&view={view.pk}")
    assert (standard.status_code, theirs.status_code) == (200, 200)
    assert not DefaultView.objects.exists()
    assert client.get(address).status_code == 200


@pytest.mark.parametrize(("name", "state"), [("", "q=x"), ("x" * 101, "q=x"), ("x", "q=" + "x" * 9_000)])
def test_a_bad_view_is_not_saved(client_for, team_mate, place, name, state):
    page = client_for(team_mate).post(place("view_save"), {"name": name, "state": state}, follow=True)

    assert page.status_code in (200, 422)
    assert b"tone-error" in page.content
    assert not TableView.objects.exists()


def test_only_contributors_save_and_delete(client_for, team_mate, reader, place):
    save(client_for(team_mate), place)
    view = TableView.objects.get()

    refused = [save(client_for(reader), place), client_for(reader).post(place("view_delete", view.pk))]
    client_for(team_mate).post(place("view_delete", view.pk))

    assert [answer.status_code for answer in refused] == [403, 403]
    assert not TableView.objects.exists()


def test_a_view_of_another_experiment_is_none_of_this_one(client_for, team_mate, workspace, place):
    other = factories.experiment(workspace)
    save(client_for(team_mate), place)
    view = TableView.objects.get()

    answer = client_for(team_mate).get(reverse("view_open", args=[workspace.name, other.name, view.pk]))

    assert answer.status_code == 404
