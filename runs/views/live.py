"""How a page that refreshes itself answers: whole, as its fragment, or 204 when nothing changed."""

import hashlib
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.cache import patch_vary_headers

# Seconds between two polls of a list: while something on it is active, and while nothing is.
BUSY_SECONDS = 5
IDLE_SECONDS = 30


def version_of(*facts: Any) -> str:
    """Return a short digest of what a fragment shows. The page sends it back with each poll as `v`."""
    return hashlib.blake2s(repr(facts).encode(), digest_size=8).hexdigest()


def is_partial(request: HttpRequest) -> bool:
    """Return whether htmx asks for a fragment. The back button and plain links ask for the page."""
    return request.headers.get("HX-Request") == "true" and request.headers.get("HX-Request-Type") == "partial"


def respond(
    request: HttpRequest,
    template: str,
    context: dict[str, Any],
    *,
    fragment: str,
    version: str = "",
    status: int = 200,
) -> HttpResponse:
    """Return the page, or only its `fragment` to htmx, or 204 if the poll already shows `version`."""
    if not is_partial(request):
        response = render(request, template, context, status=status)
    elif version and request.GET.get("v") == version:
        response = HttpResponse(status=204)
    else:
        response = render(request, f"{template}#{fragment}", context, status=status)
    patch_vary_headers(response, ["HX-Request", "HX-Request-Type"])
    return response
