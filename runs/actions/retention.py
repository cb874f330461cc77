"""Retention: rules by which ended runs go to the trash."""

from datetime import datetime, timedelta
from itertools import islice

from django.contrib.auth.models import User

from runs import search
from runs.actions import checks, trash
from runs.actions.archiving import StillActive
from runs.errors import InvalidInput
from runs.models import RetentionRule, Run, Workspace
from runs.models.run import RunQuerySet
from runs.status import TERMINAL
from runs.wording import say

# So many runs one rule moves at a time: the next time it goes on.
AT_MOST = 1_000
_LONGEST_DAYS = 36_500


def add_rule(*, workspace: Workspace, query: str, after_days: int, by: User, at: datetime) -> RetentionRule:
    """Let the runs that `query` finds go to the trash `after_days` days after they ended. Raises InvalidInput."""
    if not 1 <= after_days <= _LONGEST_DAYS:
        raise InvalidInput(say("Expected 1 to {most} days.", most=_LONGEST_DAYS), field="after_days")
    checks.text(query, field="query", limit=4_000)
    search.apply(Run.objects.none(), query, user=by, at=at)  # raises for what cannot be read
    return RetentionRule.objects.create(
        workspace=workspace, query=query.strip(), after_days=after_days, created_by=by, created_at=at
    )


def found_by(rule: RetentionRule, *, at: datetime) -> RunQuerySet:
    """Return the runs that `rule` would move now: the dry run. Never one that is active, nor the child of another."""
    ended = Run.objects.filter(
        workspace=rule.workspace, status__in=TERMINAL, ended_at__lte=at - timedelta(days=rule.after_days)
    )
    return search.apply(ended.top_level(), rule.query, user=rule.created_by, at=at)


def would_move(*, at: datetime) -> set[int]:
    """Return the rows of the runs that `apply_rules` would move, with their children: its dry run."""
    moved: set[int] = set()
    for rule in RetentionRule.objects.select_related("workspace", "created_by").order_by("pk"):
        found = found_by(rule, at=at).order_by("pk").values_list("pk", flat=True)
        for run in islice((run for run in found.iterator() if run not in moved), AT_MOST):
            moved |= trash.would_move(run)
    return moved


def apply_rules(*, at: datetime) -> int:
    """Move what the rules find to the trash, and return how many runs that are, with their children."""
    moved = 0
    for rule in RetentionRule.objects.select_related("workspace", "created_by").order_by("pk"):
        for run in found_by(rule, at=at).order_by("pk")[:AT_MOST]:
            try:
                moved += trash.trash_run(run=run, at=at)
            except StillActive:
                continue  # one of its children: another time
    return moved
