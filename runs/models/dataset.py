"""Datasets: what runs say they read. A description with a digest; the data themselves are elsewhere."""

from django.db import models

from runs.models.experiment import Experiment
from runs.models.run import Run


class Dataset(models.Model):
    """A dataset as a client described it. Within an experiment its name and digest say which it is."""

    experiment = models.ForeignKey(Experiment, models.CASCADE, related_name="datasets", db_index=False)
    name = models.CharField(max_length=500)
    digest = models.CharField(max_length=36)
    source_type = models.CharField(max_length=36)
    # Documents of the client's own, kept as they came; null is none.
    source = models.TextField()
    schema = models.TextField(null=True, blank=True)
    profile = models.TextField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["experiment", "name", "digest"], name="dataset_once_per_experiment")
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.digest})"


class DatasetUse(models.Model):
    """That a run read a dataset. `context` says what for, such as `training`."""

    run = models.ForeignKey(Run, models.CASCADE, related_name="dataset_uses", db_index=False)
    dataset = models.ForeignKey(Dataset, models.CASCADE, related_name="uses")
    context = models.CharField(max_length=500, blank=True, default="")
    # All that was said about the use, the context among it, in its order: pairs of key and value.
    tags = models.JSONField(default=list, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["run", "dataset"], name="dataset_once_per_run")]

    def __str__(self) -> str:
        return f"{self.run_id} reads {self.dataset_id}"
