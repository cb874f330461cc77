"""What the search bar offers while one types, and the searches that one keeps."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from runs import limits, permissions
from runs.actions import searches
from runs.models import SavedSearch
from runs.search import QuerySyntaxError, completion, grammar, nodes
from runs.translation import translated
from runs.views.request import SignedInRequest, safe_next

_NAME_LENGTH = 100


@require_safe
def search_completion(request: SignedInRequest, workspace_name: str) -> HttpResponse:
    """Answer the options for the end of `q`, as the list that the search bar shows."""
    workspace = permissions.get_workspace(request.user, workspace_name)

    text = request.GET.get("q", "")[: limits.QUERY_LENGTH]
    suggestions = completion.complete(text, workspace=workspace, user=request.user)

    response = render(request, "_partials/search_options.html", {"suggestions": suggestions})
    response["Cache-Control"] = "no-store"
    return response


@require_POST
def search_save(request: SignedInRequest, workspace_name: str) -> HttpResponse:
    """Keep `query` under `name`, or forget the one called `forget`, or all recent ones."""
    workspace = permissions.get_workspace(request.user, workspace_name)

    answer = redirect(safe_next(request, default=workspace.get_absolute_url()))
    own = SavedSearch.objects.filter(workspace=workspace, user=request.user)
    if forgotten := request.POST.get("forget", ""):
        own.filter(name=forgotten).delete()
        return answer
    if "forget_recent" in request.POST:
        searches.forget_recent(workspace=workspace, by=request.user)
        return answer
    name, query = request.POST.get("name", "").strip(), request.POST.get("query", "").strip()
    try:
        grammar.parse(query)
    except QuerySyntaxError as problem:
        messages.error(request, translated(problem.message))
        return answer
    if not name or len(name) > _NAME_LENGTH or not name.isprintable() or not query:
        messages.error(request, _("A search is kept under a name of 1 to %d characters.") % _NAME_LENGTH)
        return answer
    SavedSearch.objects.update_or_create(
        workspace=workspace, user=request.user, name=name, defaults={"query": query, "used_at": timezone.now()}
    )
    messages.success(request, _("The search is kept: the empty search bar offers it."))
    return answer


@require_POST
def search_used(request: SignedInRequest, workspace_name: str) -> HttpResponse:
    """Note `q` among the recent searches: the browser says so once somebody has typed it to its end."""
    workspace = permissions.get_workspace(request.user, workspace_name)

    query = request.POST.get("q", "").strip()
    try:
        is_search = grammar.parse(query) != nodes.EVERYTHING
    except QuerySyntaxError:
        is_search = False
    if is_search:
        searches.remember(workspace=workspace, query=query, by=request.user, at=timezone.now())
    return HttpResponse(status=204)
