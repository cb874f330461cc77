"""Metrics: named series of values, with the summaries that lists and search read."""

from django.db import models

from runs import limits
from runs.models.run import Run


class MetricKind(models.TextChoices):
    """What the points of a series are."""

    NUMBER = "number", "Number"  # `value`, or `text` for NaN, Infinity and -Infinity
    TEXT = "text", "Text"  # `text`
    ROW = "row", "Row"  # `text` holds a JSON object: log_row, log_table
    IMAGE = "image", "Image"  # `text` holds the path of an artifact
    DOCUMENT = "document", "Document"  # `text` holds JSON: confusion matrix, residuals, ...


class Metric(models.Model):
    """A series of one run. The summaries are kept as points arrive; they skip NaN and infinities."""

    run = models.ForeignKey(Run, models.CASCADE, related_name="metrics", db_index=False)
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

    class Meta:
        constraints = [models.UniqueConstraint(fields=["run", "name"], name="metric_name_per_run")]
        indexes = [
            # `metrics.loss<0.2`, `metrics.loss.min<0.2`, and sorting by a metric.
            models.Index(fields=["name", "latest_value"], name="metric_by_latest"),
            models.Index(fields=["name", "min_value"], name="metric_by_min"),
            models.Index(fields=["name", "max_value"], name="metric_by_max"),
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


class MetricBatch(models.Model):
    """A batch of points that was stored, by the client's own id: sent again, it changes nothing."""

    run = models.ForeignKey(Run, models.CASCADE, related_name="metric_batches", db_index=False)
    batch_id = models.CharField(max_length=64)
    at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["run", "batch_id"], name="metric_batch_once")]

    def __str__(self) -> str:
        return self.batch_id
