"""The page on which a person lets a command line in."""

from urllib.parse import parse_qs, urlsplit

import pytest
from django.test import Client

from runs.models import ApiToken, LoginCode
from tests.runs.actions.test_hand_over import CHALLENGE, VERIFIER

ADDRESS = "/tokens/hand-over/"
ASKED = {"port": "40123", "state": "s" * 32, "challenge": CHALLENGE, "machine": "laptop.local"}


def test_the_page_says_which_machine_asks_and_gives_nothing_yet(client_for, owner):
    answer = client_for(owner).get(ADDRESS, ASKED)

    assert answer.status_code == 200
    assert "laptop.local" in answer.content.decode()
    assert "olivia" in answer.content.decode()
    assert "no-store" in answer["Cache-Control"]
    assert "form-action 'self' http://127.0.0.1:40123/;" in answer["Content-Security-Policy"] + ";"
    assert not LoginCode.objects.exists()


def test_the_button_sends_a_code_to_this_machine_and_no_token(client_for, owner):
    answer = client_for(owner).post(ADDRESS, ASKED)

    back = urlsplit(answer["Location"])
    given = parse_qs(back.query)
    assert (answer.status_code, f"{back.scheme}://{back.netloc}{back.path}") == (303, "http://127.0.0.1:40123/")
    assert given["state"] == ["s" * 32]
    assert not ApiToken.objects.exists()
    exchanged = Client().post(
        "/api/v1/login", {"code": given["code"][0], "verifier": VERIFIER}, content_type="application/json"
    )
    assert (exchanged.status_code, exchanged.json()["username"]) == (200, "olivia")
    assert exchanged["Cache-Control"] == "no-store"
    assert ApiToken.objects.get().name == "studio login on laptop.local"


def test_a_code_that_is_not_good_is_refused(db):
    answer = Client().post("/api/v1/login", {"code": "x", "verifier": "y"}, content_type="application/json")

    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "bad_login_code")


def test_a_foreign_page_can_not_press_the_button(owner):
    client = Client(enforce_csrf_checks=True)
    client.force_login(owner)

    assert client.post(ADDRESS, ASKED).status_code == 403
    assert not LoginCode.objects.exists()


@pytest.mark.parametrize(
    "wrong",
    [
        *({"port": port} for port in ("80", "65536", "x", "", "40123@evil.example", "40123/../", "-1")),
        {"state": "short"},
        {"state": "s" * 31 + "&"},
        {"state": "&" + "s" * 31},
        {"challenge": "x"},
        {"challenge": "&" + CHALLENGE[1:]},
        {"machine": ""},
        {"machine": "<b>laptop</b>"},
        {"machine": "two words"},
    ],
)
@pytest.mark.parametrize("method", ["get", "post"])
def test_an_address_that_no_command_line_made_is_refused(client_for, owner, method, wrong):
    answer = getattr(client_for(owner), method)(ADDRESS, {**ASKED, **wrong})

    assert answer.status_code == 422
    assert "studio login" in answer.content.decode()
    assert not LoginCode.objects.exists()


def test_who_is_not_signed_in_signs_in_first_and_comes_back(client, owner):
    asked = client.get(ADDRESS, ASKED)

    back = client.post(asked["Location"], {"username": "olivia", "password": "secret"})

    assert back.status_code == 302
    assert client.get(back["Location"]).context["machine"] == "laptop.local"
