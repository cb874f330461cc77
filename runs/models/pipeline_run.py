"""What a run has beyond other runs if it is a pipeline's, or one of its steps'."""

from django.db import models
from django.db.models import Q

from runs import limits
from runs.models.document import DocumentField
from runs.models.run import Run


class PipelineRun(models.Model):
    """A run of a pipeline: what was submitted. Its steps are its run's children."""

    run = models.OneToOneField(Run, models.CASCADE, primary_key=True, related_name="pipeline")
    # As `Definition.to_document` gives it, and the values of all of its parameters.
    definition = DocumentField()
    parameters = DocumentField()
    # What was chosen at submission for steps that name no compute target; it goes before what the definition says.
    default_compute_target = models.CharField(max_length=limits.COMPUTE_TARGET_NAME_LENGTH, blank=True, default="")
    continue_on_step_failure = models.BooleanField(default=False)
    regenerate_outputs = models.BooleanField(default=False)
    resumed_from = models.ForeignKey(Run, models.SET_NULL, null=True, blank=True, related_name="resumptions")

    def __str__(self) -> str:
        return self.run.run_id


class StepRun(models.Model):
    """A run of a step, or of one value of a step that is fanned out. What the scheduler needs is all here."""

    run = models.OneToOneField(Run, models.CASCADE, primary_key=True, related_name="step")
    pipeline_run = models.ForeignKey(PipelineRun, models.CASCADE, related_name="steps", db_index=False)
    name = models.CharField(max_length=limits.STEP_NAME_LENGTH)
    # Which of the values of a fan-out, and the value; 0 and null for a step that is not fanned out.
    index = models.PositiveIntegerField(default=0)
    item = DocumentField(null=True, blank=True)

    # Names of the steps before it; per input the step, its output, and whether that step is fanned out.
    parents = DocumentField(default=list)
    inputs = DocumentField(default=dict)
    outputs = DocumentField(default=list)
    continues_on_failure = models.BooleanField(default=False)

    # What it executes, as a digest; empty where it may not be reused. With the results that it reads
    # it makes the digest by which an equal result is found.
    code_digest = models.CharField(max_length=64, blank=True, default="")
    reuse_digest = models.CharField(max_length=64, blank=True, default="")
    reused_from = models.ForeignKey(Run, models.SET_NULL, null=True, blank=True, related_name="reuses", db_index=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["pipeline_run", "name", "index"], name="step_once_per_pipeline_run"),
        ]
        indexes = [
            # The scheduler: an equal result, the latest first.
            models.Index(
                fields=["reuse_digest", "-run"],
                condition=~Q(reuse_digest="") & Q(reused_from__isnull=True),
                name="step_by_reuse_digest",
            ),
            # SET_NULL, when a run is deleted.
            models.Index(fields=["reused_from"], condition=Q(reused_from__isnull=False), name="step_reused_from"),
        ]

    def __str__(self) -> str:
        return f"{self.name}[{self.index}] of {self.pipeline_run_id}"
