"""Why a run is waiting: its place in line, who holds the slots, or that nobody listens."""

from collections import Counter
from datetime import datetime

from django.db.models import Q
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from runs.models import Attempt, Run, Worker
from runs.status import UNCLAIMED, RunStatus


def sentence(run: Run, *, at: datetime) -> str:
    """Return why `run` has not started yet, or for what its script waits, in a sentence; empty if it does neither."""
    target = run.compute_target
    if target is None or run.is_terminal:
        return ""
    if run.status not in UNCLAIMED:
        lending = Attempt.objects.lending(at=at).filter(run=run).select_related("waits_for").first()
        if lending is None or lending.waits_for is None:
            return ""
        return _("It waits for its child %(child)s and lends its slot on %(target)s meanwhile.") % {
            "child": lending.waits_for.title,
            "target": target.name,
        }
    if not target.is_enabled:
        return _("The compute target %s is disabled: enable it to let this run start.") % target.name
    serving = [worker for worker in Worker.objects.alive(at=at) if target.name in worker.targets]
    if not serving:
        return _("No worker is listening on %(target)s: start one with %(command)s") % {
            "target": target.name,
            "command": f"python manage.py up --only worker --targets {target.name}",
        }
    if all(worker.refusal for worker in serving):
        return _("No worker starts it now. %s") % " ".join(sorted({worker.refusal for worker in serving}))
    if run.not_before and run.not_before > at:
        return _("It may not start before %s UTC.") % f"{run.not_before:%Y-%m-%d %H:%M:%S}"
    held = Attempt.objects.holding(at=at).filter(compute_target=target)
    held_by = Counter(held.values_list("run__submitted_by_id", flat=True))
    busy = held_by.total()
    ahead = _count_ahead(run, held_by, at)
    place = _("Next in line") if ahead == 0 else _("%s in line") % _ordinal(ahead + 1)
    slots = ngettext("%(busy)d of %(slots)d slot busy", "%(busy)d of %(slots)d slots busy", target.slots) % {
        "busy": busy,
        "slots": target.slots,
    }
    return _("%(place)s on %(target)s: %(slots)s.") % {"place": place, "target": target.name, "slots": slots}


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
    ending = "th" if number % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"
