"""A patch: what was changed in a run's code since the commit that its properties name."""

from django.db import models

from runs.models.run import Run


class GitPatch(models.Model):
    """The uncommitted changes of a run's source folder, as `git diff` prints them. It goes with its run."""

    run = models.OneToOneField(Run, models.CASCADE, primary_key=True, related_name="git_patch")
    # No text: a file in it may have any encoding.
    data = models.BinaryField()

    def __str__(self) -> str:
        return f"Patch of {self.run_id}"
