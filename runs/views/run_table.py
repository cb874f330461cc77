"""The table of runs that several pages show: searched, sorted, paged, with everything in the address."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils.translation import gettext_lazy as _

from runs import search
from runs.errors import InvalidInput
from runs.models import Run
from runs.models.run import RunQuerySet
from runs.search import paging
from runs.status import TERMINAL
from runs.views import live, sorting
from runs.views.request import SignedInRequest
from runs.views.sorting import Column

ROWS_PER_PAGE = 50


# As in the 2020 studio.
COLUMNS = [
    Column("number", _("Run"), "number"),
    Column("run_id", _("Run ID")),
    Column("created", _("Created time"), "created"),
    Column("submitted_by", _("Submitted by")),
    Column("duration", _("Duration"), "duration"),
    Column("status", _("Status"), "status"),
    Column("compute_target", _("Compute target")),
    Column("run_type", _("Run type")),
    Column("tags", _("Tags")),
]


@dataclass(frozen=True)
class RunTable:
    """One page of runs, and what the address asked for. `problem` is a query that could not be read."""

    runs: list[Run]
    headings: list[sorting.Heading]
    query: str
    order: str
    next: str = ""
    previous: str = ""
    has_children: bool = False
    is_mine: bool = False
    problem: InvalidInput | None = None

    @property
    def is_busy(self) -> bool:
        """Return whether one of its runs may change soon."""
        return any(run.status not in TERMINAL for run in self.runs)

    @property
    def poll_seconds(self) -> int:
        """Return how often the page asks for news."""
        return live.BUSY_SECONDS if self.is_busy else live.IDLE_SECONDS

    @property
    def is_filtered(self) -> bool:
        """Return whether the address asks for some runs only."""
        return bool(self.query or self.is_mine)

    @property
    def facts(self) -> tuple[Any, ...]:
        """Return what a reader sees change, for `live.version_of`."""
        return (
            [
                (run.pk, run.status, run.status_at, run.display_name, [(tag.key, tag.value) for tag in run.tags.all()])
                for run in self.runs
            ],
            self.next,
            self.previous,
        )

    @property
    def problem_parts(self) -> tuple[str, str, str] | None:
        """Return the query before, at and after its mistake, or None if the mistake has no place."""
        position = getattr(self.problem, "position", None)
        if position is None:
            return None
        end = position + max(1, getattr(self.problem, "length", 1))
        padded = self.query if position < len(self.query) else self.query + "\N{NO-BREAK SPACE}"
        return padded[:position], padded[position:end], padded[end:]


def build(request: SignedInRequest, runs: RunQuerySet, *, at: datetime, narrowed_by: str = "") -> RunTable:
    """Return the page of `runs` that the address asks for; of those only that the query `narrowed_by` finds.

    Parameters: q (the search language), order, cursor, children=1, mine=1. A query with a
    mistake finds nothing and says why. Raises InvalidInput for an order or a cursor that
    is none.
    """
    query = request.GET.get("q", "").strip()
    order = request.GET.get("order") or paging.DEFAULT_ORDER
    has_children, is_mine = request.GET.get("children") == "1", request.GET.get("mine") == "1"
    asked: dict[str, Any] = {
        "headings": sorting.headings(COLUMNS, order),
        "query": query,
        "order": order,
        "has_children": has_children,
        "is_mine": is_mine,
    }
    try:
        # Who asks for a parent wants to see children.
        if not has_children and not search.names_field(query, "parent"):
            runs = runs.top_level()
        mine = "submitter:me" if is_mine else ""
        found = search.apply(runs, query, narrowed_by, mine, user=request.user, at=at)
    except search.QuerySyntaxError as problem:
        return RunTable(runs=[], problem=problem, **asked)
    page = paging.paginate(
        found.for_lists().prefetch_related("tags"),
        order=order,
        cursor=request.GET.get("cursor", ""),
        limit=ROWS_PER_PAGE,
    )
    return RunTable(runs=page.items, next=page.next, previous=page.previous, **asked)


def of_page(page: paging.Page[Run], *, order: str) -> RunTable:
    """Return a table of runs that were found and paged elsewhere."""
    return RunTable(
        runs=page.items,
        headings=sorting.headings(COLUMNS, order),
        query="",
        order=order,
        next=page.next,
        previous=page.previous,
    )
