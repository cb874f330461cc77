"""Language, time zone and keys: the user's own choice before the browser's, and no query more for it."""

import pytest
from django.test import Client

from runs.models import Preferences
from tests import factories


@pytest.fixture
def client(client_for, team_mate, workspace):
    return client_for(team_mate)


def choose(client, **fields):
    return client.post("/preferences/", {"language": "", "time_zone": "", "has_shortcuts": "on", **fields})


def test_what_was_chosen_is_kept_and_said_in_the_new_language(client, team_mate):
    answer = choose(client, language="it", time_zone="Asia/Tokyo")
    page = client.get(answer["Location"])

    assert (answer.status_code, page["Content-Language"]) == (302, "it")
    assert "Le tue preferenze sono salvate." in page.content.decode()
    held = Preferences.objects.get(user=team_mate)
    assert (held.language, held.time_zone, held.has_shortcuts) == ("it", "Asia/Tokyo", True)


def test_the_users_choice_comes_before_the_browser_and_the_cookie(client, experiment):
    choose(client, language="en", time_zone="Asia/Tokyo")
    client.cookies["timezone"], client.cookies["django_language"] = "Europe/Rome", "it"

    page = client.get("/w/default/experiments/", headers={"Accept-Language": "it"}).content.decode()

    assert '<html lang="en" data-zone="Asia/Tokyo"' in page
    assert "23 Nov 2026 21:00 JST" in page


def test_what_is_not_chosen_is_the_browsers(client, experiment):
    client.cookies["timezone"] = "Europe/Rome"

    page = client.get("/w/default/experiments/", headers={"Accept-Language": "it"}).content.decode()

    assert '<html lang="it" data-zone="Europe/Rome"' in page
    assert "23 Nov 2026 13:00 CET" in page


def test_the_zone_of_the_browser_is_offered(client):
    client.cookies["timezone"] = "Europe/Rome"

    assert "That of my browser: Europe/Rome" in client.get("/preferences/").content.decode()


def test_a_day_of_a_search_is_a_day_of_the_readers_zone(client, experiment, team_mate):
    factories.run(experiment, by=team_mate)
    # Noon in UTC is the 24th already on the other side of the earth.
    choose(client, time_zone="Pacific/Kiritimati")

    that_day = client.get(experiment.get_absolute_url(), {"q": "created:2026-11-24"})
    day_before = client.get(experiment.get_absolute_url(), {"q": "created:2026-11-23"})

    assert (len(that_day.context["table"].runs), len(day_before.context["table"].runs)) == (1, 0)


@pytest.mark.parametrize("wrong", [{"language": "xx"}, {"time_zone": "Mars/Base"}])
def test_what_nobody_has_is_refused(client, wrong):
    answer = choose(client, **wrong)

    assert answer.status_code == 422
    assert not Preferences.objects.exists()


def test_a_zone_that_this_machine_no_longer_knows_does_no_harm(client, team_mate):
    Preferences.objects.create(user=team_mate, time_zone="Mars/Base")

    assert client.get("/preferences/").status_code == 200


def test_preferences_cost_no_query(client, team_mate, django_assert_num_queries):
    with django_assert_num_queries(3):
        client.get("/shortcuts/")
    Preferences.objects.create(user=team_mate, language="it", has_shortcuts=False)
    with django_assert_num_queries(3):
        page = client.get("/shortcuts/")

    assert b'lang="it"' in page.content
    assert b'data-shortcuts="off"' in page.content


def test_a_stranger_is_led_to_the_sign_in_and_chooses_the_language_there(db):
    stranger = Client()

    assert stranger.get("/preferences/").status_code == 302
    assert stranger.get("/shortcuts/").status_code == 302
    answer = stranger.post("/language/", {"language": "it", "next": "/sign-in/"})
    page = stranger.get("/sign-in/")

    assert answer["Location"] == "/sign-in/"
    assert "Nome utente" in page.content.decode()


@pytest.mark.parametrize("address", ["https://elsewhere.example/", "//elsewhere.example/"])
def test_the_language_leads_to_no_other_host(db, address):
    answer = Client().post("/language/", {"language": "it", "next": address})

    assert answer["Location"] == "/"
