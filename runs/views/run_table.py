"""The table of runs that several pages show: searched, sorted, paged, with everything in the address."""

from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from django.http import QueryDict

from runs import search
from runs.errors import InvalidInput
from runs.models import Experiment, Metric, Param, Run
from runs.models.metric import MetricKind
from runs.models.run import RunQuerySet
from runs.search import Found, orders, paging
from runs.status import TERMINAL
from runs.views import columns, live, run_rows, sorting
from runs.views.columns import Column
from runs.views.request import SignedInRequest
from runs.views.run_rows import Row

ROWS_PER_PAGE = 50
# Those of a page, with the child runs of opened parents.
TICKED_AT_MOST = 1_050
# A table whose address names no columns shows so many metrics, of so many of the newest runs.
_METRICS_SHOWN, _RUNS_ASKED = 4, 20
# So many params join the columns that are looked through for differences.
_PARAMS_COMPARED = 40


@dataclass(frozen=True)
class RunTable:
    """One page of runs, and what the address asked for (`state`). `problem` is a query that could not be read."""

    runs: list[Run]
    headings: list[sorting.Heading]
    query: str
    order: str
    state: str = ""
    # For the links that sort: the order that a query asks for would go before theirs.
    query_without_order: str = ""
    columns: list[Column] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)
    hidden_count: int = 0
    next: str = ""
    previous: str = ""
    # Where a search goes on that would have taken too long for one page.
    onward: str = ""
    looked_through: int = 0
    has_children: bool = False
    is_mine: bool = False
    is_favorites: bool = False
    only_differing: bool = False
    problem: InvalidInput | None = None

    @property
    def is_busy(self) -> bool:
        """Return whether one of its runs may change soon."""
        return any(row.run.status not in TERMINAL for row in self.rows)

    @property
    def poll_seconds(self) -> int:
        """Return how often the page asks for news."""
        return live.BUSY_SECONDS if self.is_busy else live.IDLE_SECONDS

    @property
    def is_filtered(self) -> bool:
        """Return whether the address asks for some runs only."""
        return bool(self.query or self.is_mine or self.is_favorites)

    @property
    def columns_text(self) -> str:
        """Return its columns as an address names them."""
        return columns.to_text(self.columns)

    @property
    def facts(self) -> tuple[Any, ...]:
        """Return what a reader sees change, for `live.version_of`."""
        return [row.facts for row in self.rows], self.columns_text, self.next, self.previous

    @property
    def problem_parts(self) -> tuple[str, str, str] | None:
        """Return the query before, at and after its mistake, or None if the mistake has no place."""
        position = getattr(self.problem, "position", None)
        if position is None:
            return None
        end = position + max(1, getattr(self.problem, "length", 1))
        padded = self.query if position < len(self.query) else self.query + "\N{NO-BREAK SPACE}"
        return padded[:position], padded[position:end], padded[end:]


def matching(state: QueryDict, runs: RunQuerySet, *, user: Any, at: datetime, narrowed_by: str = "") -> Found:
    """Return which of `runs` an address asks for: q (the search language), children=1, mine=1, favorites=1.

    In the order of the query or, where it asks for none, of the address. Raises QuerySyntaxError.
    """
    query = state.get("q", "").strip()
    # Who asks for a parent wants to see children.
    if state.get("children") != "1" and not search.names_field(query, "parent"):
        runs = runs.top_level()
    mine = "is:mine" if state.get("mine") == "1" else ""
    favorites = "is:favorite" if state.get("favorites") == "1" else ""
    found = search.find(runs, query, narrowed_by, mine, favorites, user=user, at=at)
    return replace(found, order=found.order or state.get("order") or orders.DEFAULT)


def build(
    request: SignedInRequest,
    runs: RunQuerySet,
    *,
    at: datetime,
    narrowed_by: str = "",
    experiment: Experiment | None = None,
) -> RunTable:
    """Return the page of `runs` that the address asks for; of those only that the query `narrowed_by` finds.

    `experiment` is the one that all of them are of. Parameters: those of `matching`, order,
    cursor, columns, differ=1, open. A query with a mistake finds nothing and says why.
    Raises InvalidInput for an order, a cursor or columns that are none.
    """
    state = request.GET
    shown = chosen_columns(state, experiment)
    asked: dict[str, Any] = {
        "query": state.get("q", "").strip(),
        "order": state.get("order") or orders.DEFAULT,
        "state": _state(state),
        "has_children": state.get("children") == "1",
        "is_mine": state.get("mine") == "1",
        "is_favorites": state.get("favorites") == "1",
        "only_differing": state.get("differ") == "1",
    }
    try:
        found = matching(state, runs, user=request.user, at=at, narrowed_by=narrowed_by)
    except search.QuerySyntaxError as problem:
        headings = sorting.headings(shown, asked["order"])
        return RunTable(runs=[], columns=shown, headings=headings, problem=problem, **asked)
    asked |= {"order": found.order, "query_without_order": search.without_order(asked["query"])}
    page = orders.paginate(
        found, order=found.order, cursor=state.get("cursor", ""), limit=ROWS_PER_PAGE, experiment=experiment
    )
    return _of(page, shown, request, asked)


def of_page(page: paging.Page[Run], *, order: str, request: SignedInRequest) -> RunTable:
    """Return a table of runs that were found and paged elsewhere."""
    shown = columns.parse(request.GET.get("columns", "") or ",".join(columns.DEFAULT))
    return _of(page, shown, request, {"query": "", "order": order})


def chosen_columns(state: QueryDict, experiment: Experiment | None) -> list[Column]:
    """Return the columns that an address asks for, or else the usual ones."""
    asked = state.get("columns", "")
    if asked:
        return columns.parse(asked)
    names = list(columns.DEFAULT)
    if experiment is None:
        names.insert(1, "experiment")
    shown = [columns.ATTRIBUTES[name] for name in names]
    if experiment is not None:
        shown[-1:-1] = [columns.of_metric(name) for name in metric_names(experiment)[:_METRICS_SHOWN]]
    return shown


def metric_names(experiment: Experiment) -> list[str]:
    """Return the names of the metrics that the newest runs of the experiment logged as numbers."""
    newest = Run.objects.filter(experiment=experiment).top_level().order_by("-pk").values_list("pk", flat=True)
    found = Metric.objects.of_training().filter(run__in=list(newest[:_RUNS_ASKED]), kind=MetricKind.NUMBER)
    return list(found.order_by("name").values_list("name", flat=True).distinct())


def _state(asked: QueryDict) -> str:
    """Return what an address asks for, without the place in it and the version that a poll knows."""
    state = asked.copy()
    for name in ("v", "cursor"):
        state.pop(name, None)
    return state.urlencode()


def _of(page: paging.Page[Run], shown: list[Column], request: SignedInRequest, asked: dict[str, Any]) -> RunTable:
    all_columns, hidden = shown, 0
    if asked.get("only_differing"):
        shown = [*shown, *_other_params(page.items, shown)]
    rows, values = run_rows.build(page.items, shown, opened=request.GET.get("open", ""), user=request.user)
    if asked.get("only_differing") and len(values) > 1:
        places = columns.that_differ(shown, values)
        hidden = len(shown) - len(places)
        shown = [shown[place] for place in places]
        for row in rows:
            row.cells = [row.cells[place] for place in places]
    return RunTable(
        runs=page.items,
        columns=all_columns,
        headings=sorting.headings(shown, asked["order"]),
        rows=rows,
        hidden_count=hidden,
        next=page.next,
        previous=page.previous,
        onward=page.onward,
        looked_through=page.looked_through,
        **asked,
    )


def _other_params(runs: list[Run], shown: list[Column]) -> list[Column]:
    """Return columns for the params of `runs` that are not shown already: what differs is rarely chosen beforehand."""
    names = Param.objects.filter(run__in=[run.pk for run in runs]).order_by("name").values_list("name", flat=True)
    held = {column.name for column in shown}
    found = [columns.named(f"params.{name}") for name in names.distinct()[:_PARAMS_COMPARED]]
    return [column for column in found if column.name not in held]
