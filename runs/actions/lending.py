"""A slot that a run lends while its script only waits for a run below its own, see docs/adr/0007."""

import functools
from datetime import datetime, timedelta

from django.db import transaction

from runs import dispatch
from runs.errors import InvalidInput
from runs.models import Attempt, Run
from runs.status import TERMINAL
from runs.wording import say

# A script that died while it waited holds its slot again after so long.
LONGEST_SECONDS = 300.0


def lend_slot(*, run: Run, waits_for: Run, seconds: float, at: datetime) -> datetime | None:
    """Lend the slot of `run` while its script waits for `waits_for`; return until when, or None if nothing is lent.

    Call it again before that time to go on, and `take_back_slot` when the waiting is over.
    Nothing is lent for a run that has ended, nor by one that no worker executes. Raises
    InvalidInput if `waits_for` is not below `run`.
    """
    if not 0 < seconds <= LONGEST_SECONDS:
        raise InvalidInput(
            say(
                "seconds is {seconds}; expected more than 0 and at most {most:g}.",
                seconds=seconds,
                most=LONGEST_SECONDS,
            ),
            field="seconds",
        )
    if not Run.objects.below(run).filter(pk=waits_for.pk).exists():
        raise InvalidInput(
            say("{run_id} is not below {other}.", run_id=waits_for.run_id, other=run.run_id), field="waits_for"
        )
    until = at + timedelta(seconds=seconds)
    with transaction.atomic():
        attempt = _live_attempt(run)
        child = Run.objects.only("status").get(pk=waits_for.pk)
        if attempt is None or child.status in TERMINAL:
            return None
        is_new = attempt.lent_until is None or attempt.lent_until <= at
        Attempt.objects.live().filter(pk=attempt.pk).update(lent_until=until, waits_for=child)
        if is_new:
            target = attempt.compute_target
            transaction.on_commit(
                functools.partial(dispatch.hint, compute_target_id=target.pk, compute_target_name=target.name)
            )
    return until


def take_back_slot(*, run: Run) -> None:
    """Hold the slot again: the waiting is over. Taking it back again changes nothing.

    The script goes on at once. Where its slot is in use meanwhile, the target runs one more
    than it has slots until the next of its runs ends or waits; nothing starts before.
    """
    Attempt.objects.live().filter(run=run, number=run.attempt_number, lent_until__isnull=False).update(
        lent_until=None, waits_for=None
    )


def _live_attempt(run: Run) -> Attempt | None:
    return Attempt.objects.live().select_related("compute_target").filter(run=run, number=run.attempt_number).first()
