"""Change many runs at once: those of a queryset, of which the ones that cannot be changed so are passed over."""

import contextlib
from datetime import datetime

from django.contrib.auth.models import User

from runs import limits
from runs.actions import archiving, cancellation, tagging, trash
from runs.errors import InvalidInput
from runs.models import Run
from runs.models.run import RunQuerySet
from runs.status import ACTIVE, TERMINAL
from runs.wording import say

_PER_UPDATE = 1_000


def cancel(*, runs: RunQuerySet, by: User, at: datetime, reason: str = "", actor: str = "") -> int:
    """Ask the active ones of `runs` to stop; return how many were asked. Raises InvalidInput for too many."""
    active = _few(runs.filter(status__in=ACTIVE), limits.BULK_SLOW_RUNS)
    found = Run.objects.filter(pk__in=active).select_related("experiment").order_by("-pk")
    return len(cancellation.request_cancel_many(runs=found, by=by, at=at, reason=reason, actor=actor))


def archive(*, runs: RunQuerySet, at: datetime) -> int:
    """Archive those of `runs` that have ended; return how many. Raises InvalidInput for too many."""
    ended = _few(runs.filter(status__in=TERMINAL, archived_at=None), limits.BULK_RUNS)
    return sum(
        Run.objects.filter(pk__in=ended[start : start + _PER_UPDATE], archived_at=None).update(archived_at=at)
        for start in range(0, len(ended), _PER_UPDATE)
    )


def tag(*, runs: RunQuerySet, key: str, value: str | None) -> int:
    """Put a tag on all of `runs`; return how many they are. Raises InvalidInput for too many, or for a bad tag."""
    found = _few(runs, limits.BULK_SLOW_RUNS)
    for run in Run.objects.filter(pk__in=found).only("pk", "workspace", "experiment"):
        tagging.set_tags(run=run, tags={key: value})
    return len(found)


def delete(*, runs: RunQuerySet, at: datetime) -> int:
    """Move those of `runs` that have ended to the trash, with what is below them; return how many runs that are.

    One with a child that has not ended is passed over. Raises InvalidInput for too many.
    """
    ended = _few(runs.filter(status__in=TERMINAL), limits.BULK_SLOW_RUNS)
    count = 0
    for run in Run.objects.filter(pk__in=ended):
        with contextlib.suppress(archiving.StillActive):
            count += trash.trash_run(run=run, at=at)
    return count


def _few(runs: RunQuerySet, limit: int) -> list[int]:
    pks = list(runs.order_by().values_list("pk", flat=True)[: limit + 1])
    if len(pks) > limit:
        raise InvalidInput(
            say(
                "These are more than {limit:,} runs, which is as many as can be changed at once: narrow the search.",
                limit=limit,
            ),
            field="run",
        )
    return pks
