"""A workspace: who works together, and the roof over their experiments."""

from typing import Self

from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.core.validators import RegexValidator
from django.db import models
from django.urls import reverse

from runs import limits

# It is part of addresses, and is written in configuration files and command lines.
_is_name = RegexValidator(
    r"^[A-Za-z0-9][A-Za-z0-9._-]*\Z", "Expected letters, digits, dots, dashes and underscores, a letter or digit first."
)


class Role(models.TextChoices):
    """What a member may do: a reader looks, a contributor runs, an owner also administers."""

    READER = "reader", "Reader"
    CONTRIBUTOR = "contributor", "Contributor"
    OWNER = "owner", "Owner"


class WorkspaceQuerySet(models.QuerySet["Workspace"]):
    """Workspaces, by who may see them."""

    def visible_to(self, user: AbstractBaseUser | AnonymousUser) -> Self:
        """Return the workspaces of which `user` is a member; a superuser sees all."""
        if getattr(user, "is_superuser", False):
            return self.all()
        return self.filter(memberships__user_id=user.pk)


class Workspace(models.Model):
    """The unit of membership; experiments, runs and snapshots belong to one."""

    name = models.CharField(max_length=limits.WORKSPACE_NAME_LENGTH, unique=True, validators=[_is_name])
    description = models.TextField(blank=True, default="")
    created_at = models.DateTimeField()
    members = models.ManyToManyField(settings.AUTH_USER_MODEL, through="Membership", related_name="workspaces")

    objects = WorkspaceQuerySet.as_manager()

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        """Return the address of the workspace's home page."""
        return reverse("workspace_home", args=[self.name])


class Membership(models.Model):
    """A user's role in a workspace."""

    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="memberships")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=16, choices=Role)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["workspace", "user"], name="one_role_per_member")]

    def __str__(self) -> str:
        return f"{self.user} is {self.role} of {self.workspace}"
