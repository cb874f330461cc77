"""An experiment: a named series of runs, with the counts that its pages show."""

from typing import Self

from django.db import models
from django.urls import reverse

from runs import limits
from runs.models.workspace import Workspace
from runs.status import RunStatus


class ExperimentQuerySet(models.QuerySet["Experiment"]):
    """Experiments, by whether they are archived."""

    def active(self) -> Self:
        """Return those that are not archived."""
        return self.filter(archived_at__isnull=True)

    def archived(self) -> Self:
        """Return those that are archived."""
        return self.filter(archived_at__isnull=False)


class ExperimentManager(models.Manager.from_queryset(ExperimentQuerySet)):  # type: ignore[misc]
    """The experiments that are not in the trash."""

    def get_queryset(self) -> ExperimentQuerySet:
        """Leave out the trash."""
        return super().get_queryset().filter(trashed_at__isnull=True)


class Experiment(models.Model):
    """A named series of runs in one workspace. Its name is unique there, archived or not, but for the trash."""

    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="experiments")
    name = models.CharField(max_length=limits.EXPERIMENT_NAME_LENGTH)
    description = models.TextField(blank=True, default="")
    tags = models.JSONField(default=dict, blank=True)

    created_at = models.DateTimeField()
    archived_at = models.DateTimeField(null=True, blank=True)
    # See Run.
    trashed_at = models.DateTimeField(null=True, blank=True)
    purged_at = models.DateTimeField(null=True, blank=True)

    # Bytes of the logs and files of its runs, kept by `actions.disk_use`.
    disk_bytes = models.BigIntegerField(default=0)

    # Kept by `actions.submission` as runs come in, so that lists read one row.
    latest_run_number = models.PositiveIntegerField(default=0)
    latest_run = models.ForeignKey("runs.Run", models.SET_NULL, null=True, blank=True, related_name="+")
    # When the latest run was submitted; the experiment's own creation until then.
    latest_submitted_at = models.DateTimeField()

    objects = ExperimentManager()
    with_trash = ExperimentQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["workspace", "name"],
                condition=models.Q(trashed_at__isnull=True),
                name="experiment_name_per_workspace",
            )
        ]
        indexes = [
            # The list of experiments, newest submission first.
            models.Index(fields=["workspace", "-latest_submitted_at", "-id"], name="experiment_newest"),
        ]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        """Return the address of the experiment's page. Reads the workspace: select it."""
        return reverse("experiment_detail", args=[self.workspace.name, self.name])


class StatusCount(models.Model):
    """How many runs of an experiment have one status, kept as rows change.

    Top-level and child runs count apart. All rows of an experiment are made with it, so
    that keeping them is an update and never a race to insert.
    """

    experiment = models.ForeignKey(Experiment, models.CASCADE, related_name="status_counts")
    is_child = models.BooleanField()
    status = models.CharField(max_length=16, choices=[(s.value, s.value) for s in RunStatus])
    count = models.BigIntegerField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["experiment", "is_child", "status"], name="one_count_per_status"),
        ]

    def __str__(self) -> str:
        return f"{self.experiment_id} {self.status} {'children' if self.is_child else 'top'}: {self.count}"
