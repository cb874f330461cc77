"""Secrets that let somebody in. Only their SHA-256 is stored."""

from django.conf import settings
from django.db import models
from django.db.models import Q

from runs.models.run import Run


class ApiToken(models.Model):
    """A bearer token of a user, or of one attempt of one run and good for that run alone."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="api_tokens")
    # Set on the token that a script is given: it acts for `user`, and on this run only.
    run = models.ForeignKey(Run, models.CASCADE, null=True, blank=True, related_name="api_tokens")
    attempt_number = models.PositiveIntegerField(null=True, blank=True)

    name = models.CharField(max_length=100, blank=True, default="")
    # The first characters, to tell tokens apart on a page.
    prefix = models.CharField(max_length=16)
    digest = models.CharField(max_length=64, unique=True)

    created_at = models.DateTimeField()
    expires_at = models.DateTimeField(null=True, blank=True)
    used_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(run__isnull=True, attempt_number__isnull=True)
                | Q(run__isnull=False, attempt_number__isnull=False),
                name="run_token_names_its_attempt",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name or 'token'} ({self.prefix}...)"


class LoginCode(models.Model):
    """What a browser carries to a command line that a person let in: good once, for a minute, with its verifier."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    # Of the token that is made of it.
    name = models.CharField(max_length=100)
    digest = models.CharField(max_length=64, unique=True)
    # The S256 code challenge of RFC 7636: who brings the code must know what it was made of.
    challenge = models.CharField(max_length=43)

    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"{self.name} for {self.user}"


class SignInLink(models.Model):
    """A link that signs one user in, once."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="sign_in_links")
    digest = models.CharField(max_length=64, unique=True)
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"link for {self.user}"
