"""Workspaces with their members, and experiments, in the console."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.forms import ModelForm
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from runs.actions import experiments
from runs.admin.base import ReadOnlyAdmin, StudioAdmin, act_on_each, user_of
from runs.models import Experiment, Membership, Snapshot, StatusCount, Workspace


class MembershipInline(admin.TabularInline):
    """Who works in a workspace."""

    model = Membership
    autocomplete_fields = ("user",)
    extra = 1


@admin.register(Workspace)
class WorkspaceAdmin(StudioAdmin):
    """Workspaces are made here; they are not deleted, since their runs would go with them."""

    list_display = ("name", "description", "created_at")
    search_fields = ("name",)
    readonly_fields = ("created_at",)
    inlines = (MembershipInline,)

    def save_model(self, request: HttpRequest, obj: Workspace, form: ModelForm, change: bool) -> None:
        """Note when a new one was made."""
        if not change:
            obj.created_at = timezone.now()
        super().save_model(request, obj, form, change)


@admin.register(Membership)
class MembershipAdmin(StudioAdmin):
    """All memberships. This is what may be deleted by hand: it ends one person's access and touches no run."""

    list_display = ("workspace", "user", "role")
    list_filter = ("role",)
    list_select_related = ("workspace", "user")
    search_fields = ("=user__username", "=workspace__name")
    autocomplete_fields = ("workspace", "user")

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Return whether the user may end memberships."""
        return request.user.has_perm("runs.delete_membership")


@admin.register(Experiment)
class ExperimentAdmin(ReadOnlyAdmin):
    """Experiments. Names are addresses and what is searched, so neither is edited here."""

    list_display = ("name", "workspace", "latest_run_number", "latest_submitted_at", "archived_at")
    list_filter = ("workspace", ("archived_at", admin.EmptyFieldListFilter))
    list_select_related = ("workspace",)
    search_fields = ("name",)
    actions = ("archive", "restore")

    @admin.action(permissions=["operate"], description=_("Archive"))
    def archive(self, request: HttpRequest, queryset: QuerySet[Experiment]) -> None:
        """Archive the chosen experiments."""
        at, by = timezone.now(), user_of(request)
        act_on_each(
            self, request, queryset, lambda row: experiments.archive(experiment=row, by=by, at=at), done=_("Archived")
        )

    @admin.action(permissions=["operate"], description=_("Restore"))
    def restore(self, request: HttpRequest, queryset: QuerySet[Experiment]) -> None:
        """Restore the chosen experiments."""
        at, by = timezone.now(), user_of(request)
        act_on_each(
            self, request, queryset, lambda row: experiments.restore(experiment=row, by=by, at=at), done=_("Restored")
        )


@admin.register(StatusCount)
class StatusCountAdmin(ReadOnlyAdmin):
    """Kept as rows change; `manage.py recount` checks them."""

    list_display = ("experiment", "is_child", "status", "count")
    list_select_related = ("experiment",)
    search_fields = ("=experiment__name",)


@admin.register(Snapshot)
class SnapshotAdmin(ReadOnlyAdmin):
    """Source folders as submitted."""

    list_display = ("digest", "workspace", "size_bytes", "file_count", "created_at")
    list_select_related = ("workspace",)
    search_fields = ("digest",)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Snapshot], search_term: str
    ) -> tuple[QuerySet[Snapshot], bool]:
        """Return the snapshots with that whole digest."""
        term = search_term.strip().lower()
        return (queryset.filter(digest=term) if term else queryset), False
