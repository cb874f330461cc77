"""What people and scripts hang on a run: tags, properties and params."""

from typing import Self

from django.db import models
from django.db.models import F, Q

from runs import limits
from runs.models.experiment import Experiment
from runs.models.experiment_of_run import ExperimentOfRun
from runs.models.run import Run

# MLflow's clients write tags of their own, such as `mlflow.source.name`.
CLIENT_PREFIX = "mlflow."


class ValueHead(models.Func):
    """The start of a value in lower case, to find equal values by: no index holds a long text whole."""

    # The length stands in the template since SQLite knows an index by the very text of its expression.
    template = "LOWER(SUBSTR(%(expressions)s, 1, 64))"
    output_field = models.TextField()


class ValueStart(models.Func):
    """The start of a value as it is written, to order by."""

    template = "SUBSTR(%(expressions)s, 1, 64)"
    output_field = models.TextField()


class TagQuerySet(models.QuerySet["Tag"]):
    """Tags, by who wrote them."""

    def for_people(self) -> Self:
        """Return those that people and scripts set; a client's own notes are kept and found, and shown nowhere."""
        return self.exclude(key__startswith=CLIENT_PREFIX)


class Tag(models.Model):
    """A mutable key with a value, or with none: `worth another look`."""

    run = models.ForeignKey(Run, models.CASCADE, related_name="tags", db_index=False)
    # Beside the value, as in Metric.
    experiment = ExperimentOfRun(Experiment, models.CASCADE, related_name="+", db_index=False)
    key = models.CharField(max_length=limits.TAG_KEY_LENGTH)
    # Null is a tag without a value, which is not the same as an empty one.
    value = models.TextField(null=True, blank=True)

    objects = TagQuerySet.as_manager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["run", "key"], name="tag_key_per_run")]
        indexes = [
            # `has:tags.quality` and `tags.quality:...` in the search bar; runs in the order of a tag, everywhere
            # and in one experiment.
            models.Index(fields=["key", "-run"], name="tag_by_key"),
            models.Index(F("key"), ValueHead("value"), F("run").desc(), name="tag_by_value"),
            models.Index(F("experiment"), F("key"), ValueHead("value"), F("run").desc(), name="tag_of_experiment"),
            # An experiment's runs in MLflow's order of a tag.
            models.Index(F("experiment"), F("key"), ValueStart("value"), name="tag_as_written"),
        ]

    def __str__(self) -> str:
        return self.key if self.value is None else f"{self.key}: {self.value}"

    @property
    def is_for_people(self) -> bool:
        """Whether it is more than a note of a client's own."""
        return not self.key.startswith(CLIENT_PREFIX)


class Property(models.Model):
    """A write-once key with a value: a record for audit."""

    run = models.ForeignKey(Run, models.CASCADE, related_name="properties", db_index=False)
    experiment = ExperimentOfRun(Experiment, models.CASCADE, related_name="+", db_index=False)
    key = models.CharField(max_length=limits.TAG_KEY_LENGTH)
    value = models.TextField(blank=True)

    class Meta:
        verbose_name_plural = "properties"
        constraints = [models.UniqueConstraint(fields=["run", "key"], name="property_key_per_run")]
        indexes = [
            # `has:properties.author` and `properties.author:...` in the search bar; runs in the order of a property.
            models.Index(F("key"), ValueHead("value"), F("run").desc(), name="property_by_value"),
            models.Index(F("experiment"), F("key"), ValueHead("value"), F("run").desc(), name="property_of_experiment"),
        ]

    def __str__(self) -> str:
        return f"{self.key}: {self.value}"


class Param(models.Model):
    """An input value of a run. `number` is the value where it reads as one, so that 0.1 < 0.5."""

    run = models.ForeignKey(Run, models.CASCADE, related_name="params", db_index=False)
    experiment = ExperimentOfRun(Experiment, models.CASCADE, related_name="+", db_index=False)
    name = models.CharField(max_length=limits.PARAM_NAME_LENGTH)
    value = models.TextField(blank=True)
    number = models.FloatField(null=True, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["run", "name"], name="param_name_per_run")]
        indexes = [
            # `params.alpha<0.5` and `params.optimizer:adam` in the search bar.
            models.Index(fields=["name", "number", "-run"], name="param_in_order"),
            models.Index(F("name"), ValueHead("value"), F("run").desc(), name="param_by_value"),
            # Runs in the order of a param: the numbers, then the texts; everywhere and in one experiment.
            models.Index(
                F("name"),
                ValueHead("value"),
                F("run").desc(),
                condition=Q(number__isnull=True),
                name="param_text_in_order",
            ),
            models.Index(fields=["experiment", "name", "number", "-run"], name="param_of_experiment"),
            models.Index(
                F("experiment"),
                F("name"),
                ValueHead("value"),
                F("run").desc(),
                condition=Q(number__isnull=True),
                name="param_text_of_experiment",
            ),
            # An experiment's runs in MLflow's order of a param, in which numbers are texts.
            models.Index(F("experiment"), F("name"), ValueStart("value"), name="param_as_written"),
        ]

    def __str__(self) -> str:
        return f"{self.name}: {self.value}"
