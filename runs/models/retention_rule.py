"""Retention rules: which ended runs a workspace does not keep."""

from django.conf import settings
from django.core.validators import MinValueValidator
from django.db import models

from runs import limits
from runs.models.workspace import Workspace


class RetentionRule(models.Model):
    """What the query finds goes to the trash `after_days` days after it ended. Never an active run."""

    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="retention_rules")
    query = models.CharField(max_length=limits.QUERY_LENGTH, blank=True, default="")
    after_days = models.PositiveIntegerField(validators=[MinValueValidator(1)])
    # For whom `submitter:me` speaks.
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    created_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.query or 'all runs'} after {self.after_days} days"
