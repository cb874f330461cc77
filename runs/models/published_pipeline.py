"""A published pipeline: one version of a definition, under a name that programs and schedules run it by."""

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


class PublishedPipelineQuerySet(models.QuerySet["PublishedPipeline"]):
    """Published pipelines, by who may see them and whether they may be run."""

    def visible_to(self, user: AbstractBaseUser | AnonymousUser) -> Self:
        """Return those in workspaces of which `user` is a member; a superuser sees all."""
        if getattr(user, "is_superuser", False):
            return self.all()
        return self.filter(workspace__memberships__user_id=user.pk)

    def enabled(self) -> Self:
        """Return those that may be run."""
        return self.filter(is_enabled=True)


class PublishedPipeline(models.Model):
    """One version. What it does never changes: a change is the next version."""

    pipeline_id = models.CharField(max_length=36, unique=True, default=_new_id, editable=False)
    workspace = models.ForeignKey(
        Workspace, models.CASCADE, related_name="published_pipelines", db_index=False
    )  # the unique constraint begins with it
    name = models.CharField(max_length=limits.PIPELINE_NAME_LENGTH)
    version = models.PositiveIntegerField()
    # What its publisher calls this version; the number above is ours.
    label = models.CharField(max_length=limits.PIPELINE_LABEL_LENGTH, blank=True, default="")
    description = models.TextField(blank=True, default="")
    definition = DocumentField()
    is_enabled = models.BooleanField(default=True)

    published_at = models.DateTimeField()
    published_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="published_pipelines")
    published_from = models.ForeignKey(Run, models.SET_NULL, null=True, blank=True, related_name="published_pipelines")

    objects = PublishedPipelineQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["workspace", "name", "version"], name="pipeline_version_per_name"),
        ]
        indexes = [
            # The tab Published, newest first.
            models.Index(F("workspace"), F("id").desc(), name="published_newest"),
        ]

    def __str__(self) -> str:
        return f"{self.name} {self.version}"

    def get_absolute_url(self) -> str:
        """Return the address of its page."""
        return reverse("published_pipeline", args=[self.workspace.name, self.pipeline_id])
