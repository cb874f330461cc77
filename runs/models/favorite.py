"""Favorites: the runs that a user has starred."""

from django.conf import settings
from django.db import models

from runs.models.run import Run


class Favorite(models.Model):
    """One user's star at one run."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="favorites", db_index=False)
    run = models.ForeignKey(Run, models.CASCADE, related_name="favorites")

    class Meta:
        # Also the index of `is:favorite`.
        constraints = [models.UniqueConstraint(fields=["user", "run"], name="one_star_per_user")]

    def __str__(self) -> str:
        return f"{self.user_id}: {self.run_id}"
