"""Archive runs: they leave the lists, and nothing of them is lost."""

from datetime import datetime

from django.db.models import Q

from runs.errors import Conflict
from runs.models import Run, RunType
from runs.status import TERMINAL


class StillActive(Conflict):
    """A run that has not ended cannot be archived: cancel it first."""

    code = "still_active"


def archive(*, run: Run, at: datetime, even_active: bool = False) -> Run:
    """Hide `run` from lists. Archiving it again changes nothing.

    Raises StillActive for one that has not ended, unless its own client drives it and
    `even_active` allows that.
    """
    can_go = Q(status__in=TERMINAL)
    if even_active:
        can_go |= Q(run_type=RunType.INTERACTIVE)
    won = Run.objects.filter(can_go, pk=run.pk, archived_at=None).update(archived_at=at)
    run.refresh_from_db(fields=["status", "archived_at"])
    if not won and run.archived_at is None:
        raise StillActive
    return run


def restore(*, run: Run) -> Run:
    """Show `run` in lists again. Restoring it again changes nothing."""
    Run.objects.filter(pk=run.pk).update(archived_at=None)
    run.archived_at = None
    return run
