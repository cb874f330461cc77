"""Who asks, and what they may do here. Bearer tokens only: a cookie opens nothing."""

from dataclasses import dataclass

from django.conf import settings
from django.http import HttpRequest
from django.utils import timezone
from ninja.security import HttpBearer

from runs import permissions
from runs.actions import tokens
from runs.api.callers import Caller
from runs.errors import InvalidInput, NotFound, TooLarge
from runs.models import ApiToken

# Room for the other parts of a form, beside the snapshot.
_FORM_BYTES = 16 * 2**20
# How our own clients name themselves.
_DOORS = {"studio-sdk": "sdk", "studio-cli": "cli"}


@dataclass(frozen=True)
class TokenCaller(Caller):
    """A caller, with the token of the request."""

    token: ApiToken


class Bearer(HttpBearer):
    """Checks `Authorization: Bearer stu_...`, and what can be refused before the request is read."""

    def authenticate(self, request: HttpRequest, token: str) -> TokenCaller | None:
        """Return the caller, or None for a token that is not good. Raises StaleAttempt."""
        found = tokens.authenticate(token.strip(), at=timezone.now())
        if found is None:
            return None
        _check_request(request)
        own_run = permissions.get_run(found.user, found.run.run_id) if found.run else None
        return TokenCaller(found.user, own_run, found)


def caller(request: HttpRequest) -> TokenCaller:
    """Return who makes this request."""
    who = request.auth  # type: ignore[attr-defined]  # set by ninja from what Bearer returned
    assert isinstance(who, TokenCaller)  # noqa: S101
    return who


def door(request: HttpRequest, said: str = "") -> str:
    """Return through which door a request comes, for the run's events: what the body says, or which client asks."""
    product = request.headers.get("User-Agent", "").partition("/")[0]
    return said or _DOORS.get(product, "api")


def _check_request(request: HttpRequest) -> None:
    """Refuse what no database can look up, and a form that is too large before it is read."""
    if "\x00" in request.path_info:
        raise NotFound
    for name, values in request.GET.lists():
        if "\x00" in name or any("\x00" in value for value in values):
            raise InvalidInput("The address holds a NUL character.", field=name.replace("\x00", ""))
    if request.content_type == "multipart/form-data":
        limit = 2 * settings.STUDIO_SNAPSHOT_BYTES + _FORM_BYTES
        if int(request.META.get("CONTENT_LENGTH") or 0) > limit:
            raise TooLarge(f"The request is larger than {limit:,} bytes.", field="snapshot")
