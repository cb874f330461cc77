"""Views: a table's columns, filters, order and charts, saved under a name."""

from django.conf import settings
from django.db import models

from runs import limits
from runs.models.experiment import Experiment


class TableView(models.Model):
    """A view of an experiment's page, for all who may see the experiment."""

    experiment = models.ForeignKey(Experiment, models.CASCADE, related_name="views", db_index=False)
    name = models.CharField(max_length=limits.VIEW_NAME_LENGTH)
    # The query string of the page that it stands for: all state of the page lies there.
    query = models.TextField(blank=True)
    saved_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    saved_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["experiment", "name"], name="view_name_per_experiment")]

    def __str__(self) -> str:
        return self.name


class DefaultView(models.Model):
    """The view in which a user wants to find an experiment."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+", db_index=False)
    experiment = models.ForeignKey(Experiment, models.CASCADE, related_name="+")
    view = models.ForeignKey(TableView, models.CASCADE, related_name="+")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "experiment"], name="one_default_view")]

    def __str__(self) -> str:
        return f"{self.user_id}: {self.view_id}"
