"""Searches that somebody made lately: noted for themselves alone, a few, and not at every keystroke."""

from datetime import datetime, timedelta

from django.contrib.auth.models import User
from django.db import transaction

from runs.models import SavedSearch, Workspace

RECENT = 10
# The same search within such a time, as of a page that is loaded again, is no news.
_WHILE = timedelta(minutes=10)


def remember(*, workspace: Workspace, query: str, by: User, at: datetime) -> None:
    """Note that `by` searched for `query`; of the older ones only RECENT stay. Again soon after, it does nothing."""
    recent = SavedSearch.objects.filter(workspace=workspace, user=by, name="")
    if recent.filter(query=query, used_at__gt=at - _WHILE).exists():
        return
    with transaction.atomic():
        recent.filter(query=query).delete()
        SavedSearch.objects.create(workspace=workspace, user=by, query=query, used_at=at)
        older = list(recent.order_by("-used_at", "-pk").values_list("pk", flat=True)[RECENT:])
        if older:
            recent.filter(pk__in=older).delete()


def forget_recent(*, workspace: Workspace, by: User) -> None:
    """Forget all that `by` searched for without keeping it."""
    SavedSearch.objects.filter(workspace=workspace, user=by, name="").delete()
