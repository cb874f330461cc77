"""The headers of every answer, the reader's time zone, and how refusals look."""

import pytest
from django.contrib.auth.models import AnonymousUser
from django.db import InternalError, OperationalError
from django.http import HttpResponse
from django.test import RequestFactory
from django.utils import timezone

from runs import middleware


@pytest.mark.parametrize(
    "address", ["/", "/sign-in/", "/healthz", "/nothing-here/", "/static/none.css", "/admin/login/"]
)
def test_every_answer_has_the_policy(client, db, address):
    answer = client.get(address)

    assert answer["Content-Security-Policy"] == middleware.CONTENT_SECURITY_POLICY
    assert "camera=()" in answer["Permissions-Policy"]
    assert answer["X-Frame-Options"] == "DENY"
    assert answer["X-Content-Type-Options"] == "nosniff"


def test_a_policy_that_the_view_has_set_stays():
    sandboxed = middleware.security_headers(
        lambda request: HttpResponse(headers={"Content-Security-Policy": "sandbox"})
    )

    answer = sandboxed(RequestFactory().get("/"))

    assert answer["Content-Security-Policy"] == "sandbox"


@pytest.mark.parametrize(
    ("cookie", "zone"),
    [("Asia/Tokyo", "Asia/Tokyo"), ("", "UTC"), ("Mars/Base", "UTC"), ("../../etc/passwd", "UTC"), ("\0", "UTC")],
)
def test_times_are_shown_in_the_zone_of_the_browser(cookie, zone):
    seen = []
    request = RequestFactory().get("/")
    request.COOKIES["timezone"] = cookie
    request.user = AnonymousUser()

    middleware.language_and_zone(lambda request: seen.append(timezone.get_current_timezone_name()) or HttpResponse())(
        request
    )

    assert seen == [zone]
    assert timezone.get_current_timezone_name() == "UTC"


def test_a_refusal_is_a_page_for_people_and_a_line_for_htmx(client_for, stranger, workspace):
    client = client_for(stranger)

    page = client.get("/w/default/")
    line = client.get("/w/default/", headers={"HX-Request": "true", "HX-Request-Type": "partial"})

    assert (page.status_code, line.status_code) == (404, 404)
    assert b"There is no workspace &#x27;default&#x27;" in page.content
    assert line["Content-Type"].startswith("text/plain")
    assert line["Cache-Control"] == "no-store"


def test_a_broken_page_says_nothing_of_the_inside(client_for, owner, workspace, monkeypatch):
    def explode(*_args, **_kwargs):
        raise ValueError("the secret of the inside")

    monkeypatch.setattr("runs.views.home.live.respond", explode)
    client = client_for(owner)
    client.raise_request_exception = False

    answer = client.get("/w/default/")

    assert answer.status_code == 500
    assert b"secret" not in answer.content
    assert b"Something broke" in answer.content


@pytest.mark.parametrize("kind", [OperationalError, InternalError])
@pytest.mark.parametrize("where", ["runs.views.home.live.respond", "django.contrib.auth.get_user"])
def test_a_database_that_is_away_is_said_so_and_the_page_is_to_be_tried_again(
    client_for, owner, workspace, monkeypatch, where, kind
):
    def cut(*_args, **_kwargs):
        raise kind("terminating connection due to administrator command")

    client = client_for(owner)
    client.raise_request_exception = False
    monkeypatch.setattr(where, cut)

    answer = client.get("/w/default/")

    assert (answer.status_code, answer["Retry-After"]) == (503, "2")
    assert b"does not answer right now" in answer.content
    assert b"administrator command" not in answer.content
