"""Light or dark, for readers without scripts: app.js does the same in the browser."""

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_POST

from runs.views.request import safe_next

_YEAR_SECONDS = 365 * 24 * 3600


@require_POST
def theme(request: HttpRequest) -> HttpResponse:
    """Remember the theme in a cookie and go back."""
    chosen = "dark" if request.POST.get("theme") == "dark" else "light"

    response = redirect(safe_next(request, default="home"))
    # Not HttpOnly: app.js writes it as well.
    response.set_cookie("theme", chosen, max_age=_YEAR_SECONDS, samesite="Lax", secure=settings.SESSION_COOKIE_SECURE)
    return response
