"""The Raw JSON tab: the run's document, as the API gives it."""

import json

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from runs import permissions, shapes
from runs.views import json_tree, run_code, run_page
from runs.views.request import SignedInRequest

_LONGEST_FIND = 200


@require_GET
def run_raw(request: SignedInRequest, run_id: str) -> HttpResponse:
    """Show the document folded, `?find=` in it, or with `?view=text` as text."""
    run = permissions.get_run(request.user, run_id)

    find, is_text = request.GET.get("find", "")[:_LONGEST_FIND], request.GET.get("view") == "text"
    document = shapes.run_document(run)
    text = _text(document)
    tree, found = json_tree.build(document, find=find)
    context = run_page.frame(request, run, tab="run_raw") | {
        "text": text,
        "find": find,
        "found_count": found,
        "tree": tree,
        "code": run_code.of_json(text) if is_text else None,
    }
    return render(request, "run/run_raw.html", context)


@require_GET
def run_raw_download(request: SignedInRequest, run_id: str) -> HttpResponse:
    """Send the document as a file."""
    run = permissions.get_run(request.user, run_id)

    headers = {"Content-Disposition": f'attachment; filename="run-{run.number}.json"'}
    return HttpResponse(_text(shapes.run_document(run)), content_type="application/json", headers=headers)


def _text(document: shapes.Document) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False)
