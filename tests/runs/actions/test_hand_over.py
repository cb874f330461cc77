"""A code becomes a token once, within a minute, for whoever knows the verifier."""

import base64
import hashlib
from datetime import timedelta

import pytest

from runs.actions import hand_over, tokens
from runs.errors import InvalidInput
from runs.models import ApiToken, LoginCode

VERIFIER = "v" * 64
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()


def code(owner, noon):
    return hand_over.create_code(user=owner, name="studio login on laptop", challenge=CHALLENGE, at=noon)


def test_the_code_becomes_a_token_of_the_person(owner, noon):
    secret = code(owner, noon)

    token, token_secret = hand_over.exchange(code=secret, verifier=VERIFIER, at=noon + timedelta(seconds=59))

    assert tokens.authenticate(token_secret, at=noon) == token
    assert (token.user, token.name) == (owner, "studio login on laptop")
    assert token.expires_at - token.created_at == timedelta(days=90)
    assert secret not in str(list(LoginCode.objects.values()))


def test_it_works_once(owner, noon):
    secret = code(owner, noon)
    hand_over.exchange(code=secret, verifier=VERIFIER, at=noon)

    with pytest.raises(hand_over.BadLoginCode):
        hand_over.exchange(code=secret, verifier=VERIFIER, at=noon)
    assert ApiToken.objects.count() == 1


@pytest.mark.parametrize("verifier", ["w" * 64, CHALLENGE, "", "\x00", "\ud800" * 43])
def test_who_has_the_code_alone_gets_nothing_and_uses_it_up(owner, noon, verifier):
    secret = code(owner, noon)

    with pytest.raises(hand_over.BadLoginCode):
        hand_over.exchange(code=secret, verifier=verifier, at=noon)
    with pytest.raises(hand_over.BadLoginCode):
        hand_over.exchange(code=secret, verifier=VERIFIER, at=noon)


def test_an_old_code_a_wrong_one_and_that_of_somebody_who_left_are_refused(owner, noon):
    secret = code(owner, noon)

    with pytest.raises(hand_over.BadLoginCode):
        hand_over.exchange(code=secret, verifier=VERIFIER, at=noon + timedelta(minutes=1))
    with pytest.raises(hand_over.BadLoginCode):
        hand_over.exchange(code="\ud800wrong", verifier=VERIFIER, at=noon)
    owner.is_active = False
    owner.save()
    with pytest.raises(hand_over.BadLoginCode):
        hand_over.exchange(code=secret, verifier=VERIFIER, at=noon)


def test_old_codes_are_swept_by_the_next(owner, noon):
    code(owner, noon)

    code(owner, noon + timedelta(minutes=1))

    assert LoginCode.objects.count() == 1


@pytest.mark.parametrize("challenge", ["", "short", "=" * 43, CHALLENGE + "x"])
def test_a_challenge_is_a_digest(owner, noon, challenge):
    with pytest.raises(InvalidInput):
        hand_over.create_code(user=owner, name="x", challenge=challenge, at=noon)
