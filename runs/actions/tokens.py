"""Secrets that let programs and people in: made, recognized, revoked. Only digests are stored."""

import hashlib
import secrets
from contextlib import suppress
from datetime import datetime, timedelta

from django.contrib.auth.models import User
from django.db.models import Q

from runs import limits
from runs.actions import checks
from runs.errors import Conflict
from runs.models import ApiToken, Attempt, Run, SignInLink
from runs.outage import NO_DATABASE
from runs.prepared import Prepared

# Marks a leaked secret as ours, for people and for scanners.
_PREFIX = "stu_"
# That of a worker opens other doors, and is told apart by this alone: it is part of what is hashed.
_WORKER_PREFIX = "stw_"
_PREFIX_LENGTH = len(_PREFIX) + 6
# What a script still has to say when it has ended: the rest of its metrics.
_AFTER_ATTEMPT = timedelta(minutes=5)
_SIGN_IN_LINK_LIFE = timedelta(days=1)
# Writing the time of each request would make every read a write.
_USED_AT_PRECISION = timedelta(minutes=1)

# Asked by every request of a program.
_tokens = Prepared(lambda digest: ApiToken.objects.select_related("user", "run").filter(digest=digest))
_attempts = Prepared(lambda run, number: Attempt.objects.filter(run=run, number=number).only("ended_at"))


class StaleAttempt(Conflict):
    """This token belongs to an earlier attempt at the run; a newer one has taken over."""

    code = "stale_attempt"


def create_token(*, user: User, name: str, at: datetime, expires_at: datetime | None = None) -> tuple[ApiToken, str]:
    """Make an API token of `user`; return its row and the secret, which is shown this once."""
    secret = _new_secret()
    token = ApiToken.objects.create(
        user=user,
        name=checks.text(name, field="name", limit=100),
        prefix=secret[:_PREFIX_LENGTH],
        digest=_digest(secret),
        created_at=at,
        expires_at=expires_at,
    )
    return token, secret


def create_run_token(*, run: Run, attempt_number: int, at: datetime) -> tuple[ApiToken, str]:
    """Make the token of one attempt at `run`: it acts for the submitter, on this run and its children only."""
    secret = _new_secret()
    token = ApiToken.objects.create(
        user_id=run.submitted_by_id,
        run=run,
        attempt_number=attempt_number,
        name="run token",
        prefix=secret[:_PREFIX_LENGTH],
        digest=_digest(secret),
        created_at=at,
        # The end of its attempt ends it sooner.
        expires_at=at + timedelta(seconds=(run.max_run_duration_seconds or limits.RUN_DURATION_SECONDS) + 24 * 3600),
    )
    return token, secret


def create_worker_token(*, run: Run, attempt_number: int, at: datetime) -> tuple[ApiToken, str]:
    """Make the token with which the worker of a live attempt stores its bytes, and which opens nothing else."""
    secret = _new_secret(_WORKER_PREFIX)
    token = ApiToken.objects.create(
        user_id=run.submitted_by_id,
        run=run,
        attempt_number=attempt_number,
        name="worker",
        prefix=secret[:_PREFIX_LENGTH],
        digest=_digest(secret),
        created_at=at,
    )
    return token, secret


def revoke(*, token: ApiToken, at: datetime) -> None:
    """Make `token` useless from now on. Revoking it again changes nothing."""
    if ApiToken.objects.filter(pk=token.pk, revoked_at=None).update(revoked_at=at):
        token.revoked_at = at


def revoke_all(*, user: User, at: datetime) -> int:
    """Revoke the tokens that `user` made; return how many. Those of their runs, which go on, are left alone."""
    return ApiToken.objects.filter(user=user, run=None, revoked_at=None).update(revoked_at=at)


def authenticate(secret: str, *, at: datetime) -> ApiToken | None:
    """Return the token whose secret this is, with its user and run, or None if it is not good (any more).

    Raises StaleAttempt for the token of an attempt that a newer one has replaced.
    """
    if not secret.startswith(_PREFIX):
        return None
    # The lookup is by digest, so how long it takes says nothing about the secret.
    token = _tokens.first(_digest(secret))
    if token is None or token.revoked_at or (token.expires_at and token.expires_at <= at) or not token.user.is_active:
        return None
    if token.run is not None and not _attempt_speaks(token, token.run, at=at):
        return None
    if token.used_at is None or at - token.used_at >= _USED_AT_PRECISION:
        with suppress(*NO_DATABASE):  # what cannot be written to can still be read
            ApiToken.objects.filter(pk=token.pk).update(used_at=at)
            token.used_at = at
    return token


def authenticate_worker(secret: str, *, at: datetime) -> ApiToken | None:
    """Return the token whose secret this is, with its run and snapshot, or None if it is none of a worker.

    Raises StaleAttempt for that of an attempt that has ended, unless its last bytes are still due.
    """
    if not secret.startswith(_WORKER_PREFIX):
        return None
    token = ApiToken.objects.select_related("run__snapshot").filter(digest=_digest(secret)).first()
    if token is None or token.run is None or token.attempt_number is None or token.revoked_at:
        return None
    attempts = Attempt.objects.filter(run=token.run, number=token.attempt_number)
    is_live = token.run.attempt_number == token.attempt_number and attempts.live().exists()
    if not is_live and not attempts.owing(at=at).exists():
        raise StaleAttempt
    return token


def create_sign_in_link(*, user: User, at: datetime) -> str:
    """Make a link that signs `user` in once, within a day; return its secret."""
    secret = secrets.token_urlsafe(32)
    SignInLink.objects.create(user=user, digest=_digest(secret), created_at=at, expires_at=at + _SIGN_IN_LINK_LIFE)
    return secret


def redeem_sign_in_link(secret: str, *, at: datetime) -> User | None:
    """Use up the link and return its user, or None if it was used, is too old, or is none. Of two at once one wins."""
    link = SignInLink.objects.select_related("user").filter(digest=_digest(secret)).first()
    if link is None or not link.user.is_active:
        return None
    won = SignInLink.objects.filter(Q(expires_at__gt=at), pk=link.pk, used_at=None).update(used_at=at)
    return link.user if won else None


def _new_secret(prefix: str = _PREFIX) -> str:
    return prefix + secrets.token_urlsafe(32)


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "replace")).hexdigest()


def _attempt_speaks(token: ApiToken, run: Run, *, at: datetime) -> bool:
    if run.attempt_number != token.attempt_number:
        raise StaleAttempt
    attempt = _attempts.first(run.pk, token.attempt_number)
    return attempt is None or attempt.ended_at is None or at <= attempt.ended_at + _AFTER_ATTEMPT
