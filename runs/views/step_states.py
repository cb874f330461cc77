"""Where the steps of a pipeline run stand: one state for each step, also where it runs once for each of many values."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from runs.models import Run, StepRun
from runs.status import ACTIVE, UNCLAIMED, RunStatus

_WORST_FIRST = (
    RunStatus.FAILED,
    RunStatus.NOT_RESPONDING,
    RunStatus.CANCEL_REQUESTED,
    RunStatus.RUNNING,
    RunStatus.FINALIZING,
    RunStatus.STARTING,
    RunStatus.PREPARING,
    RunStatus.QUEUED,
    RunStatus.NOT_STARTED,
    RunStatus.CANCELED,
    RunStatus.COMPLETED,
)


@dataclass(frozen=True)
class StepRow:
    """One step run, as little of it as the drawings show."""

    pk: int
    run_id: str
    name: str
    index: int
    item: Any
    status: RunStatus
    queued_at: datetime | None
    started_at: datetime | None
    ended_at: datetime | None
    is_reused: bool

    @property
    def label(self) -> str:
        """Return its name, with the value where it is one of many."""
        return self.name if self.item is None else f"{self.name} [{', '.join(str(v) for v in _values(self.item))}]"

    def seconds(self, at: datetime) -> float:
        """Return how long it ran, until `at` if it still does."""
        return max(0.0, ((self.ended_at or at) - self.started_at).total_seconds()) if self.started_at else 0.0


@dataclass(frozen=True)
class StepState:
    """One step with its runs, in their order."""

    name: str
    status: RunStatus
    rows: tuple[StepRow, ...]

    @property
    def ended_count(self) -> int:
        """Return how many of its runs have ended."""
        return sum(row.status not in ACTIVE for row in self.rows)

    @property
    def is_fanned_out(self) -> bool:
        """Return whether it runs once for each of many values."""
        return len(self.rows) > 1 or any(row.item is not None for row in self.rows)

    @property
    def is_reused(self) -> bool:
        """Return whether all of it was taken from earlier runs."""
        return all(row.is_reused for row in self.rows)

    def seconds(self, at: datetime) -> float:
        """Return the time from its first start to its latest end."""
        starts = [row.started_at for row in self.rows if row.started_at]
        if not starts:
            return 0.0
        return max(0.0, (max(row.ended_at or at for row in self.rows if row.started_at) - min(starts)).total_seconds())


def load(run: Run) -> list[StepState]:
    """Return the states of the steps of a pipeline run, in the order of the step runs."""
    values = (
        StepRun.objects.filter(pipeline_run_id=run.pk)
        .order_by("run_id")
        .values_list(
            "run_id",
            "run__run_id",
            "name",
            "index",
            "item",
            "run__status",
            "run__queued_at",
            "run__started_at",
            "run__ended_at",
            "reused_from_id",
        )
    )
    steps: dict[str, list[StepRow]] = {}
    for pk, run_id, name, index, item, status, queued_at, started_at, ended_at, reused_from in values:
        is_reused = reused_from is not None
        row = StepRow(pk, run_id, name, index, item, RunStatus(status), queued_at, started_at, ended_at, is_reused)
        steps.setdefault(name, []).append(row)
    return [StepState(name, _together({row.status for row in rows}), tuple(rows)) for name, rows in steps.items()]


def _together(statuses: set[RunStatus]) -> RunStatus:
    """Return the one status that says most of many: what failed, then what is going on."""
    if statuses & UNCLAIMED and RunStatus.COMPLETED in statuses and not statuses & {RunStatus.FAILED}:
        return RunStatus.RUNNING if statuses - UNCLAIMED - {RunStatus.COMPLETED} else RunStatus.QUEUED
    return next(status for status in _WORST_FIRST if status in statuses)


def _values(item: Any) -> list[Any]:
    return list(item.values()) if isinstance(item, dict) else [item]
