"""What a user chose for all pages."""

from django.conf import settings
from django.db import models


class Preferences(models.Model):
    """One user's choices. An empty one is left to the browser."""

    user = models.OneToOneField(settings.AUTH_USER_MODEL, models.CASCADE, primary_key=True, related_name="preferences")
    language = models.CharField(max_length=10, blank=True)
    time_zone = models.CharField(max_length=100, blank=True)
    # Single keys as commands disturb who speaks to the browser, or types with a tremor (WCAG 2.1.4).
    has_shortcuts = models.BooleanField(default=True)

    class Meta:
        verbose_name_plural = "preferences"

    def __str__(self) -> str:
        return f"{self.user}: {self.language or '-'} {self.time_zone or '-'}"
