"""An attempt: one numbered try at a run, owned by one supervisor process."""

from datetime import datetime
from typing import Self

from django.db import models
from django.db.models import Q

from runs.models.compute_target import ComputeTarget, Worker
from runs.models.run import Run


class PythonEnvironment(models.Model):
    """An interpreter with its packages, as a worker found it. Attempts that found the same share a row."""

    digest = models.CharField(max_length=64, unique=True)
    python_version = models.CharField(max_length=32, blank=True, default="")
    # Names and versions: [["numpy", "2.1.0"], ...], by name.
    packages = models.JSONField(default=list)

    def __str__(self) -> str:
        return f"Python {self.python_version}, {len(self.packages)} packages"


class AttemptQuerySet(models.QuerySet["Attempt"]):
    """Attempts, by whether they hold a slot."""

    def live(self) -> Self:
        """Return those that have not ended."""
        return self.filter(ended_at__isnull=True)

    def owing(self, *, at: datetime) -> Self:
        """Return those that have ended, and whose machine may still bring the rest of their bytes at `at`."""
        return self.filter(ended_at__isnull=False, bytes_due_until__gt=at)

    def lending(self, *, at: datetime) -> Self:
        """Return the live ones that lend their slot at `at`: they wait for a run below their own."""
        return self.live().filter(lent_until__gt=at)

    def holding(self, *, at: datetime) -> Self:
        """Return the live ones that hold a slot of their compute target at `at`."""
        return self.live().filter(Q(lent_until__isnull=True) | Q(lent_until__lte=at))


class Attempt(models.Model):
    """One try. While `ended_at` is null it holds a slot of its compute target, unless it lends it."""

    run = models.ForeignKey(Run, models.CASCADE, related_name="attempts")
    number = models.PositiveIntegerField()
    compute_target = models.ForeignKey(ComputeTarget, models.PROTECT, related_name="attempts")
    worker = models.ForeignKey(Worker, models.SET_NULL, null=True, related_name="attempts")

    # Who supervises it. `pid` is null until the supervisor says so itself; `pid_started_at` is when the
    # kernel started that pid (clock ticks since the boot), for a pid alone may be a stranger's.
    host = models.CharField(max_length=255)
    boot_id = models.CharField(max_length=64)
    pid = models.PositiveIntegerField(null=True, blank=True)
    pid_started_at = models.FloatField(null=True, blank=True)
    # A random word in the environment of each of its processes, by which leftovers are found.
    cookie = models.CharField(max_length=64)
    python_environment = models.ForeignKey(
        PythonEnvironment, models.SET_NULL, null=True, blank=True, related_name="attempts", db_index=False
    )

    claimed_at = models.DateTimeField()
    lease_until = models.DateTimeField()
    started_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    # It ended while its machine could not reach the web server: until then its last bytes are still taken.
    bytes_due_until = models.DateTimeField(null=True, blank=True)

    # Its script waits for a run below its own and needs no slot until then, see docs/adr/0007.
    lent_until = models.DateTimeField(null=True, blank=True)
    waits_for = models.ForeignKey(Run, models.SET_NULL, null=True, blank=True, related_name="+", db_index=False)

    # How it went: the last signal that was sent, what the script answered, how long the stop took.
    stop_signal = models.PositiveSmallIntegerField(null=True, blank=True)
    stop_seconds = models.FloatField(null=True, blank=True)
    exit_code = models.IntegerField(null=True, blank=True)
    exit_signal = models.PositiveSmallIntegerField(null=True, blank=True)
    reason = models.TextField(blank=True, default="")

    objects = AttemptQuerySet.as_manager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["run", "number"], name="attempt_number_per_run")]
        indexes = [
            # Slots in use per compute target; the reaper's candidates.
            models.Index(
                fields=["compute_target", "lease_until"], condition=Q(ended_at__isnull=True), name="attempt_live"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.run_id}.{self.number}"


class SystemMetrics(models.Model):
    """What the processes of an attempt and its machine were busy with: one row, bounded however long it runs.

    `data` holds columns of a fixed number of slots; when they are full, neighbors are
    merged, each keeping its mean and its peak. See `runs/execution/monitor.py`.
    """

    attempt = models.OneToOneField(Attempt, models.CASCADE, primary_key=True, related_name="system_metrics")
    updated_at = models.DateTimeField()
    data = models.JSONField(default=dict)

    def __str__(self) -> str:
        return f"system metrics of {self.attempt_id}"
