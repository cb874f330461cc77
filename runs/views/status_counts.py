"""The counts of tiles and lists, read from the kept rows and never by counting runs."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from django.db.models import Count, Q, QuerySet, Sum

from runs.models import Experiment, Run, StatusCount, Workspace
from runs.status import ACTIVE, TILES, RunStatus, Tile

_TILE_OF = {status: tile for tile, statuses in TILES.items() for status in statuses}


@dataclass
class Counts:
    """How many runs are behind each tile."""

    tiles: dict[Tile, int] = field(default_factory=lambda: dict.fromkeys(Tile, 0))

    @property
    def total(self) -> int:
        """Return the number of runs."""
        return sum(self.tiles.values())

    @property
    def running(self) -> int:
        """Return the number of those that a worker has in hand."""
        return self.tiles[Tile.RUNNING]


def of_experiments(experiments: Iterable[Experiment], *, with_children: bool = False) -> dict[int, Counts]:
    """Return the counts of each of `experiments` by its id, in one query."""
    wanted = Q(experiment__in=[experiment.pk for experiment in experiments])
    counts: dict[int, Counts] = defaultdict(Counts)
    for experiment_id, status, count in _counted(wanted, with_children).values_list("experiment_id", "status", "count"):
        counts[experiment_id].tiles[_TILE_OF[RunStatus(status)]] += count
    return counts


def of_workspace(workspace: Workspace) -> Counts:
    """Return the counts of all top-level runs of a workspace."""
    rows = _counted(Q(experiment__workspace=workspace), False).values("status").annotate(sum=Sum("count"))
    counts = Counts()
    for status, total in rows.values_list("status", "sum"):
        counts.tiles[_TILE_OF[RunStatus(status)]] += total
    return counts


def active_targets(runs: QuerySet[Run]) -> int:
    """Return how many compute targets the active ones of `runs` are on, or wait for."""
    active = runs.filter(status__in=ACTIVE, compute_target__isnull=False).order_by()
    # By status as well: a plain DISTINCT makes SQLite walk the index of compute targets, past all that ended.
    groups = active.values_list("status", "compute_target").annotate(Count("pk"))
    return len({compute_target for _status, compute_target, _count in groups})


def _counted(wanted: Q, with_children: bool) -> QuerySet[StatusCount]:
    rows = StatusCount.objects.filter(wanted)
    return rows if with_children else rows.filter(is_child=False)
