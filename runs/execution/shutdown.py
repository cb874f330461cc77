"""Stopping what runs on this machine when the server itself is stopped."""

import time
from contextlib import suppress

from django.conf import settings

from runs.actions import cancellation
from runs.execution import host
from runs.models import Attempt, Run

_LOOK_SECONDS = 0.1


def stop_runs(*, reason: str, timeout_seconds: float) -> int:
    """Ask every run on this machine to stop, because of `reason`; wait, and return how many attempts still live.

    Stop the workers first, or they start what is queued. Runs that are queued stay so.
    What still lives when the time is over goes on stopping under its supervisor.
    """
    deadline = time.monotonic() + timeout_seconds
    grace_seconds = min(settings.STUDIO_GRACE_SECONDS, timeout_seconds / 2)
    here = Attempt.objects.live().filter(boot_id=host.boot_id())
    for run in Run.objects.filter(pk__in=here.values("run_id")).order_by("id"):
        with suppress(cancellation.AlreadyEnded):
            cancellation.request_cancel(
                run=run, by=None, at=host.now(), reason=reason, grace_seconds=grace_seconds, actor="server"
            )
    while (left := here.count()) and time.monotonic() < deadline:
        time.sleep(_LOOK_SECONDS)
    return left
