"""A user's own API tokens."""

from datetime import timedelta

from django.urls import reverse
from django.utils import timezone

from runs.actions import tokens
from runs.models import ApiToken


def test_a_token_is_shown_once_and_works(client_for, owner):
    client = client_for(owner)

    made = client.post("/tokens/", {"name": "laptop", "days": "90"})
    later = client.get("/tokens/")

    secret = made.context["secret"]
    assert secret in made.content.decode()
    assert secret not in later.content.decode()
    assert tokens.authenticate(secret, at=timezone.now()).user == owner
    assert "no-store" in made["Cache-Control"]


def test_a_token_lives_as_long_as_was_asked(client_for, owner):
    client = client_for(owner)

    client.post("/tokens/", {"name": "short", "days": "30"})
    client.post("/tokens/", {"name": "endless", "days": "0"})

    endless, short = ApiToken.objects.order_by("-id")
    assert endless.expires_at is None
    assert short.expires_at - short.created_at == timedelta(days=30)


def test_a_token_without_a_name_is_refused_beside_the_field(client_for, owner):
    answer = client_for(owner).post("/tokens/", {"name": "", "days": "30"})

    assert answer.status_code == 422
    assert answer.context["form"].errors["name"]
    assert not ApiToken.objects.exists()


def test_a_revoked_token_is_useless(client_for, owner):
    token, secret = tokens.create_token(user=owner, name="laptop", at=timezone.now())

    client_for(owner).post(reverse("token_revoke", args=[token.pk]))

    assert tokens.authenticate(secret, at=timezone.now()) is None


def test_nobody_revokes_or_sees_the_tokens_of_others(client_for, owner, team_mate):
    token, _secret = tokens.create_token(user=owner, name="of the owner", at=timezone.now())
    client = client_for(team_mate)

    answer = client.post(reverse("token_revoke", args=[token.pk]))
    page = client.get("/tokens/")

    token.refresh_from_db()
    assert answer.status_code == 404
    assert token.revoked_at is None
    assert "of the owner" not in page.content.decode()
