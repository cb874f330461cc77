"""Why a run is waiting: its place in line, who holds the slots, or that nobody listens."""

from datetime import datetime

from django.db.models import Q
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from runs.models import Attempt, Run, Worker
from runs.status import UNCLAIMED, RunStatus


def sentence(run: Run, *, at: datetime) -> str:
    """Return why `run` has not started yet, in a sentence; empty if it has."""
    target = run.compute_target
    if target is None or run.status not in UNCLAIMED:
        return ""
    if not target.is_enabled:
        return _("The compute target %s is disabled: enable it to let this run start.") % target.name
    served = Worker.objects.alive(at=at).values_list("targets", flat=True)
    if not any(target.name in names for names in served):
        return _("No worker is listening on %(target)s: start one with %(command)s") % {
            "target": target.name,
            "command": f"python manage.py up --only worker --targets {target.name}",
        }
    if run.not_before and run.not_before > at:
        return _("It may not start before %s UTC.") % f"{run.not_before:%Y-%m-%d %H:%M:%S}"
    waiting = Run.objects.filter(compute_target=target, status=RunStatus.QUEUED)
    ahead = waiting.filter(Q(priority__gt=run.priority) | Q(priority=run.priority, id__lt=run.pk)).count()
    busy = Attempt.objects.live().filter(compute_target=target).count()
    place = _("Next in line") if ahead == 0 else _("%s in line") % _ordinal(ahead + 1)
    slots = ngettext("%(busy)d of %(slots)d slot busy", "%(busy)d of %(slots)d slots busy", target.slots) % {
        "busy": busy,
        "slots": target.slots,
    }
    return _("%(place)s on %(target)s: %(slots)s.") % {"place": place, "target": target.name, "slots": slots}


def _ordinal(number: int) -> str:
    ending = "th" if number % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"
