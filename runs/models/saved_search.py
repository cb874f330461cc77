"""Searches that somebody made lately or keeps, and the keys that the search bar offers."""

from django.conf import settings
from django.db import models
from django.db.models import Q

from runs import limits
from runs.models.workspace import Workspace


class SavedSearch(models.Model):
    """A query of one user in one workspace: kept under a name, or without one among the recent."""

    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="+", db_index=False)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+", db_index=False)
    name = models.CharField(max_length=100, blank=True, default="")
    query = models.CharField(max_length=limits.QUERY_LENGTH)
    used_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["workspace", "user", "name"], condition=~Q(name=""), name="saved_search_name_per_user"
            ),
        ]
        # The menu under the search bar.
        indexes = [models.Index(fields=["workspace", "user", "-used_at"], name="saved_search_latest")]

    def __str__(self) -> str:
        return self.name or self.query


class KeyKind(models.TextChoices):
    """What has keys, spelled as its field in the search bar."""

    TAG = "tags", "Tag"
    PROPERTY = "properties", "Property"
    PARAM = "params", "Param"
    METRIC = "metrics", "Metric"


class SearchKey(models.Model):
    """A key that runs of a workspace have or had. Kept as keys come, for a scan of a million rows is no completion."""

    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="+", db_index=False)
    kind = models.CharField(max_length=16, choices=KeyKind)
    key = models.CharField(max_length=limits.TAG_KEY_LENGTH)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["workspace", "kind", "key"], name="search_key_once")]

    def __str__(self) -> str:
        return f"{self.kind}.{self.key}"
