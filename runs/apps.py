"""Django's registration of the app."""

from django.apps import AppConfig


class RunsConfig(AppConfig):
    """The only app; its name is the import path."""

    name = "runs"
    verbose_name = "Studio"
