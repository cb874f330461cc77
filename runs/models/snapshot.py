"""A snapshot: the source folder of a run as it was submitted."""

from django.db import models

from runs.models.workspace import Workspace


class Snapshot(models.Model):
    """A zip of source files, addressed by its content: the same code is stored once."""

    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="snapshots")
    # SHA-256 over the sorted member names and contents, so that zip timestamps do not count.
    digest = models.CharField(max_length=64)
    size_bytes = models.BigIntegerField()
    file_count = models.PositiveIntegerField()
    created_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["workspace", "digest"], name="snapshot_once_per_workspace")]

    def __str__(self) -> str:
        return self.digest[:12]
