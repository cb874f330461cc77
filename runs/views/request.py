"""What comes with a request: who asks, and where to go afterwards."""

from django.contrib.auth.models import User
from django.http import HttpRequest
from django.shortcuts import resolve_url
from django.utils.http import url_has_allowed_host_and_scheme


class SignedInRequest(HttpRequest):
    """A request as LoginRequiredMiddleware lets it through: for type checks only."""

    user: User


def safe_next(request: HttpRequest, *, default: str) -> str:
    """Return where `next` leads if that is on this very host, else the address named `default`."""
    wanted = request.POST.get("next") or request.GET.get("next") or ""
    is_own = url_has_allowed_host_and_scheme(
        wanted, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )
    # A path from the root: `redirect` would take a bare word for the name of a view.
    return wanted if is_own and wanted.startswith("/") else resolve_url(default)
