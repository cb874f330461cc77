"""A draft: a pipeline as it is being made in the Designer, and which run was started from it."""

import uuid
from typing import Self

from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.db import models
from django.db.models import F
from django.urls import reverse

from runs import limits
from runs.models.document import DocumentField
from runs.models.run import Run
from runs.models.workspace import Workspace


def _new_id() -> str:
    return str(uuid.uuid4())


class PipelineDraftQuerySet(models.QuerySet["PipelineDraft"]):
    """Drafts, by who may see them."""

    def visible_to(self, user: AbstractBaseUser | AnonymousUser) -> Self:
        """Return those in workspaces of which `user` is a member; a superuser sees all."""
        if getattr(user, "is_superuser", False):
            return self.all()
        return self.filter(workspace__memberships__user_id=user.pk)


class PipelineDraft(models.Model):
    """A document in the shape of a definition, which need not be one yet, and where its steps stand."""

    draft_id = models.CharField(max_length=36, unique=True, default=_new_id, editable=False)
    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="pipeline_drafts", db_index=False)
    # The document's own, kept for the list and its search.
    name = models.CharField(max_length=limits.PIPELINE_NAME_LENGTH, blank=True, default="")
    description = models.TextField(blank=True, default="")
    document = DocumentField(default=dict)
    # For each step that was moved, its place on the canvas: [x, y].
    positions = models.JSONField(default=dict, blank=True)
    # Goes up with every save: who saves tells which one was changed, so that two pages lose nothing.
    revision = models.PositiveIntegerField(default=1)

    created_at = models.DateTimeField()
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="pipeline_drafts")
    updated_at = models.DateTimeField()
    updated_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+", db_index=False)

    objects = PipelineDraftQuerySet.as_manager()

    class Meta:
        indexes = [
            # The tab Drafts, newest first.
            models.Index(F("workspace"), F("id").desc(), name="draft_newest"),
        ]

    def __str__(self) -> str:
        return self.name or self.draft_id

    def get_absolute_url(self) -> str:
        """Return the address of its canvas. Reads the workspace: select it."""
        return reverse("pipeline_draft", args=[self.workspace.name, self.draft_id])


class DraftRun(models.Model):
    """A run that was started from a draft, with the places of its steps: its graph is drawn the same."""

    run = models.OneToOneField(Run, models.CASCADE, related_name="draft_run")
    draft = models.ForeignKey(PipelineDraft, models.SET_NULL, null=True, blank=True, related_name="draft_runs")
    positions = models.JSONField(default=dict, blank=True)

    def __str__(self) -> str:
        return f"{self.run_id} of {self.draft_id}"
