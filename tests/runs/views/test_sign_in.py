"""Signing in by password and by link, and out again."""

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from runs.actions import sign_in_throttle, tokens
from runs.actions.sign_in_throttle import TooManyAttempts
from runs.models import SignInFailure

TRY = {"username": "olivia", "password": "wrong"}


def test_a_password_opens_the_page_that_was_asked_for(client, owner):
    answer = client.post("/sign-in/", {"username": "olivia", "password": "secret", "next": "/compute/"})

    assert answer["Location"] == "/compute/"
    assert client.session["_auth_user_id"] == str(owner.pk)


@pytest.mark.parametrize(
    "wanted",
    ["//evil.example", "/\\evil.example", "https://evil.example/", "javascript:alert(1)", "%2f%2fevil", "\t//evil"],
)
def test_the_way_back_stays_on_this_host(client, owner, wanted):
    answer = client.post("/sign-in/", {"username": "olivia", "password": "secret", "next": wanted})

    assert answer["Location"] == "/"


def test_a_wrong_password_and_an_unknown_name_get_the_same_answer(client, owner):
    known = client.post("/sign-in/", TRY)
    unknown = client.post("/sign-in/", {"username": "nobody", "password": "wrong"})

    assert (known.status_code, unknown.status_code) == (422, 422)
    assert known.context["form"].errors == unknown.context["form"].errors


def test_guessing_is_stopped_also_with_the_right_password(client, owner, monkeypatch, noon):
    monkeypatch.setattr(timezone, "now", lambda: noon)  # the first wait is a second long
    answers = [client.post("/sign-in/", TRY).status_code for _ in range(20)]

    right = client.post("/sign-in/", {"username": "olivia", "password": "secret"})

    assert answers[:5] == [422] * 5
    assert set(answers[5:]) == {429}
    assert right.status_code == 429
    assert "Try again in" in right.content.decode()


def test_each_failure_doubles_the_wait_up_to_a_quarter_of_an_hour(db, noon):
    waits, at = [], noon
    for _ in range(20):
        sign_in_throttle.count_attempt(username="olivia", address="1.2.3.4", at=at)
        until = SignInFailure.objects.order_by("-blocked_until").first().blocked_until
        waits.append((until - at).total_seconds())
        at = max(until, at)

    assert waits[:7] == [0, 0, 0, 0, 1, 2, 4]
    assert waits[-1] == 900


def test_another_name_and_another_address_do_not_wait(db, noon):
    for _ in range(5):
        sign_in_throttle.count_attempt(username="olivia", address="1.2.3.4", at=noon)

    sign_in_throttle.count_attempt(username="tom", address="1.2.3.4", at=noon)
    sign_in_throttle.count_attempt(username="olivia", address="5.6.7.8", at=noon)

    with pytest.raises(TooManyAttempts):
        sign_in_throttle.count_attempt(username="OLIVIA", address="1.2.3.4", at=noon)


def test_one_address_cannot_try_many_names(db, noon):
    for number in range(50):
        sign_in_throttle.count_attempt(username=f"user{number}", address="1.2.3.4", at=noon)

    with pytest.raises(TooManyAttempts):
        sign_in_throttle.count_attempt(username="olivia", address="1.2.3.4", at=noon)


def test_a_right_password_is_no_failure(db, noon):
    for _ in range(60):
        sign_in_throttle.count_attempt(username="olivia", address="1.2.3.4", at=noon)
        sign_in_throttle.forget(username="olivia", address="1.2.3.4")

    assert sum(SignInFailure.objects.values_list("count", flat=True)) == 0


def test_failures_are_forgotten_after_a_day(db, noon):
    for _ in range(5):
        sign_in_throttle.count_attempt(username="olivia", address="1.2.3.4", at=noon)

    sign_in_throttle.count_attempt(username="olivia", address="1.2.3.4", at=noon + timedelta(hours=25))

    assert set(SignInFailure.objects.values_list("count", flat=True)) == {1}


def test_a_link_signs_in_once(client, owner):
    address = reverse("sign_in_link", args=[tokens.create_sign_in_link(user=owner, at=timezone.now())])

    opened = client.get(address)
    signed_in = client.post(address)
    client.logout()
    again = client.post(address)

    assert opened.status_code == 200
    assert signed_in["Location"] == "/"
    assert again.status_code == 410
    assert "_auth_user_id" not in client.session


def test_whoever_has_no_password_is_told_to_choose_one(client, owner, workspace):
    owner.set_unusable_password()
    owner.save(update_fields=["password"])
    address = reverse("sign_in_link", args=[tokens.create_sign_in_link(user=owner, at=timezone.now())])

    page = client.post(address, follow=True)
    chosen = client.post("/password/", {"new_password1": "wolf-under-9-lamps", "new_password2": "wolf-under-9-lamps"})

    assert "You have no password yet" in page.content.decode()
    assert chosen["Location"] == "/"
    assert client.get("/compute/").status_code == 200


def test_a_weak_password_is_refused(client_for, owner):
    answer = client_for(owner).post(
        "/password/", {"old_password": "secret", "new_password1": "12345678", "new_password2": "12345678"}
    )

    assert answer.status_code == 422
    assert "too common" in answer.content.decode()


def test_a_new_password_ends_the_other_sessions(client_for, owner):
    here, elsewhere = client_for(owner), client_for(owner)

    here.post(
        "/password/",
        {"old_password": "secret", "new_password1": "wolf-under-9-lamps", "new_password2": "wolf-under-9-lamps"},
    )

    assert here.get("/compute/").status_code == 200
    assert elsewhere.get("/compute/").status_code == 302


def test_signing_out_takes_a_post(client_for, owner):
    client = client_for(owner)

    by_link = client.get("/sign-out/").status_code
    client.post("/sign-out/")

    assert by_link == 405
    assert client.get("/compute/").status_code == 302
