"""Why a run is waiting: its place in line, who holds the slots, for how long, or that nobody listens."""

import statistics
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.db.models import Q
from django.utils.translation import get_language, ngettext
from django.utils.translation import gettext as _

from runs.models import Attempt, ComputeTarget, Run, Worker
from runs.status import UNCLAIMED, RunStatus
from runs.templatetags.studio import duration, local_time

# The estimate is the median of so many of the latest runs of the script; fewer than the second say nothing.
_LATEST, _FEWEST = 20, 3
_SHOWN_HOLDERS = 5


@dataclass(frozen=True)
class Waiting:
    """Why a run waits: a sentence, what would help, who holds the slots, and about how long it takes still."""

    sentence: str = ""
    command: str = ""
    holders: tuple[Run, ...] = ()
    more_holders: int = 0
    estimate: str = ""


def explain(run: Run, *, at: datetime) -> Waiting:
    """Return why `run` has not started yet, or for what its script waits; an empty sentence if it does neither."""
    target = run.compute_target
    if target is None or run.is_terminal:
        return Waiting()
    blocked = _blocked(run, target, at)
    if blocked is not None:
        return blocked
    held = list(
        Attempt.objects.holding(at=at)
        .filter(compute_target=target)
        .order_by("claimed_at", "pk")
        .select_related("run")
        .defer("run__environment_variables", "run__error")
    )
    held_by = Counter(attempt.run.submitted_by_id for attempt in held)
    busy = held_by.total()
    ahead = _count_ahead(run, held_by, at)
    place = _("Next in line") if ahead == 0 else _("%s in line") % _ordinal(ahead + 1)
    slots = ngettext("%(busy)d of %(slots)d slot busy", "%(busy)d of %(slots)d slots busy", target.slots) % {
        "busy": busy,
        "slots": target.slots,
    }
    return Waiting(
        _("%(place)s on %(target)s: %(slots)s.") % {"place": place, "target": target.name, "slots": slots},
        holders=tuple(attempt.run for attempt in held[:_SHOWN_HOLDERS]),
        more_holders=max(0, busy - _SHOWN_HOLDERS),
        estimate=_estimate(run, held, target.slots, ahead, at),
    )


def _estimate(run: Run, held: Sequence[Attempt], slots: int, ahead: int, at: datetime) -> str:
    """Return about when it starts if every run takes as long as this script's latest ones; empty if too few ended."""
    latest = Run.objects.filter(experiment_id=run.experiment_id, script=run.script, status=RunStatus.COMPLETED)
    seconds = list(
        latest.filter(duration_seconds__isnull=False)
        .order_by("-pk")
        .values_list("duration_seconds", flat=True)[:_LATEST]
    )
    if len(seconds) < _FEWEST:
        return ""
    median = statistics.median(seconds)
    left = [max(0.0, median - (at - (attempt.started_at or at)).total_seconds()) for attempt in held]
    # A slot that is free waits for nobody; of those that are taken each comes free, and again after every median.
    left = sorted([*left, *[0.0] * (slots - len(left))])
    wait = left[ahead % len(left)] + ahead // len(left) * median
    return _("About %(wait)s more, from the median of the last %(count)d runs of this script (%(median)s).") % {
        "wait": duration(wait),
        "count": len(seconds),
        "median": duration(median),
    }


def _blocked(run: Run, target: ComputeTarget, at: datetime) -> Waiting | None:
    """Return what keeps `run` from standing in line at all."""
    if run.status not in UNCLAIMED:
        lending = Attempt.objects.lending(at=at).filter(run=run).select_related("waits_for").first()
        if lending is None or lending.waits_for is None:
            return Waiting()
        return Waiting(
            _("It waits for its child %(child)s and lends its slot on %(target)s meanwhile.")
            % {"child": lending.waits_for.title, "target": target.name}
        )
    if not target.is_enabled:
        return Waiting(_("The compute target %s is disabled: enable it to let this run start.") % target.name)
    serving = [worker for worker in Worker.objects.alive(at=at) if target.name in worker.targets]
    if not serving:
        return Waiting(
            _("No worker is listening on %s: start one with") % target.name,
            command=f"python manage.py up --only worker --targets {target.name}",
        )
    if all(worker.refusal for worker in serving):
        return Waiting(_("No worker starts it now. %s") % " ".join(sorted({worker.refusal for worker in serving})))
    if run.not_before and run.not_before > at:
        return Waiting(_("It may not start before %s.") % local_time(run.not_before, seconds=True))
    return None


def _count_ahead(run: Run, held_by: Counter[int], at: datetime) -> int:
    """Return how many runs would be claimed before `run`, as `execution.claim` has it.

    What somebody lends a slot for goes first, then whoever holds the fewest slots. So the
    tenth run of one submitter stands where the slots of that submitter have become ten.
    """
    ready = Q(not_before__isnull=True) | Q(not_before__lte=at)
    waiting = Run.objects.filter(ready, compute_target_id=run.compute_target_id, status=RunStatus.QUEUED)
    ahead = waiting.filter(priority__gt=run.priority).count()
    awaited = set(Attempt.objects.lending(at=at).values_list("waits_for_id", flat=True))
    places = {}
    slots = held_by.copy()
    same = waiting.filter(priority=run.priority).order_by("id").values_list("pk", "submitted_by_id")
    for pk, submitter in same.iterator():
        places[pk] = (pk not in awaited, 0 if pk in awaited else slots[submitter], pk)
        slots[submitter] += 1
    own = places.get(run.pk, (True, slots[run.submitted_by_id], run.pk))
    return ahead + sum(place < own for place in places.values())


def _ordinal(number: int) -> str:
    if get_language() != settings.LANGUAGE_CODE:
        return str(number)  # only English has endings that differ
    ending = "th" if number % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"
