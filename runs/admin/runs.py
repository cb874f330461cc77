"""Runs in the console: everything is shown, nothing is edited; three actions do what the pages' buttons do."""

from typing import Any, cast

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _

from runs import search
from runs.actions import archiving, cancellation, submission
from runs.admin.base import ReadOnlyAdmin, act_on_each, user_of
from runs.errors import RunsError
from runs.models import Run, Workspace
from runs.models.run import RunQuerySet
from runs.status import TERMINAL, RunStatus
from runs.translation import translated


def _in_known_workspaces(queryset: QuerySet[Run]) -> QuerySet[Run]:
    """Name all workspaces, which changes nothing but the plan: the indexes begin with the workspace."""
    known = list(Workspace.objects.values_list("pk", flat=True))
    return queryset.filter(workspace=known[0]) if len(known) == 1 else queryset.filter(workspace__in=known)


class StatusFilter(admin.SimpleListFilter):
    """Runs of one status, by an index: there is none on the status alone."""

    title = _("status")
    parameter_name = "status"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Return the statuses."""
        return [(status.value, status.value) for status in RunStatus]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Run]) -> QuerySet[Run]:
        """Return the runs of the chosen status."""
        if self.value() is None:
            return queryset
        return _in_known_workspaces(queryset).filter(status=self.value())


@admin.register(Run)
class RunAdmin(ReadOnlyAdmin):
    """The list answers in the same few queries for any number of runs.

    There is no `date_hierarchy`: it asks for the first and the last date and for all
    days between, which reads every row. The search bar takes `created:` instead.
    """

    list_display = ("run_id", "experiment", "workspace", "status", "run_type", "submitted_by", "created_at", "page")
    list_filter = (StatusFilter, "workspace")
    list_select_related = ()
    # What each of these is searched by is up to `runs.search`.
    search_fields = ("run_id",)
    search_help_text = _("A run id, or a query as on the pages: tags.quality:good status:failed")
    actions = ("cancel", "archive", "requeue")
    sortable_by = ()

    def get_queryset(self, request: HttpRequest) -> QuerySet[Run]:
        """Fetch what rows show by queries of their own: with joins SQLite picks another index and sorts all runs."""
        return super().get_queryset(request).prefetch_related("experiment", "workspace", "submitted_by")

    @admin.display(description=_("page"))
    def page(self, run: Run) -> str:
        """Return a link to the run's own page."""
        return format_html('<a href="{}">{}</a>', run.get_absolute_url(), run.title)

    def get_fields(self, request: HttpRequest, obj: Run | None = None) -> Any:
        """Return all columns but the environment's values, which may hold secrets."""
        return [
            *(field.name for field in Run._meta.fields if field.name != "environment_variables"),
            "environment_variable_names",
        ]

    def get_readonly_fields(self, request: HttpRequest, obj: Run | None = None) -> Any:
        """Return all of them."""
        return self.get_fields(request, obj)

    @admin.display(description=_("environment variables"))
    def environment_variable_names(self, run: Run) -> str:
        """Return the names without the values."""
        return ", ".join(sorted(run.environment_variables)) or "-"

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Run], search_term: str
    ) -> tuple[QuerySet[Run], bool]:
        """Return the run with that id, else what the query finds; a mistake in it is shown and finds nothing."""
        term = search_term.strip()
        if not term:
            return queryset, False
        known = queryset.filter(run_id=term)
        if known.exists():
            return known, False
        runs = cast(RunQuerySet, _in_known_workspaces(queryset))
        try:
            return search.apply(runs, term, user=request.user, at=timezone.now()), False
        except RunsError as error:
            self.message_user(request, translated(error.message), messages.ERROR)
            return queryset.none(), False

    @admin.action(permissions=["operate"], description=_("Cancel"))
    def cancel(self, request: HttpRequest, queryset: QuerySet[Run]) -> None:
        """Cancel the chosen runs."""
        at, by = timezone.now(), user_of(request)

        def act(run: Run) -> object:
            return cancellation.request_cancel(run=run, by=by, at=at, actor="admin console")

        act_on_each(self, request, queryset, act, done=_("Canceled, or asked to stop"))

    @admin.action(permissions=["operate"], description=_("Archive"))
    def archive(self, request: HttpRequest, queryset: QuerySet[Run]) -> None:
        """Archive the chosen runs."""
        at = timezone.now()
        act_on_each(self, request, queryset, lambda run: archiving.archive(run=run, at=at), done=_("Archived"))

    @admin.action(permissions=["operate"], description=_("Re-queue: submit ended runs again, as new runs"))
    def requeue(self, request: HttpRequest, queryset: QuerySet[Run]) -> None:
        """Submit the chosen runs again. A status that is final stays so; the new run names the old one."""
        at, by = timezone.now(), user_of(request)

        def act(run: Run) -> object:
            if run.status not in TERMINAL:
                raise NotEnded
            return submission.resubmit(run=run, by=by, at=at, actor="admin console")

        act_on_each(self, request, queryset, act, done=_("Put in line again as new runs"))


class NotEnded(RunsError):
    """It has not ended yet: only ended runs can be put in line again."""

    code = "conflict"
