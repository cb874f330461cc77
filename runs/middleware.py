"""What every request passes: the reader's language and time zone, and headers that keep foreign code out of pages."""

import re
import zoneinfo
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.middleware.gzip import GZipMiddleware
from django.shortcuts import render
from django.utils import timezone, translation
from django.utils.cache import patch_vary_headers

from runs import log_context
from runs.errors import Conflict, NotFound, PermissionDenied, RunsError, TooLarge
from runs.translation import translated

GetResponse = Callable[[HttpRequest], HttpResponse]

# No inline script or style, nothing from elsewhere. A view that shows users' own files sets a stricter one.
CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'self'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "object-src 'none'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
        # The last one: a view may add to it.
        "form-action 'self'",
    )
)
PERMISSIONS_POLICY = "camera=(), microphone=(), geolocation=(), payment=(), usb=(), browsing-topics=()"
_FOR_PROGRAMS = re.compile(
    r"/(?:w/[^/]+/)?(?:(?:ajax-)?api/|get-artifact\b)|/(?:healthz|readyz|metrics|health|version)\Z"
)
_STATUSES: dict[type[RunsError], int] = {NotFound: 404, PermissionDenied: 403, Conflict: 409, TooLarge: 413}


def security_headers(get_response: GetResponse) -> GetResponse:
    """Add the content security policy and its like, unless the view has set its own; keep answers to htmx uncached."""

    def middleware(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        # A form whose answer leads elsewhere: its view says where.
        also = getattr(response, "form_action", "")
        policy = f"{CONTENT_SECURITY_POLICY} {also}" if also else CONTENT_SECURITY_POLICY
        response.headers.setdefault("Content-Security-Policy", policy)
        response.headers.setdefault("Permissions-Policy", PERMISSIONS_POLICY)
        if request.headers.get("HX-Request") == "true":
            # Else the browser's back button may show a part as if it were the page.
            response.headers["Cache-Control"] = "no-store"
        return response

    return middleware


def language_and_zone(get_response: GetResponse) -> GetResponse:
    """Speak the reader's language and write times in the reader's zone: as they chose, else as the browser says.

    The browser's zone is in a cookie that app.js sets. Programs are answered in English, in TIME_ZONE.
    """

    def middleware(request: HttpRequest) -> HttpResponse:
        if _FOR_PROGRAMS.match(request.path_info):
            with translation.override(settings.LANGUAGE_CODE), timezone.override(None):
                return get_response(request)
        chosen = getattr(request.user, "preferences", None)
        language = (chosen and chosen.language) or translation.get_language_from_request(request)
        zone = (chosen and chosen.time_zone) or request.COOKIES.get("timezone", "")
        with translation.override(language), timezone.override(_zone(zone)):
            response = get_response(request)
        response.headers.setdefault("Content-Language", language)
        patch_vary_headers(response, ("Accept-Language", "Cookie"))
        return response

    return middleware


class CompressPages(GZipMiddleware):
    """Send pages as gzip. Files and answers to programs go as they are: most are small, or compressed already."""

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        """Compress a whole page; its length varies a little each time, which hides what a guess would add to it."""
        is_page = not response.streaming and response.headers.get("Content-Type", "").startswith("text/html")
        return super().process_response(request, response) if is_page else response


class LogContextMiddleware:
    """Let every line that is logged under a request name the run that its address names."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Pass the request on."""
        # It has no end here: Django logs a refusal after all middleware.
        log_context.begin()
        return self.get_response(request)

    def process_view(
        self, request: HttpRequest, view: Callable[..., HttpResponse], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> None:
        """Take the run's id from the address."""
        if "run_id" in kwargs:
            log_context.add(run_id=kwargs["run_id"])


class RefusalMiddleware:
    """Turn what the domain refuses into a page, or into a line of text that a toast shows."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Pass the request on."""
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        """Answer a RunsError that no view caught; the API's dialects catch their own."""
        if not isinstance(exception, RunsError):
            return None
        status = _status(exception)
        if request.headers.get("HX-Request") == "true":
            return HttpResponse(translated(exception.message), status=status, content_type="text/plain; charset=utf-8")
        template = {404: "404.html", 403: "403.html"}.get(status, "refused.html")
        return render(request, template, {"message": translated(exception.message)}, status=status)


def _status(error: RunsError) -> int:
    return next((status for kind, status in _STATUSES.items() if isinstance(error, kind)), 400)


def _zone(name: str) -> zoneinfo.ZoneInfo | None:
    try:
        return zoneinfo.ZoneInfo(name) if name else None
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):  # a cookie may hold anything
        return None
