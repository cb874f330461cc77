"""A schedule: when a published pipeline is run by itself; and its ticks, of which each makes one run at most."""

import uuid
from typing import Self

from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.db import models
from django.db.models import F, Q

from runs import limits
from runs.models.published_pipeline import PublishedPipeline
from runs.models.run import Run
from runs.models.workspace import Workspace


def _new_id() -> str:
    return str(uuid.uuid4())


class ScheduleQuerySet(models.QuerySet["Schedule"]):
    """Schedules, by who may see them and when they are due."""

    def visible_to(self, user: AbstractBaseUser | AnonymousUser) -> Self:
        """Return those in workspaces of which `user` is a member; a superuser sees all."""
        if getattr(user, "is_superuser", False):
            return self.all()
        return self.filter(workspace__memberships__user_id=user.pk)


class Schedule(models.Model):
    """A cron expression or a recurrence in a time zone, and what to submit at each of its times."""

    schedule_id = models.CharField(max_length=36, unique=True, default=_new_id, editable=False)
    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="schedules", db_index=False)
    name = models.CharField(max_length=limits.PIPELINE_NAME_LENGTH)
    description = models.TextField(blank=True, default="")
    pipeline = models.ForeignKey(PublishedPipeline, models.PROTECT, related_name="schedules")

    # What each run is given.
    experiment_name = models.CharField(max_length=limits.EXPERIMENT_NAME_LENGTH)
    parameters = models.JSONField(default=dict, blank=True)
    tags = models.JSONField(default=dict, blank=True)

    # When: one of the two. A recurrence is an object with frequency, interval, hours, minutes, week_days.
    cron = models.CharField(max_length=200, blank=True, default="")
    recurrence = models.JSONField(null=True, blank=True)
    time_zone = models.CharField(max_length=64, default="UTC")
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField(null=True, blank=True)
    # What was missed while nothing ran is made up for, one run after the other; else it is skipped.
    catches_up = models.BooleanField(default=False)
    is_paused = models.BooleanField(default=False)
    # Null: no time is left, or it is paused.
    next_at = models.DateTimeField(null=True, blank=True)

    created_at = models.DateTimeField()
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="schedules")

    objects = ScheduleQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=(~Q(cron="") & Q(recurrence__isnull=True)) | Q(cron="", recurrence__isnull=False),
                name="schedule_has_one_rule",
            ),
            models.CheckConstraint(
                condition=Q(is_paused=False) | Q(next_at__isnull=True), name="paused_schedule_is_never_due"
            ),
        ]
        indexes = [
            # Beat: what is due.
            models.Index(fields=["next_at"], condition=Q(next_at__isnull=False), name="schedule_due"),
            # Lists of schedules, newest first.
            models.Index(F("workspace"), F("id").desc(), name="schedule_newest"),
        ]

    def __str__(self) -> str:
        return self.name


class TickOutcome(models.TextChoices):
    """What became of a tick."""

    SUBMITTED = "submitted", "Submitted"
    SKIPPED = "skipped", "Skipped"
    REFUSED = "refused", "Refused"


class ScheduleTick(models.Model):
    """One time of a schedule that came. Its row is written with the run, or not at all: so there is one run at most."""

    schedule = models.ForeignKey(Schedule, models.CASCADE, related_name="ticks", db_index=False)
    at = models.DateTimeField()
    outcome = models.CharField(max_length=16, choices=TickOutcome)
    reason = models.TextField(blank=True, default="")
    run = models.ForeignKey(Run, models.SET_NULL, null=True, blank=True, related_name="schedule_ticks")
    created_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["schedule", "at"], name="one_tick_per_time")]
        indexes = [
            # The latest ticks of a schedule.
            models.Index(F("schedule"), F("id").desc(), name="tick_newest"),
        ]

    def __str__(self) -> str:
        return f"{self.at.isoformat()} {self.outcome}"
