"""Metrics: named series of values, with the summaries that lists and search read."""

from typing import Self

from django.db import models

from runs import limits
from runs.models.experiment import Experiment
from runs.models.experiment_of_run import ExperimentOfRun
from runs.models.run import Run

# MLflow's clients measure the machine too: `system/cpu_utilization_percentage`.
SYSTEM_PREFIX = "system/"


class MetricKind(models.TextChoices):
    """What the points of a series are."""

    NUMBER = "number", "Number"  # `value`, or `text` for NaN, Infinity and -Infinity
    TEXT = "text", "Text"  # `text`
    ROW = "row", "Row"  # `text` holds a JSON object: log_row, log_table
    IMAGE = "image", "Image"  # `text` holds the path of an artifact
    DOCUMENT = "document", "Document"  # `text` holds JSON: confusion matrix, residuals, ...


class MetricQuerySet(models.QuerySet["Metric"]):
    """Series, by what they are about."""

    def of_training(self) -> Self:
        """Return what scripts log: what a client measured of its machine is shown with the machine."""
        return self.exclude(name__startswith=SYSTEM_PREFIX)

    def of_the_machine(self) -> Self:
        """Return what a client measured of its machine."""
        return self.filter(name__startswith=SYSTEM_PREFIX)


class Metric(models.Model):
    """A series of one run. The summaries are kept as points arrive; they skip NaN and infinities."""

    run = models.ForeignKey(Run, models.CASCADE, related_name="metrics", db_index=False)
    # Beside the value, so that an index has the runs of an experiment in the order of a metric.
    experiment = ExperimentOfRun(Experiment, models.CASCADE, related_name="+", db_index=False)
    name = models.CharField(max_length=limits.METRIC_NAME_LENGTH)
    kind = models.CharField(max_length=16, choices=MetricKind)

    point_count = models.PositiveBigIntegerField(default=0)
    # The point that arrived latest, as its value or its text.
    latest_value = models.FloatField(null=True, blank=True)
    latest_text = models.TextField(blank=True, default="")
    latest_step = models.BigIntegerField(null=True, blank=True)
    latest_at = models.DateTimeField(null=True, blank=True)
    min_value = models.FloatField(null=True, blank=True)
    max_value = models.FloatField(null=True, blank=True)

    objects = MetricQuerySet.as_manager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["run", "name"], name="metric_name_per_run")]
        indexes = [
            # `metrics.loss<0.2`, `metrics.loss.min<0.2`, and a workspace's runs in the order of a metric.
            models.Index(fields=["name", "latest_value", "-run"], name="metric_by_latest"),
            models.Index(fields=["name", "min_value", "-run"], name="metric_by_min"),
            models.Index(fields=["name", "max_value", "-run"], name="metric_by_max"),
            # An experiment's runs in the order of a metric.
            models.Index(fields=["experiment", "name", "latest_value", "-run"], name="metric_of_experiment_latest"),
            models.Index(fields=["experiment", "name", "min_value", "-run"], name="metric_of_experiment_min"),
            models.Index(fields=["experiment", "name", "max_value", "-run"], name="metric_of_experiment_max"),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.point_count} points)"


class MetricPoint(models.Model):
    """One point of a series, in the order of arrival."""

    metric = models.ForeignKey(Metric, models.CASCADE, related_name="points", db_index=False)
    step = models.BigIntegerField()
    at = models.DateTimeField()
    # Null where the point is no finite number; `text` then says what it is.
    value = models.FloatField(null=True, blank=True)
    text = models.TextField(blank=True, default="")

    class Meta:
        indexes = [
            # A chart, by step.
            models.Index(fields=["metric", "step", "id"], name="point_by_step"),
        ]

    def __str__(self) -> str:
        return f"{self.step}: {self.text if self.value is None else self.value}"


class MetricBucket(models.Model):
    """What a stretch of a long series holds, so that a chart reads a few thousand rows whatever its length.

    Buckets of level 0 take 8 points each in the order of arrival, those of the next level
    four of these, and so on up to one that takes all: the pyramid. Kept as points arrive.
    Times are microseconds since 1970: thousands are read at once.
    """

    metric = models.ForeignKey(Metric, models.CASCADE, related_name="buckets", db_index=False)
    level = models.PositiveSmallIntegerField()
    number = models.PositiveBigIntegerField()
    # Whether it may still take points, or is the one that takes all.
    is_open = models.BooleanField()

    count = models.PositiveIntegerField()
    step_low = models.BigIntegerField()
    step_high = models.BigIntegerField()
    at_low = models.BigIntegerField()
    at_high = models.BigIntegerField()
    # Three of its points: the least, the greatest, the last. Null where none is a finite number.
    min_value = models.FloatField(null=True)
    min_step = models.BigIntegerField(null=True)
    min_at = models.BigIntegerField(null=True)
    max_value = models.FloatField(null=True)
    max_step = models.BigIntegerField(null=True)
    max_at = models.BigIntegerField(null=True)
    last_value = models.FloatField(null=True)
    last_step = models.BigIntegerField(null=True)
    last_at = models.BigIntegerField(null=True)
    # How many are no finite number, and the last of them.
    odd_count = models.PositiveIntegerField()
    odd_text = models.CharField(max_length=16, blank=True, default="")
    odd_step = models.BigIntegerField(null=True)
    odd_at = models.BigIntegerField(null=True)

    class Meta:
        # A chart, and its zoom: some buckets of one level.
        constraints = [models.UniqueConstraint(fields=["metric", "level", "number"], name="bucket_of_metric")]
        indexes = [
            # The next point of a series.
            models.Index(fields=["metric"], condition=models.Q(is_open=True), name="bucket_open"),
        ]

    def __str__(self) -> str:
        return f"{self.level}.{self.number}"


class MetricBatch(models.Model):
    """A batch of points that was stored, by the client's own id: sent again, it changes nothing."""

    run = models.ForeignKey(Run, models.CASCADE, related_name="metric_batches", db_index=False)
    batch_id = models.CharField(max_length=64)
    at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["run", "batch_id"], name="metric_batch_once")]

    def __str__(self) -> str:
        return self.batch_id
