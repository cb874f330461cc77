"""Secrets are long, stored as digests only, and good for as long as they should be."""

from datetime import timedelta

import pytest

from runs.actions import tokens
from runs.models import ApiToken, SignInLink
from tests import factories


def test_a_token_is_known_by_its_secret_which_is_not_stored(owner, noon):
    token, secret = tokens.create_token(user=owner, name="laptop", at=noon)

    stored = ApiToken.objects.values().get()
    assert tokens.authenticate(secret, at=noon) == token
    assert (secret[:4], len(secret) >= 47, secret.startswith(stored["prefix"])) == ("stu_", True, True)
    assert secret not in str(stored)


@pytest.mark.parametrize("secret", ["", "stu_", "stu_x", "Bearer", "stu_\x00", "stu_\ud800", "x" * 100_000])
def test_other_words_are_no_token(secret, owner, noon):
    tokens.create_token(user=owner, name="", at=noon)

    assert tokens.authenticate(secret, at=noon) is None


def test_a_token_ends_when_it_expires_is_revoked_or_its_user_leaves(owner, noon):
    token, secret = tokens.create_token(user=owner, name="", at=noon, expires_at=noon + timedelta(days=1))

    assert tokens.authenticate(secret, at=noon + timedelta(hours=23)) == token
    assert tokens.authenticate(secret, at=noon + timedelta(days=1)) is None
    owner.is_active = False
    owner.save()
    assert tokens.authenticate(secret, at=noon) is None
    owner.is_active = True
    owner.save()
    tokens.revoke(token=token, at=noon)
    assert tokens.authenticate(secret, at=noon) is None


def test_its_use_is_noted_once_a_minute(owner, noon, django_assert_num_queries):
    _, secret = tokens.create_token(user=owner, name="", at=noon)
    tokens.authenticate(secret, at=noon)

    with django_assert_num_queries(1):
        tokens.authenticate(secret, at=noon + timedelta(seconds=59))
    tokens.authenticate(secret, at=noon + timedelta(seconds=60))

    assert ApiToken.objects.get().used_at == noon + timedelta(seconds=60)


def test_a_token_of_a_run_names_its_attempt(experiment, owner, noon):
    run = factories.run(experiment, by=owner, attempt_number=1)
    token, secret = tokens.create_run_token(run=run, attempt_number=1, at=noon)

    assert tokens.authenticate(secret, at=noon) == token
    type(run).objects.update(attempt_number=2)
    with pytest.raises(tokens.StaleAttempt):
        tokens.authenticate(secret, at=noon)


def test_a_sign_in_link_works_once_and_for_a_day(owner, noon):
    secret = tokens.create_sign_in_link(user=owner, at=noon)
    late = tokens.create_sign_in_link(user=owner, at=noon)

    assert secret not in str(list(SignInLink.objects.values()))
    assert tokens.redeem_sign_in_link(secret, at=noon) == owner
    assert tokens.redeem_sign_in_link(secret, at=noon) is None
    assert tokens.redeem_sign_in_link(late, at=noon + timedelta(days=1)) is None
    assert tokens.redeem_sign_in_link("wrong", at=noon) is None
