"""A person in a browser lets a command line in: a code that works once becomes a token.

The way of RFC 8252 with RFC 7636: the code goes through the browser to a port of the person's
own machine, and is worth nothing without the verifier, which the command line never gave away.
"""

import base64
import hashlib
import hmac
import re
import secrets
from datetime import datetime, timedelta

from django.contrib.auth.models import User

from runs.actions import checks, tokens
from runs.errors import InvalidInput, RunsError
from runs.models import ApiToken, LoginCode
from runs.wording import say

# What the client makes: 32 random bytes or more, and their SHA-256, both in base64 for addresses.
CHALLENGE = re.compile(r"\A[A-Za-z0-9_-]{43}\Z")
_VERIFIER = re.compile(r"[A-Za-z0-9._~-]{43,128}")
# The command line waits beside the browser.
_CODE_LIFE = timedelta(minutes=1)
TOKEN_DAYS = 90


class BadLoginCode(RunsError):
    """This code is not good: it was used, is older than a minute, or belongs to another login."""

    code = "bad_login_code"


def create_code(*, user: User, name: str, challenge: str, at: datetime) -> str:
    """Make the code for a token of `user` that is to be called `name`; return its secret."""
    if not CHALLENGE.fullmatch(challenge):
        raise InvalidInput(say("Expected the SHA-256 of the verifier, in base64 for addresses."), field="challenge")
    LoginCode.objects.filter(expires_at__lte=at).delete()
    secret = secrets.token_urlsafe(32)
    LoginCode.objects.create(
        user=user,
        name=checks.text(name, field="name", limit=100),
        digest=_digest(secret),
        challenge=challenge,
        created_at=at,
        expires_at=at + _CODE_LIFE,
    )
    return secret


def exchange(*, code: str, verifier: str, at: datetime) -> tuple[ApiToken, str]:
    """Use up the code and return the token that it stands for, with its secret. Of two at once one wins.

    A wrong verifier uses the code up, too. Raises BadLoginCode.
    """
    found = LoginCode.objects.select_related("user").filter(digest=_digest(code)).first()
    if found is None or not found.user.is_active:
        raise BadLoginCode
    won = LoginCode.objects.filter(pk=found.pk, used_at=None, expires_at__gt=at).update(used_at=at)
    if not won or not _VERIFIER.fullmatch(verifier) or not hmac.compare_digest(_challenge(verifier), found.challenge):
        raise BadLoginCode
    return tokens.create_token(user=found.user, name=found.name, at=at, expires_at=at + timedelta(days=TOKEN_DAYS))


def _challenge(verifier: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "replace")).hexdigest()
