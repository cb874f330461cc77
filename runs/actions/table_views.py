"""Views: save the state of an experiment's page under a name, and choose the one to find it in."""

from datetime import datetime

from django.contrib.auth.models import User
from django.db import transaction
from django.http import QueryDict

from runs import limits
from runs.actions import checks
from runs.errors import InvalidInput
from runs.models import DefaultView, Experiment, TableView
from runs.wording import say

# The place in a list, and what a poll or a choice of a view adds, are no part of a view.
_PASSING = ("cursor", "v", "view", "open", "runs")


def save(*, experiment: Experiment, name: str, state: str, by: User, at: datetime) -> TableView:
    """Save `state`, a query string, as the view `name`; one of that name is written over. Raises InvalidInput."""
    name = checks.text(name.strip(), field="name", limit=limits.VIEW_NAME_LENGTH)
    if not name:
        raise InvalidInput(say("A view needs a name."), field="name")
    query = QueryDict(checks.text(state, field="state", limit=limits.VIEW_QUERY_LENGTH), mutable=True)
    for passing in _PASSING:
        query.pop(passing, None)
    with transaction.atomic():
        view, _ = TableView.objects.update_or_create(
            experiment=experiment, name=name, defaults={"query": query.urlencode(), "saved_by": by, "saved_at": at}
        )
        count = TableView.objects.filter(experiment=experiment).count()
        checks.count(count, field="views", limit=limits.VIEWS_PER_EXPERIMENT)
    return view


def delete(*, view: TableView) -> None:
    """Delete `view`; whoever had it as default finds the usual page again."""
    view.delete()


def set_default(*, experiment: Experiment, view: TableView | None, by: User) -> None:
    """Let `by` find `experiment` in `view` from now on; None is the usual page."""
    if view is None:
        DefaultView.objects.filter(user=by, experiment=experiment).delete()
        return
    DefaultView.objects.update_or_create(user=by, experiment=experiment, defaults={"view": view})
