"""Every refusal in one form: {"error": {"code", "message", "field"}}."""

import dataclasses
import logging
from collections.abc import Callable, Iterable
from functools import wraps
from typing import Any

from django.contrib.auth.decorators import login_not_required
from django.core.exceptions import BadRequest, RequestDataTooBig, SuspiciousOperation
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, JsonResponse, UnreadablePostError
from django.http.multipartparser import MultiPartParserError
from django.urls import URLPattern, URLResolver
from ninja import NinjaAPI
from ninja.errors import HttpError, ValidationError

from runs.api.transfers import LengthRequired, RangeNotSatisfiable
from runs.errors import Conflict, InvalidInput, NotFound, PermissionDenied, RunsError, TooLarge
from runs.outage import NO_DATABASE
from runs.pipelines.definition import BadPipeline
from runs.storage import BadPath

logger = logging.getLogger(__name__)

# Where a value may be of several kinds, pydantic names the kind after the way to it.
_UNION_BRANCHES = {"str", "int", "float", "bool", "list[str]"}
_CODES = {400: "bad_request", 401: "unauthorized", 403: "forbidden", 404: "not_found"}


# The first kind that fits decides.
_STATUSES: tuple[tuple[type[RunsError], int], ...] = (
    (NotFound, 404),
    (PermissionDenied, 403),
    (TooLarge, 413),
    (Conflict, 409),
    (BadPath, 422),
    (InvalidInput, 422),
    (LengthRequired, 411),
)


def refuse(status: int, code: str, message: str, field: str = "", **headers: str) -> JsonResponse:
    """Return the answer that refuses a request."""
    error = {"code": code, "message": message, "field": field or None}
    return JsonResponse({"error": error}, status=status, headers=headers)


def register(api: NinjaAPI) -> None:
    """Let `api` answer every exception in this form."""
    for kind, handler in (
        (RunsError, _domain),
        (ValidationError, _validation),
        (HttpError, _http),
        (Http404, _not_found),
        (RequestDataTooBig, _too_big),
        (SuspiciousOperation, _bad),
        (BadRequest, _bad),
        (MultiPartParserError, _bad),
        (UnreadablePostError, _bad),
        *((kind, _unavailable) for kind in NO_DATABASE),
        (Exception, _bug),
    ):
        api.add_exception_handler(kind, handler)  # type: ignore[arg-type]


def in_form(patterns: Iterable[URLPattern | URLResolver]) -> list[URLPattern | URLResolver]:
    """Return ninja's addresses, made to refuse in this form too what never reaches an operation.

    A token opens them and not a session, so the site's own sign-in keeps out of the way.
    """
    wrapped = list(patterns)
    for pattern in wrapped:
        if isinstance(pattern, URLPattern):
            pattern.callback = login_not_required(_with_refusals(pattern.callback))
    return wrapped


def _with_refusals(view: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
    @wraps(view, updated=("__dict__",))
    def answer(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        try:
            response = view(request, *args, **kwargs)
        except Http404 as error:  # the root, which is no operation
            return _not_found(request, error)
        if response.status_code != 405:
            return response
        allowed = response.headers.get("Allow", "")
        return refuse(
            405, "method_not_allowed", f"{request.method} is not possible here; try {allowed}.", Allow=allowed
        )

    return answer


def _domain(request: HttpRequest, error: RunsError) -> HttpResponse:
    if isinstance(error, RangeNotSatisfiable):
        return refuse(416, error.code, error.message, error.field, **{"Content-Range": f"bytes */{error.size_bytes}"})
    status = next((status for kind, status in _STATUSES if isinstance(error, kind)), 400)
    if isinstance(error, BadPipeline):
        problems = [dataclasses.asdict(problem) for problem in error.problems]
        told = {"code": error.code, "message": error.message, "field": error.field or None, "problems": problems}
        return JsonResponse({"error": told}, status=status)
    return refuse(status, error.code, error.message, error.field)


def _validation(request: HttpRequest, error: ValidationError) -> HttpResponse:
    first = error.errors[0]
    # "body", the name of the parameter, then the way to the field.
    where = [str(part) for part in first["loc"]]
    named = where[2:] if where[0] in ("body", "body_params") and len(where) > 2 else where[1:]
    if named and named[-1] in _UNION_BRANCHES:
        named.pop()
    field = ".".join(named)
    more = f" ({len(error.errors) - 1} more)" if len(error.errors) > 1 else ""
    return refuse(422, "invalid", f"{field or 'The body'}: {first['msg']}.{more}", field)


def _http(request: HttpRequest, error: HttpError) -> HttpResponse:
    status = error.status_code
    if status == 401:
        return refuse(
            401,
            "unauthorized",
            "Send a valid token: Authorization: Bearer stu_...",
            **{"WWW-Authenticate": 'Bearer realm="studio"'},
        )
    if status == 400:
        return refuse(400, "bad_json", "The body cannot be read: expected JSON in UTF-8.")
    return refuse(status, _CODES.get(status, "error"), error.message)


def _not_found(request: HttpRequest, error: Http404) -> HttpResponse:
    return refuse(404, "not_found", "There is nothing at this address.")


def _too_big(request: HttpRequest, error: Exception) -> HttpResponse:
    return refuse(413, "too_large", "The body is larger than the limit.")


def _bad(request: HttpRequest, error: Exception) -> HttpResponse:
    return refuse(400, "bad_request", "The request cannot be read: it is malformed, has too many parts, or broke off.")


def _unavailable(request: HttpRequest, error: Exception) -> HttpResponse:
    logger.warning("The database did not answer: %s", error)
    return refuse(503, "unavailable", "The database does not answer right now; try again.", **{"Retry-After": "1"})


def _bug(request: HttpRequest, error: Exception) -> HttpResponse:
    logger.error("Internal error at %s %r", request.method, request.path, exc_info=error)
    return refuse(500, "internal", "Something went wrong in the server; its log says what.")
