"""The API itself: its routers, its way to refuse, its offline documentation."""

from django.contrib.auth.decorators import login_not_required
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import URLPattern, URLResolver
from ninja import NinjaAPI, Router

from runs.api.v1 import (
    account,
    auth,
    experiments,
    files,
    imports,
    metrics,
    parsing,
    pipelines,
    published_pipelines,
    refusals,
    runs,
    schedules,
    snapshots,
    worker,
)

api = NinjaAPI(
    title="Studio",
    version="1.0.0",
    description="Submit, watch, find, compare and cancel runs. Times are ISO 8601 in UTC. Lists come in pages: pass"
    " the `next` of one as the `cursor` of the following. A refusal is `{error: {code, message, field}}`.",
    urls_namespace="api-v1",
    auth=auth.Bearer(),
    parser=parsing.JsonParser(),
    # The pages of the documentation show no data; their scripts come with ninja, from this server.
    docs_decorator=login_not_required,
)
refusals.register(api)
last = Router()


@last.api_operation(
    ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"], "/{path:rest}", include_in_schema=False
)
def nothing_here(request: HttpRequest, rest: str) -> HttpResponse:
    """Refuse an address that is none, to those who may know."""
    raise Http404


for router in (
    account.router,
    experiments.router,
    runs.router,
    metrics.router,
    files.router,
    imports.router,
    snapshots.router,
    pipelines.router,
    published_pipelines.router,
    schedules.router,
    worker.router,
    last,
):
    api.add_router("", router)


def addresses() -> tuple[list[URLPattern | URLResolver], str, str]:
    """Return what `path` takes: the API's own names are `api-v1:...`. The converter `experiment` must be known."""
    patterns, app_name, namespace = api.urls
    return refusals.in_form(patterns), app_name, namespace
