"""The Raw JSON tab: the run's document, as the API gives it."""

import json

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from runs import permissions, shapes
from runs.models import Run
from runs.views import run_code, run_page
from runs.views.request import SignedInRequest


@require_GET
def run_raw(request: SignedInRequest, run_id: str) -> HttpResponse:
    """Show the document, highlighted."""
    run = permissions.get_run(request.user, run_id)

    text = _text(run)
    context = run_page.frame(request, run, tab="run_raw") | {"code": run_code.of_json(text), "text": text}
    return render(request, "run/run_raw.html", context)


@require_GET
def run_raw_download(request: SignedInRequest, run_id: str) -> HttpResponse:
    """Send the document as a file."""
    run = permissions.get_run(request.user, run_id)

    headers = {"Content-Disposition": f'attachment; filename="run-{run.number}.json"'}
    return HttpResponse(_text(run), content_type="application/json", headers=headers)


def _text(run: Run) -> str:
    return json.dumps(shapes.run_document(run), indent=2, ensure_ascii=False)
