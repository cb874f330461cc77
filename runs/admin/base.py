"""What all lists of the console have in common: they stay fast at millions of rows, and change nothing by hand."""

from collections.abc import Callable, Iterable
from typing import Any, ClassVar

from django.contrib import admin, messages
from django.contrib.auth.models import User
from django.core.paginator import Paginator
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.utils.functional import cached_property
from django.utils.translation import gettext_lazy as _

from runs.errors import RunsError
from runs.models import Run
from runs.translation import translated

# How far one may turn the pages; beyond that a search or a filter is the better way, and no row is counted.
_REACHABLE_ROWS = 1_000
_ROWS_PER_ACTION = 500


class BoundedPaginator(Paginator):
    """Pages of the first rows only. Counting all rows of a large table takes seconds."""

    @cached_property
    def count(self) -> int:
        """Return how many rows can be paged through."""
        rows: Any = self.object_list
        return rows.order_by().values("pk")[:_REACHABLE_ROWS].count()


class StudioAdmin(admin.ModelAdmin):
    """A list without counts and drop-downs of all rows, newest first."""

    paginator = BoundedPaginator
    show_full_result_count = False
    # "Show counts" beside the filters would count all rows once for each choice.
    show_facets = admin.ShowFacets.NEVER
    list_per_page = 50
    # No "show all", which would be thousands of rows on one page.
    list_max_show_all = 0
    ordering: ClassVar[Any] = ("-pk",)

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Refuse: a delete would take runs and files along, or collect a million rows to say that it may not."""
        return False

    def has_operate_permission(self, request: HttpRequest) -> bool:
        """Return whether the user may use the actions: they do what a change would, in the lawful way."""
        return request.user.has_perm(f"{self.opts.app_label}.change_{self.opts.model_name}")


class ReadOnlyAdmin(StudioAdmin):
    """A window: what it shows is a record, and a record that was edited by hand is a lie."""

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Refuse."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Refuse."""
        return False


class OfRunAdmin(ReadOnlyAdmin):
    """Rows that hang on runs. The search takes a whole run id; runs with a tag or a metric are found among the runs."""

    # Not used as a lookup, but without it there is no search box.
    search_fields = ("run__run_id",)
    search_help_text = _("A whole run id")
    list_select_related: ClassVar[Any] = ("run",)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """Return the rows of the run whose id is `search_term`."""
        if not search_term.strip():
            return queryset, False
        run = Run.objects.filter(run_id=search_term.strip()).values_list("pk", flat=True).first()
        return queryset.filter(run_id=run), False


def user_of(request: HttpRequest) -> User:
    """Return who asks; nobody else gets into the console."""
    assert isinstance(request.user, User)  # noqa: S101
    return request.user


def act_on_each(
    admin_: admin.ModelAdmin,
    request: HttpRequest,
    queryset: QuerySet[Any],
    act: Callable[[Any], object],
    *,
    done: object,
) -> None:
    """Call `act` for each chosen row, and say how many it was `done` to and why the others refused."""
    rows: Iterable[Any] = queryset[: _ROWS_PER_ACTION + 1]
    chosen = list(rows)
    if len(chosen) > _ROWS_PER_ACTION:
        admin_.message_user(request, _("Choose at most %d rows at a time.") % _ROWS_PER_ACTION, messages.ERROR)
        return
    refusals = []
    for row in chosen:
        try:
            act(row)
        except RunsError as error:
            refusals.append(f"{row}: {translated(error.message)}")
    if len(refusals) < len(chosen):
        admin_.message_user(request, f"{done}: {len(chosen) - len(refusals)}.", messages.SUCCESS)
    for refusal in refusals[:5]:
        admin_.message_user(request, refusal, messages.WARNING)
    if len(refusals) > 5:
        admin_.message_user(request, _("Refused as well: %d more.") % (len(refusals) - 5), messages.WARNING)
