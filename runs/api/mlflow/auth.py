"""Who asks: a bearer token, or basic authentication with a token or a password."""

import base64
import binascii
import hashlib
import time

from django.contrib.auth import authenticate
from django.contrib.auth.models import User
from django.http import HttpRequest
from django.utils import timezone

from runs import log_context
from runs.actions import sign_in_throttle, tokens
from runs.api.callers import Caller
from runs.api.mlflow.errors import MlflowError

# How long a password that was right is not reckoned anew: that takes longer than a whole request.
_REMEMBERED_SECONDS = 60
_REMEMBERED_AT_MOST = 1_000

_remembered: dict[str, tuple[int, float]] = {}


def caller_of(request: HttpRequest) -> Caller:
    """Return who makes this request. Raises UNAUTHENTICATED, and StaleAttempt for the token of an earlier attempt."""
    scheme, _, credentials = request.headers.get("Authorization", "").partition(" ")
    caller = None
    if scheme.lower() == "bearer":
        caller = _by_token(credentials.strip())
    elif scheme.lower() == "basic":
        name, password = _name_and_password(credentials)
        caller = _by_token(password) or _by_password(request, name, password)
    if caller is None:
        raise MlflowError(
            "UNAUTHENTICATED",
            "Send a valid token: set MLFLOW_TRACKING_TOKEN, or MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD.",
            WWW_Authenticate='Basic realm="mlflow"',
        )
    return caller


def _by_token(secret: str) -> Caller | None:
    found = tokens.authenticate(secret, at=timezone.now())
    if found is None:
        return None
    if found.run is not None:
        log_context.add(run_id=found.run.run_id)
    return Caller(found.user, found.run)


def _name_and_password(credentials: str) -> tuple[str, str]:
    try:
        name, _, password = base64.b64decode(credentials, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return "", ""
    return name, password


def _by_password(request: HttpRequest, name: str, password: str) -> Caller | None:
    if not name or not password or "\x00" in name:
        return None
    # Salted by the password's stored form, so that a change of it is known at once.
    stored = User.objects.filter(username=name, is_active=True).values_list("pk", "password").first()
    key = hashlib.sha256(repr((name, password, stored)).encode("utf-8", "replace")).hexdigest()
    user_id, until = _remembered.get(key, (0, 0.0))
    if until > time.monotonic():
        user = User.objects.filter(pk=user_id, is_active=True).first()
        return Caller(user, None) if user else None
    user = _checked(request, name, password)
    if user is None:
        return None
    if len(_remembered) >= _REMEMBERED_AT_MOST:
        _remembered.clear()
    _remembered[key] = (user.pk, time.monotonic() + _REMEMBERED_SECONDS)
    return Caller(user, None)


def _checked(request: HttpRequest, name: str, password: str) -> User | None:
    """Return the user whose name and password these are; guessing is slowed down as on the sign-in page."""
    address = request.META.get("REMOTE_ADDR", "")
    try:
        sign_in_throttle.count_attempt(username=name, address=address, at=timezone.now())
    except sign_in_throttle.TooManyAttempts as error:
        raise MlflowError("REQUEST_LIMIT_EXCEEDED", error.message, Retry_After=str(error.wait_seconds)) from None
    user = authenticate(request, username=name, password=password)
    if not isinstance(user, User):
        return None
    sign_in_throttle.forget(username=name, address=address)
    return user
