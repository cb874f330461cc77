"""Failed sign-ins, by which guessing is slowed down."""

from django.db import models


class SignInFailure(models.Model):
    """How often somebody failed to sign in under one name from one address, or from one address at all."""

    # A digest of the name and the address: what was typed into the field may have been a password.
    key = models.CharField(max_length=64, unique=True)
    count = models.PositiveIntegerField(default=0)
    latest_at = models.DateTimeField(db_index=True)
    blocked_until = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.key[:12]}: {self.count}"
