"""Logged models: what a run trained and stored, described apart from the files of it, which are its artifacts."""

from typing import Self

from django.db import models

from runs import limits
from runs.models.experiment import Experiment
from runs.models.run import Run


class LoggedModelStatus(models.TextChoices):
    """Whether the files of a model are all there."""

    PENDING = "pending", "Pending"
    READY = "ready", "Ready"
    FAILED = "failed", "Failed"


class LoggedModelQuerySet(models.QuerySet["LoggedModel"]):
    """Logged models, by whether they were deleted."""

    def present(self) -> Self:
        """Return those that were not deleted."""
        return self.filter(deleted_at__isnull=True)


class LoggedModel(models.Model):
    """A model with its own params, tags and metrics. Its files lie below `models/<model_id>/` of `run`."""

    model_id = models.CharField(max_length=64, unique=True)
    experiment = models.ForeignKey(Experiment, models.CASCADE, related_name="logged_models", db_index=False)
    # The run that keeps its files. Null for one that was logged by itself: it has no files here.
    run = models.ForeignKey(Run, models.CASCADE, null=True, blank=True, related_name="logged_models")
    name = models.CharField(max_length=500)
    model_type = models.CharField(max_length=500, blank=True, default="")
    status = models.CharField(max_length=16, choices=LoggedModelStatus)
    status_message = models.TextField(blank=True, default="")
    params = models.JSONField(default=dict, blank=True)
    tags = models.JSONField(default=dict, blank=True)

    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()
    deleted_at = models.DateTimeField(null=True, blank=True)

    objects = LoggedModelQuerySet.as_manager()

    class Meta:
        indexes = [
            # An experiment's models, newest first; those of one name, which a download looks for.
            models.Index(fields=["experiment", "-created_at", "-id"], name="logged_model_newest"),
            models.Index(fields=["experiment", "name"], name="logged_model_by_name"),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.model_id})"


class LoggedModelMetric(models.Model):
    """The latest value of one metric of a model, apart for each dataset that it was measured on."""

    model = models.ForeignKey(LoggedModel, models.CASCADE, related_name="metrics", db_index=False)
    run = models.ForeignKey(Run, models.CASCADE, related_name="+")
    name = models.CharField(max_length=limits.METRIC_NAME_LENGTH)
    dataset_name = models.CharField(max_length=500, blank=True, default="")
    dataset_digest = models.CharField(max_length=36, blank=True, default="")
    # Null where it is no finite number; `text` then says what it is.
    value = models.FloatField(null=True, blank=True)
    text = models.CharField(max_length=16, blank=True, default="")
    step = models.BigIntegerField()
    at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["model", "name", "dataset_name", "dataset_digest"], name="metric_once_per_logged_model"
            )
        ]

    def __str__(self) -> str:
        return f"{self.name}: {self.text if self.value is None else self.value}"


class LoggedModelUse(models.Model):
    """That a run read a model or made it."""

    run = models.ForeignKey(Run, models.CASCADE, related_name="logged_model_uses", db_index=False)
    model = models.ForeignKey(LoggedModel, models.CASCADE, related_name="uses")
    is_output = models.BooleanField()
    step = models.BigIntegerField(default=0)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["run", "model", "is_output"], name="logged_model_once_per_run")]

    def __str__(self) -> str:
        return f"{self.run_id} {'makes' if self.is_output else 'reads'} {self.model_id}"
