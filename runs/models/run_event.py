"""The history of a run: one row for each change of its status. Append-only."""

from django.conf import settings
from django.db import models

from runs.models.run import Run
from runs.status import RunStatus

_CHOICES = [(s.value, s.value) for s in RunStatus]


class RunEvent(models.Model):
    """One change of status: from what to what, when, by whom and why."""

    run = models.ForeignKey(Run, models.CASCADE, related_name="events", db_index=False)
    # Empty for the first event of a run.
    from_status = models.CharField(max_length=16, choices=_CHOICES, blank=True, default="")
    to_status = models.CharField(max_length=16, choices=_CHOICES)
    at = models.DateTimeField()
    # The person who wanted it, if any, and the part of the system that wrote it.
    by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+")
    actor = models.CharField(max_length=255, blank=True, default="")
    attempt_number = models.PositiveIntegerField(default=0)
    reason = models.TextField(blank=True, default="")

    class Meta:
        indexes = [
            # The events of one run in order, on its Details tab.
            models.Index(fields=["run", "id"], name="event_of_run"),
        ]

    def __str__(self) -> str:
        return f"{self.run_id}: {self.from_status or '-'} to {self.to_status} at {self.at:%Y-%m-%d %H:%M:%S}"
