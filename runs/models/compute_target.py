"""Compute targets, the named places to run, and the workers that serve them."""

import uuid
from datetime import datetime, timedelta
from typing import Self

from django.core.validators import MinValueValidator, RegexValidator
from django.db import models
from django.urls import reverse

from runs import limits

# It is part of a queue's name and is written in comma-separated lists.
_is_name = RegexValidator(
    r"^[A-Za-z0-9][A-Za-z0-9._-]*\Z", "Expected letters, digits, dots, dashes and underscores, a letter or digit first."
)
_is_user = RegexValidator(r"^[a-z_][a-z0-9_.-]*\Z", "Expected the name of a user of the worker's system.")


class ComputeTargetQuerySet(models.QuerySet["ComputeTarget"]):
    """Compute targets, by whether they take runs."""

    def enabled(self) -> Self:
        """Return those that take new runs."""
        return self.filter(is_enabled=True)


class ComputeTarget(models.Model):
    """A named place to run: a Celery queue, the workers that listen on it, slots and limits."""

    name = models.CharField(max_length=limits.COMPUTE_TARGET_NAME_LENGTH, unique=True, validators=[_is_name])
    description = models.TextField(blank=True, default="")
    slots = models.PositiveIntegerField(default=1, validators=[MinValueValidator(1)])
    is_enabled = models.BooleanField(default=True)
    # Whether a run that asks for conda packages or Docker is refused, or goes on without them and a warning.
    refuses_conda_and_docker = models.BooleanField(default=False)
    created_at = models.DateTimeField()

    # Limits of each run; null is none.
    max_run_duration_seconds = models.PositiveBigIntegerField(null=True, blank=True)
    memory_bytes = models.PositiveBigIntegerField(null=True, blank=True)
    process_count = models.PositiveIntegerField(null=True, blank=True)
    cpu_seconds = models.PositiveBigIntegerField(null=True, blank=True)
    file_bytes = models.PositiveBigIntegerField(null=True, blank=True)
    # The user of the worker's system as whom scripts run; empty is the worker's own. Needs a worker of root's.
    run_as = models.CharField(max_length=32, blank=True, default="", validators=[_is_user])

    objects = ComputeTargetQuerySet.as_manager()

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        """Return the address of the Compute page."""
        return reverse("compute_list")


# Three heartbeats: one that is late is no alarm.
WORKER_SILENCE = timedelta(seconds=15)


class WorkerQuerySet(models.QuerySet["Worker"]):
    """Workers, by whether they still beat."""

    def alive(self, *, at: datetime, silence: timedelta = WORKER_SILENCE) -> Self:
        """Return those that have not said goodbye and were not silent for longer than `silence` before `at`."""
        return self.filter(heartbeat_at__gte=at - silence, stopped_at__isnull=True)


class Worker(models.Model):
    """A Celery worker process. A restart is a new row: the id and boot id tell hosts apart, names do not."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    host = models.CharField(max_length=255)
    boot_id = models.CharField(max_length=64)
    pid = models.PositiveIntegerField()
    version = models.CharField(max_length=64, blank=True, default="")
    # Names of the compute targets that it serves now.
    targets = models.JSONField(default=list)
    # The strongest way to kill a process tree that works on its host, see execution.process.
    kill_tier = models.CharField(max_length=32, blank=True, default="")
    # Why it starts nothing now, in a sentence; empty while it does.
    refusal = models.CharField(max_length=255, blank=True, default="")
    # Whether hints reach it; without them it polls.
    has_broker = models.BooleanField(default=False)

    started_at = models.DateTimeField()
    heartbeat_at = models.DateTimeField()
    stopped_at = models.DateTimeField(null=True, blank=True)

    objects = WorkerQuerySet.as_manager()

    class Meta:
        indexes = [
            # The Compute page and readiness: workers that beat lately.
            models.Index(fields=["-heartbeat_at"], name="worker_heartbeat"),
        ]

    def __str__(self) -> str:
        return f"{self.host}:{self.pid}"

    def is_alive(self, *, at: datetime) -> bool:
        """Return whether it counted as alive at `at`, as `WorkerQuerySet.alive` has it."""
        return self.stopped_at is None and self.heartbeat_at >= at - WORKER_SILENCE
