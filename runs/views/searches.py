"""The searches of one's own that pages with a search bar list: those that one keeps, and the latest."""

from dataclasses import dataclass

from django.utils import timezone

from runs.actions import searches
from runs.models import SavedSearch, Workspace
from runs.views import live
from runs.views.request import SignedInRequest

_LISTED = 100


@dataclass(frozen=True)
class Searches:
    """What the page lists below its search bar."""

    kept: list[SavedSearch]
    recent: list[SavedSearch]


def of(request: SignedInRequest, workspace: Workspace, *, query: str) -> Searches:
    """Return the user's searches. A whole page that was asked for with `query` makes it a recent one.

    With scripts a page searches while one types: then the browser says what was meant, see `search_used`.
    """
    if query and not live.is_partial(request) and "cursor" not in request.GET:
        searches.remember(workspace=workspace, query=query, by=request.user, at=timezone.now())
    own = list(SavedSearch.objects.filter(workspace=workspace, user=request.user).order_by("-used_at")[:_LISTED])
    kept = sorted((search for search in own if search.name), key=lambda search: search.name)
    known = {search.query for search in kept}
    return Searches(kept, [search for search in own if not search.name and search.query not in known])
