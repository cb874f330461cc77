"""How MLflow's clients are refused: its codes, its HTTP statuses, and its wording where their tests match it."""

import logging
from typing import Any

from django.core.exceptions import BadRequest, RequestDataTooBig, SuspiciousOperation
from django.http import HttpRequest, JsonResponse, UnreadablePostError

from runs.actions.experiments import ExperimentExists
from runs.api.transfers import RangeNotSatisfiable
from runs.errors import Conflict, NotFound, PermissionDenied, RunsError, TooLarge
from runs.outage import NO_DATABASE

logger = logging.getLogger(__name__)

BAD_REQUEST = "BAD_REQUEST"
INVALID = "INVALID_PARAMETER_VALUE"
EXISTS = "RESOURCE_ALREADY_EXISTS"
ABSENT = "RESOURCE_DOES_NOT_EXIST"
NO_ENDPOINT = "ENDPOINT_NOT_FOUND"
INVALID_STATE = "INVALID_STATE"

_STATUSES = {
    BAD_REQUEST: 400,
    INVALID: 400,
    EXISTS: 400,
    ABSENT: 404,
    NO_ENDPOINT: 404,
    INVALID_STATE: 500,
    "UNAUTHENTICATED": 401,
    "PERMISSION_DENIED": 403,
    "RESOURCE_CONFLICT": 409,
    "REQUEST_LIMIT_EXCEEDED": 429,
    "TEMPORARILY_UNAVAILABLE": 503,
    "INTERNAL_ERROR": 500,
}
_DOMAIN: tuple[tuple[type[RunsError], str], ...] = (
    (ExperimentExists, EXISTS),
    (NotFound, ABSENT),
    (PermissionDenied, "PERMISSION_DENIED"),
    (Conflict, "RESOURCE_CONFLICT"),
)
_SEE = "See the API docs for more information about request parameters."


class MlflowError(Exception):
    """A refusal in MLflow's words."""

    def __init__(self, code: str, message: str, *, status: int = 0, **headers: str) -> None:
        super().__init__(message)
        self.code, self.message = code, message
        self.status = status or _STATUSES[code]
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}


def invalid(message: str) -> MlflowError:
    """Return the refusal of a value."""
    return MlflowError(INVALID, message)


def missing(name: str) -> MlflowError:
    """Return the refusal of a request that lacks the parameter `name`."""
    return invalid(f"Missing value for required parameter '{name}'. {_SEE}")


def wrong(name: str, value: Any, hint: str = "") -> MlflowError:
    """Return the refusal of `value` for the parameter `name`."""
    hint = hint or f" Hint: Value was of type '{type(value).__name__}'. {_SEE}"
    return invalid(f"Invalid value {_shown(value)} for parameter '{name}' supplied: {hint}")


def absent(message: str) -> MlflowError:
    """Return the refusal of what does not exist."""
    return MlflowError(ABSENT, message)


def answer(request: HttpRequest, error: Exception) -> JsonResponse:
    """Return the answer that `error` is to the client."""
    refusal = _refusal(request, error)
    body = {"error_code": refusal.code, "message": refusal.message}
    return JsonResponse(body, status=refusal.status, headers=refusal.headers)


def _refusal(request: HttpRequest, error: Exception) -> MlflowError:
    match error:
        case MlflowError():
            return error
        case TooLarge():
            return MlflowError(INVALID, error.message, status=413)
        case RangeNotSatisfiable():
            return MlflowError(BAD_REQUEST, error.message, status=416, Content_Range=f"bytes */{error.size_bytes}")
        case RunsError():
            code = next((code for kind, code in _DOMAIN if isinstance(error, kind)), INVALID)
            return MlflowError(code, error.message)
        case RequestDataTooBig():
            return MlflowError(INVALID, "The body is larger than the limit.", status=413)
        case SuspiciousOperation() | BadRequest() | UnreadablePostError():
            return MlflowError(BAD_REQUEST, "The request cannot be read.")
        case _ if isinstance(error, NO_DATABASE):
            logger.warning("The database did not answer: %s", error)
            message = "The database does not answer right now; try again."
            return MlflowError("TEMPORARILY_UNAVAILABLE", message, Retry_After="1")
        case _:
            logger.error("Internal error at %s %r", request.method, request.path, exc_info=error)
            return MlflowError("INTERNAL_ERROR", "Something went wrong in the server; its log says what.")


def _shown(value: Any) -> str:
    return f'"{value[:200]}"' if isinstance(value, str) else str(value)[:200]
