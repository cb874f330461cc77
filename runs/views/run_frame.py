"""A page or drawing that a run wrote, for a frame that has no rights at all."""

from pathlib import PurePosixPath

from django.http import Http404, HttpResponse
from django.views.decorators.clickjacking import xframe_options_sameorigin
from django.views.decorators.http import require_GET

from runs import permissions, storage
from runs.views import run_files
from runs.views.request import SignedInRequest

_LONGEST_BYTES = 32 * 2**20
# Its scripts run in an origin of their own, which is nobody's: no cookies, no requests, no windows, no forms.
_POLICY = "; ".join(
    (
        "sandbox allow-scripts",
        "default-src 'none'",
        "script-src 'unsafe-inline' 'unsafe-eval'",
        "style-src 'unsafe-inline'",
        "img-src data: blob:",
        "font-src data:",
        "form-action 'none'",
        "base-uri 'none'",
        "frame-ancestors 'self'",
    )
)


@require_GET
@xframe_options_sameorigin
def run_frame(request: SignedInRequest, run_id: str) -> HttpResponse:
    """Send the page that `?path=` names, sandboxed by its own headers wherever it is opened."""
    run = permissions.get_run(request.user, run_id)
    path = request.GET.get("path", "")
    file = run_files.find(run, path)
    media_type = run_files.PAGE_TYPES.get(PurePosixPath(path).suffix.lower())
    if file is None or file.is_log or media_type is None or file.size_bytes > _LONGEST_BYTES:
        raise Http404

    try:
        with storage.open_artifact(run.pk, path) as handle:
            data = handle.read()
    except FileNotFoundError as error:
        raise Http404 from error
    headers = {
        "Content-Security-Policy": _POLICY,
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Cross-Origin-Resource-Policy": "same-origin",
    }
    return HttpResponse(data, content_type=media_type, headers=headers)
