"""Compute targets and workers in the console."""

from typing import Any

from django.contrib import admin
from django.forms import ModelForm
from django.http import HttpRequest
from django.utils import timezone

from runs.admin.base import ReadOnlyAdmin, StudioAdmin
from runs.models import ComputeTarget, Lease, Worker


@admin.register(ComputeTarget)
class ComputeTargetAdmin(StudioAdmin):
    """Named places to run. One that is not wanted any more is disabled: its runs name it for good."""

    list_display = ("name", "slots", "is_enabled", "refuses_conda_and_docker", "description", "created_at")
    list_filter = ("is_enabled", "refuses_conda_and_docker")
    search_fields = ("name",)

    def get_readonly_fields(self, request: HttpRequest, obj: ComputeTarget | None = None) -> Any:
        """Return what cannot change: the name is the name of its queue, and workers were started with it."""
        return ("created_at",) if obj is None else ("name", "created_at")

    def save_model(self, request: HttpRequest, obj: ComputeTarget, form: ModelForm, change: bool) -> None:
        """Note when a new one was made."""
        if not change:
            obj.created_at = timezone.now()
        super().save_model(request, obj, form, change)


@admin.register(Worker)
class WorkerAdmin(ReadOnlyAdmin):
    """Worker processes, the latest first."""

    list_display = ("host", "pid", "targets", "has_broker", "started_at", "heartbeat_at", "stopped_at")
    list_filter = (("stopped_at", admin.EmptyFieldListFilter),)
    search_fields = ("=host",)
    ordering = ("-heartbeat_at", "pk")


@admin.register(Lease)
class LeaseAdmin(ReadOnlyAdmin):
    """Who does the jobs that one process at a time may do."""

    list_display = ("name", "holder", "until", "steady_since")
