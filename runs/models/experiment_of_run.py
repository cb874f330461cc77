"""The column by which an index has what hangs on the runs of one experiment in order."""

from typing import Any

from django.db import models


class ExperimentOfRun(models.ForeignKey):
    """The experiment of the row's run, filled in by itself: a run never changes it."""

    def pre_save(self, model_instance: models.Model, add: bool) -> Any:
        """Return the row's value, which is looked up at the run unless it is set."""
        if getattr(model_instance, self.attname) is None:
            setattr(model_instance, self.attname, model_instance.run.experiment_id)  # type: ignore[attr-defined]
        return super().pre_save(model_instance, add)
