"""Artifacts: the files that a run leaves. The bytes lie in `storage`."""

from django.db import models

from runs import limits
from runs.models.run import Run


class Artifact(models.Model):
    """One stored file of a run, such as `outputs/model.pkl`. Logs grow and are not rows: see `storage`."""

    run = models.ForeignKey(Run, models.CASCADE, related_name="artifacts", db_index=False)
    path = models.CharField(max_length=limits.ARTIFACT_PATH_LENGTH)
    size_bytes = models.BigIntegerField()
    digest = models.CharField(max_length=64)
    created_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["run", "path"], name="artifact_path_per_run")]

    def __str__(self) -> str:
        return self.path
