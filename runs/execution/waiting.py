"""Runs that wait though they could run: the hint for them was lost, or their time has just come."""

from datetime import datetime

from runs import dispatch
from runs.execution import claim
from runs.models import ComputeTarget


def hint_again(*, at: datetime) -> int:
    """Hint for each enabled compute target at which a run waits; return for how many."""
    targets = [
        target for target in ComputeTarget.objects.enabled().order_by("id") if claim.waiting(target.pk, at).exists()
    ]
    for target in targets:
        dispatch.hint(compute_target_id=target.pk, compute_target_name=target.name)
    return len(targets)
