"""The rows of a table of runs: their cells, and below an opened parent its child runs, as a tree."""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.contrib.auth.models import User
from django.db.models import Count, Max, Min
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from runs.models import Favorite, Metric, Run
from runs.status import TILES, Tile
from runs.views import columns
from runs.views.columns import Column, Extras

# So many parents may be open at once, and so many child runs of each are shown in the table:
# the Child runs tab pages through all of them.
OPEN_AT_MOST = 10
CHILDREN_STEP = 20
CHILDREN_AT_MOST = 100
# The best value is looked for among so many child runs.
_ROLLED_UP_AT_MOST = 5_000
_LESS_IS_BETTER = re.compile(r"loss|err|mse|mae|rmse|perplexity|divergence|time|duration", re.IGNORECASE)


@dataclass(frozen=True)
class Best:
    """The best value of a metric among a run's children, where the run has none itself."""

    value: float
    count: int


@dataclass(frozen=True)
class Cell:
    """One cell: how it looks, and what is in it."""

    column: Column
    value: Any

    @property
    def kind(self) -> str:
        """Return how it looks."""
        return "best" if isinstance(self.value, Best) else self.column.kind


@dataclass
class Row:
    """A run as the table shows it; `level` is how deep it stands below a run of the page."""

    run: Run
    level: int = 0
    cells: list[Cell] = field(default_factory=list)
    children: Mapping[str, int] = field(default_factory=dict)
    is_open: bool = False
    is_favorite: bool = False
    toggle: str = ""
    # Parents whose shown child runs end with this row, and which have more.
    more: "list[More]" = field(default_factory=list)

    @property
    def child_count(self) -> int:
        """Return how many child runs it has."""
        return sum(self.children.values())

    @property
    def summary(self) -> str:
        """Return the states of its child runs in a few words."""
        return summary(self.children)

    @property
    def worst(self) -> str:
        """Return the worst of these states: `2 of 8 failed`."""
        return self.summary.split(", ")[0] if self.tone != Tile.OTHER else self.summary

    @property
    def tone(self) -> str:
        """Return the tile whose color the summary takes: the worst state that there is."""
        order = (Tile.FAILED, Tile.RUNNING, Tile.OTHER, Tile.COMPLETED)
        return next((tile for tile in order if _count(self.children, tile)), Tile.OTHER)

    @property
    def facts(self) -> tuple[Any, ...]:
        """Return what a reader sees of it."""
        values = [cell.value for cell in self.cells]
        return self.run.pk, self.run.status, self.level, values, dict(self.children), self.is_open, self.is_favorite


@dataclass(frozen=True)
class More:
    """What stands below the child runs that are shown: the parent, and what `open` asks for the next ones."""

    parent: Run
    shown: int
    total: int
    open: str


def summary(counts: Mapping[str, int]) -> str:
    """Return the states of child runs in a few words, the worst first: `2 of 8 failed`."""
    total = sum(counts.values())
    if counts and total == _count(counts, Tile.COMPLETED):
        return ngettext("%d completed", "%d completed", total) % total
    words = {
        Tile.FAILED: _("%(count)d of %(total)d failed"),
        Tile.RUNNING: _("%(count)d of %(total)d running"),
        Tile.OTHER: _("%(count)d of %(total)d waiting, canceled or other"),
        Tile.COMPLETED: _("%(count)d of %(total)d completed"),
    }
    found = {tile: _count(counts, tile) for tile in words}
    return ", ".join(words[tile] % {"count": count, "total": total} for tile, count in found.items() if count)


def build(runs: list[Run], shown: list[Column], *, opened: str, user: User) -> tuple[list[Row], list[list[Any]]]:
    """Return the rows of `runs`, with those below the parents that `opened` names, and the values of `runs` alone."""
    asked = _parse(opened)
    counts = _child_counts(runs)
    rows: list[Row] = []
    for run in runs:
        _add(rows, run, 0, asked, counts)
    everyone = [row.run for row in rows]
    starred = set(
        Favorite.objects.filter(user=user, run__in=[run.pk for run in everyone]).values_list("run", flat=True)
    )
    extras = columns.load([run.pk for run in everyone], shown)
    best = _best(rows, shown)
    for row in rows:
        row.is_favorite = row.run.pk in starred
        row.toggle = _toggle(asked, row.run.run_id)
        row.cells = [_cell(row, column, extras, best) for column in shown]
    return rows, [[cell.value for cell in row.cells] for row in rows if row.level == 0]


def _cell(row: Row, column: Column, extras: Extras, best: Mapping[tuple[int, str], tuple[Any, Any]]) -> Cell:
    value = columns.value(row.run, column, extras)
    if value is None and column.source == "metrics" and (row.run.pk, column.key) in best:
        least, greatest = best[row.run.pk, column.key]
        wants_least = column.summary == "min" or (column.summary == "last" and _LESS_IS_BETTER.search(column.key))
        found = least if wants_least else greatest
        value = Best(found, row.child_count) if found is not None else None
    return Cell(column, value)


def _add(rows: list[Row], run: Run, level: int, asked: Mapping[str, int], counts: dict[int, dict[str, int]]) -> None:
    """Add the row of `run` and, if it is open, those of its child runs: two queries for each open parent."""
    row = Row(run, level, children=counts.get(run.pk, {}))
    rows.append(row)
    limit = asked.get(run.run_id, 0)
    if not limit or not row.child_count:
        return
    row.is_open = True
    children = list(Run.objects.filter(parent=run).for_lists().order_by("id")[:limit])
    counts |= _child_counts(children)
    for child in children:
        _add(rows, child, level + 1, asked, counts)
    if row.child_count > len(children):
        others = ",".join(f"{run_id}~{size}" for run_id, size in asked.items() if run_id != run.run_id)
        wider = ",".join(filter(None, [others, f"{run.run_id}~{limit + CHILDREN_STEP}"]))
        rows[-1].more.append(More(run, len(children), row.child_count, wider if limit < CHILDREN_AT_MOST else ""))


def _child_counts(runs: Iterable[Run]) -> dict[int, dict[str, int]]:
    found = Run.objects.filter(parent__in=[run.pk for run in runs]).order_by()
    counts: dict[int, dict[str, int]] = defaultdict(dict)
    for parent_id, status, count in found.values_list("parent_id", "status").annotate(count=Count("pk")):
        counts[parent_id or 0][status] = count
    return dict(counts)


def _best(rows: list[Row], shown: list[Column]) -> dict[tuple[int, str], tuple[Any, Any]]:
    """Return the least and greatest value of each metric among the child runs of each parent, in one query."""
    parents = [row.run.pk for row in rows if 0 < row.child_count <= _ROLLED_UP_AT_MOST]
    keys = {column.key for column in shown if column.source == "metrics"}
    if not parents or not keys:
        return {}
    found = Metric.objects.filter(run__parent__in=parents, name__in=keys).order_by()
    least_and_greatest = found.values_list("run__parent_id", "name").annotate(Min("min_value"), Max("max_value"))
    return {(parent, name): (least, greatest) for parent, name, least, greatest in least_and_greatest}


def _parse(opened: str) -> dict[str, int]:
    """Return which parents are open, and how many child runs of each are shown: `run-id,run-id~40`."""
    asked: dict[str, int] = {}
    for part in list(filter(None, opened.split(",")))[:OPEN_AT_MOST]:
        run_id, _tilde, size = part.partition("~")
        asked[run_id] = min(int(size), CHILDREN_AT_MOST) if size.isdecimal() and size.isascii() else CHILDREN_STEP
    return asked


def _toggle(asked: Mapping[str, int], run_id: str) -> str:
    """Return what `open` says after a click at the run: it is opened, or closed."""
    others = [f"{other}~{size}" if size != CHILDREN_STEP else other for other, size in asked.items() if other != run_id]
    return ",".join(others if run_id in asked else [*others, run_id])


def _count(counts: Mapping[str, int], tile: Tile) -> int:
    return sum(counts.get(status, 0) for status in TILES[tile])
