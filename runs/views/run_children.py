"""The Child runs tab: a run's children, paged, with their states rolled up."""

from django.db.models import Count
from django.http import HttpResponse
from django.views.decorators.http import require_GET

from runs import permissions
from runs.models import Run
from runs.search import Found, orders
from runs.status import TERMINAL, TILES
from runs.views import live, run_page, run_rows, run_table
from runs.views.request import SignedInRequest


@require_GET
def run_children(request: SignedInRequest, run_id: str) -> HttpResponse:
    """Show the children, oldest first unless the address asks otherwise."""
    run = permissions.get_run(request.user, run_id)

    order = request.GET.get("order") or "created"
    children = Run.objects.filter(parent=run)
    page = orders.paginate(
        Found(children),
        order=order,
        cursor=request.GET.get("cursor", ""),
        limit=run_table.ROWS_PER_PAGE,
    )
    counts = dict(children.values_list("status").annotate(count=Count("pk")).order_by("status"))
    context = run_page.frame(request, run, tab="run_children")
    table = run_table.of_page(page, order=order, request=request)

    version = live.version_of(table.facts, counts)
    context |= {
        "version": version,
        "table": table,
        "tiles": {tile: sum(counts.get(status, 0) for status in statuses) for tile, statuses in TILES.items()},
        "summary": run_rows.summary(counts),
        "is_live": not run.is_terminal or any(status not in TERMINAL for status in counts),
    }
    return live.respond(request, "run/run_children.html", context, fragment="run-children", version=version)
