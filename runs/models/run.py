"""A run: one execution of a script, or a record that a client drives itself."""

from typing import Self

from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.db import models
from django.db.models import F, Q
from django.db.models.expressions import RawSQL
from django.db.models.functions import Coalesce
from django.urls import reverse

from runs import limits
from runs.models.compute_target import ComputeTarget
from runs.models.experiment import Experiment
from runs.models.snapshot import Snapshot
from runs.models.workspace import Workspace
from runs.status import ACTIVE, TERMINAL, UNCLAIMED, RunStatus


class RunType(models.TextChoices):
    """What drives a run: a worker (script, step), its client (interactive), or its steps (pipeline)."""

    SCRIPT = "script", "Script"
    INTERACTIVE = "interactive", "Interactive"
    PIPELINE = "pipeline", "Pipeline"
    STEP = "step", "Step"


class RunQuerySet(models.QuerySet["Run"]):
    """Runs, by who may see them and where they stand."""

    def visible_to(self, user: AbstractBaseUser | AnonymousUser) -> Self:
        """Return the runs in workspaces of which `user` is a member; a superuser sees all."""
        if getattr(user, "is_superuser", False):
            return self.all()
        return self.filter(workspace__memberships__user_id=user.pk)

    def active(self) -> Self:
        """Return those that are not yet terminal."""
        return self.filter(status__in=ACTIVE)

    def top_level(self) -> Self:
        """Return those that are nobody's child."""
        return self.filter(parent__isnull=True)

    def below(self, run: "Run", *, itself: bool = False) -> Self:
        """Return what descends from `run`, at any depth; with `itself` also the run."""
        return self.filter(
            pk__in=RawSQL(  # noqa: S611 - no text of anybody's goes in
                "WITH RECURSIVE family(id) AS ("  # noqa: S608
                f"SELECT id FROM runs_run WHERE {'id' if itself else 'parent_id'} = %s"
                " UNION ALL SELECT child.id FROM runs_run child JOIN family ON child.parent_id = family.id"
                ") SELECT id FROM family",
                [run.pk],
            )
        )

    def for_lists(self) -> Self:
        """Fetch with each run what a row of a table shows, and leave its long texts behind."""
        return self.select_related("experiment", "workspace", "compute_target", "submitted_by").defer(
            "arguments", "command", "environment_variables", "requirements", "error"
        )


class RunManager(models.Manager.from_queryset(RunQuerySet)):  # type: ignore[misc]
    """The runs that are not in the trash."""

    def get_queryset(self) -> RunQuerySet:
        """Leave out the trash."""
        return super().get_queryset().filter(trashed_at__isnull=True)


class Run(models.Model):
    """One run. Its status has one writer, `lifecycle.move`, and its way through the trash `actions.trash`."""

    run_id = models.CharField(max_length=limits.RUN_ID_LENGTH, unique=True)
    # No index of their own for some references: those of Meta begin with them. And where nearly all
    # are null, an index of the nulls misleads SQLite: it takes `parent IS NULL` for rare.
    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="runs", db_index=False)
    experiment = models.ForeignKey(Experiment, models.CASCADE, related_name="runs", db_index=False)
    number = models.PositiveIntegerField()
    display_name = models.CharField(max_length=limits.DISPLAY_NAME_LENGTH, blank=True, default="")
    description = models.TextField(blank=True, default="")
    run_type = models.CharField(max_length=16, choices=RunType)
    submitted_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="runs")

    # The tree. `root` is null at the root itself.
    parent = models.ForeignKey("self", models.CASCADE, null=True, blank=True, related_name="children", db_index=False)
    root = models.ForeignKey("self", models.CASCADE, null=True, blank=True, related_name="descendants", db_index=False)
    resubmitted_from = models.ForeignKey(
        "self", models.SET_NULL, null=True, blank=True, related_name="resubmissions", db_index=False
    )

    # Where it stands. `reason` explains the status in a sentence; `error` is what the script said.
    status = models.CharField(max_length=16, choices=[(s.value, s.value) for s in RunStatus])
    status_at = models.DateTimeField()
    reason = models.TextField(blank=True, default="")
    error = models.TextField(blank=True, default="")
    exit_code = models.IntegerField(null=True, blank=True)
    exit_signal = models.PositiveSmallIntegerField(null=True, blank=True)

    created_at = models.DateTimeField()
    queued_at = models.DateTimeField(null=True, blank=True)
    started_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    # From start to end; null while it has not ended, or if it never started.
    duration_seconds = models.FloatField(null=True, blank=True)
    heartbeat_at = models.DateTimeField(null=True, blank=True)
    archived_at = models.DateTimeField(null=True, blank=True)
    # In the trash it exists for nobody; while it is purged nothing brings it back.
    trashed_at = models.DateTimeField(null=True, blank=True)
    purged_at = models.DateTimeField(null=True, blank=True)
    # Bytes of its logs and files, measured once it has ended; null until then.
    disk_bytes = models.BigIntegerField(null=True, blank=True)

    # The wish to stop, which is no outcome.
    cancel_requested_at = models.DateTimeField(null=True, blank=True)
    cancel_requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+", db_index=False
    )
    # Overrides the setting; zero is "stop now".
    cancel_grace_seconds = models.FloatField(null=True, blank=True)
    # Somebody called the running script a failure: stopped like a canceled one, it ends as Failed.
    fails_when_stopped = models.BooleanField(default=False)

    # What to execute: a script with arguments, or a command line, in the snapshot's folder.
    compute_target = models.ForeignKey(ComputeTarget, models.PROTECT, null=True, blank=True, related_name="runs")
    snapshot = models.ForeignKey(Snapshot, models.PROTECT, null=True, blank=True, related_name="runs")
    script = models.CharField(max_length=limits.ARTIFACT_PATH_LENGTH, blank=True, default="")
    command = models.JSONField(default=list, blank=True)
    arguments = models.JSONField(default=list, blank=True)
    environment_variables = models.JSONField(default=dict, blank=True)
    # A file of the snapshot (text), a list of requirement lines, or null for the worker's own packages.
    requirements = models.JSONField(null=True, blank=True)
    # An interpreter on the worker's machine; empty is the worker's own.
    interpreter_path = models.CharField(max_length=limits.ARTIFACT_PATH_LENGTH, blank=True, default="")
    max_run_duration_seconds = models.PositiveBigIntegerField(null=True, blank=True)
    # Limits of each of its processes; null is that of the compute target, and of the two the lower one holds.
    memory_bytes = models.PositiveBigIntegerField(null=True, blank=True)
    process_count = models.PositiveIntegerField(null=True, blank=True)
    cpu_seconds = models.PositiveBigIntegerField(null=True, blank=True)
    file_bytes = models.PositiveBigIntegerField(null=True, blank=True)

    # Its place in line, and how often it may be tried.
    priority = models.SmallIntegerField(default=0)
    not_before = models.DateTimeField(null=True, blank=True)
    max_retries = models.PositiveSmallIntegerField(default=0)
    retries_lost_workers = models.BooleanField(default=False)
    # The number of the latest attempt, which fences every write of a supervisor. 0: never claimed.
    attempt_number = models.PositiveIntegerField(default=0)

    # The submitter's key: the same request again is the same run.
    idempotency_key = models.CharField(max_length=128, blank=True, default="")
    request_digest = models.CharField(max_length=64, blank=True, default="")

    objects = RunManager()
    with_trash = RunQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["experiment", "number"], name="run_number_per_experiment"),
            models.UniqueConstraint(
                fields=["workspace", "submitted_by", "idempotency_key"],
                condition=~Q(idempotency_key=""),
                name="one_run_per_idempotency_key",
            ),
            models.CheckConstraint(
                condition=Q(cancel_requested_at__isnull=True, cancel_requested_by__isnull=True)
                | Q(cancel_requested_at__isnull=False),
                name="cancel_requested_by_needs_at",
            ),
            models.CheckConstraint(
                condition=Q(status__in=TERMINAL, ended_at__isnull=False)
                | (~Q(status__in=TERMINAL) & Q(ended_at__isnull=True)),
                name="ended_means_terminal",
            ),
        ]
        indexes = [
            # All runs of a workspace, newest first (Pipelines, Home), with and without children.
            models.Index(fields=["workspace", "-id"], name="run_workspace_newest"),
            models.Index(
                fields=["workspace", "-id"], condition=Q(parent__isnull=True), name="run_workspace_newest_top"
            ),
            # An experiment's table, newest first, with and without children.
            models.Index(fields=["experiment", "-id"], name="run_experiment_newest"),
            models.Index(
                fields=["experiment", "-id"], condition=Q(parent__isnull=True), name="run_experiment_newest_top"
            ),
            # The same table behind a status tile or `status:`.
            models.Index(fields=["experiment", "status", "-id"], name="run_experiment_status"),
            models.Index(fields=["workspace", "status", "-id"], name="run_workspace_status"),
            # The tab Pipeline runs, newest first.
            models.Index(fields=["workspace", "run_type", "-id"], name="run_workspace_type"),
            # `submitter:` and "View only my runs".
            models.Index(fields=["workspace", "submitted_by", "-id"], name="run_workspace_submitter"),
            # A table of runs by number, end or duration (`search.orders.COLUMNS`), and the ranges of
            # these in the search bar. An experiment's numbers have the unique constraint.
            models.Index(fields=["workspace", "number", "-id"], name="run_workspace_number"),
            models.Index(fields=["workspace", "ended_at", "-id"], name="run_workspace_ended"),
            models.Index(fields=["experiment", "ended_at", "-id"], name="run_experiment_ended"),
            models.Index(fields=["workspace", "duration_seconds", "-id"], name="run_workspace_duration"),
            models.Index(fields=["experiment", "duration_seconds", "-id"], name="run_experiment_duration"),
            # The order in which MLflow's clients ask for an experiment's runs.
            models.Index(
                F("experiment"), Coalesce("started_at", "created_at").desc(), F("run_id"), name="run_experiment_start"
            ),
            # `created:` in the search bar, and where a walk for old runs begins.
            models.Index(fields=["created_at", "-id"], name="run_created"),
            # Children of a run, oldest first; live descendants when a parent is canceled.
            models.Index(fields=["parent", "id"], condition=Q(parent__isnull=False), name="run_children"),
            # All below a run, when it is canceled, charted or deleted; what was resubmitted from it.
            models.Index(fields=["root", "id"], condition=Q(root__isnull=False), name="run_descendants"),
            models.Index(
                fields=["resubmitted_from"], condition=Q(resubmitted_from__isnull=False), name="run_resubmissions"
            ),
            # The claim: the next queued run of each submitter at a compute target.
            models.Index(
                F("compute_target"),
                F("priority").desc(),
                F("submitted_by"),
                F("id"),
                condition=Q(status="Queued"),
                name="run_next_in_line",
            ),
            # The trash of an experiment, and what a purge takes.
            models.Index(fields=["trashed_at", "id"], condition=Q(trashed_at__isnull=False), name="run_trash"),
            # Runs whose disk use is to be measured.
            models.Index(
                fields=["id"], condition=Q(disk_bytes__isnull=True, ended_at__isnull=False), name="run_unmeasured"
            ),
            # How long the latest runs of a script took: why another one waits.
            models.Index(
                fields=["experiment", "script", "-id"], condition=Q(status="Completed"), name="run_script_durations"
            ),
            # The reaper: interactive runs whose client once sent heartbeats.
            models.Index(
                fields=["heartbeat_at"],
                condition=Q(run_type="interactive", heartbeat_at__isnull=False, ended_at__isnull=True),
                name="run_client_heartbeat",
            ),
            # The sweep, and the number of active compute targets of an experiment.
            models.Index(
                fields=["experiment", "compute_target"],
                condition=~Q(status__in=["Completed", "Failed", "Canceled"]),
                name="run_active",
            ),
        ]

    def __str__(self) -> str:
        return self.run_id

    def get_absolute_url(self) -> str:
        """Return the address of the tab with which the run's page opens: Details, or the graph of a pipeline."""
        return reverse("run_graph" if self.run_type == RunType.PIPELINE else "run_detail", args=[self.run_id])

    @property
    def is_terminal(self) -> bool:
        """Whether the run has ended for good."""
        return self.status in TERMINAL

    @property
    def is_unclaimed(self) -> bool:
        """Whether no worker has taken the run yet."""
        return self.status in UNCLAIMED

    @property
    def title(self) -> str:
        """Return its heading: the display name, or `Run 3`."""
        return self.display_name or f"Run {self.number}"
