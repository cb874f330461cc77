"""What clients ask about the server itself, and what they are told about the parts of MLflow that are not here."""

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_safe

from runs.api.mlflow import errors
from runs.api.mlflow.calls import document

# Of MLflow's interface, not of this product: clients choose what they ask by it.
MLFLOW_VERSION = "3.17.2"


@require_safe
@login_not_required
def health(request: HttpRequest) -> HttpResponse:
    """Answer that the server is up."""
    return HttpResponse("OK", content_type="text/plain")


@require_safe
@login_not_required
def version(request: HttpRequest) -> HttpResponse:
    """Answer which version of MLflow's interface this is."""
    return HttpResponse(MLFLOW_VERSION, content_type="text/plain")


@require_safe
@login_not_required
def server_info(request: HttpRequest, workspace_name: str = "") -> HttpResponse:
    """Answer what the server can do beyond the calls that all versions know."""
    return document(
        {
            "store_type": "SqlStore",
            "workspaces_enabled": False,
            "trace_archival_enabled": False,
            "multipart_uploads_enabled": False,
            "multipart_downloads_enabled": False,
        }
    )


@csrf_exempt
@login_not_required
def nothing_here(request: HttpRequest, rest: str = "", workspace_name: str = "") -> HttpResponse:
    """Say that a part of MLflow is not here."""
    return errors.answer(
        request,
        errors.MlflowError(
            errors.NO_ENDPOINT,
            f"No API found for {request.method} {request.path[:300]}: this server has MLflow's tracking, and no model"
            " registry, traces, gateway or prompts.",
        ),
    )
