"""How a demo's run went: its statuses with their times, drawn from a random number generator."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random

from runs.models import RunType
from runs.status import TERMINAL, RunStatus

S = RunStatus

_SCRIPT = (S.QUEUED, S.PREPARING, S.STARTING, S.RUNNING, S.FINALIZING)
_INTERACTIVE = (S.RUNNING,)
# What stands between the beginning and a status that is not on the straight way.
_BEFORE = {S.CANCELED: S.CANCEL_REQUESTED, S.CANCEL_REQUESTED: None, S.NOT_RESPONDING: None, S.FAILED: None}


@dataclass(frozen=True)
class History:
    """The statuses of a run in order, each with its time."""

    moves: tuple[tuple[RunStatus, datetime], ...]

    @property
    def status(self) -> RunStatus:
        """Return the latest status."""
        return self.moves[-1][0]

    def at(self, status: RunStatus) -> datetime | None:
        """Return when the run became `status`, or None if it never did."""
        return next((at for moved, at in self.moves if moved is status), None)

    @property
    def ended_at(self) -> datetime | None:
        """Return when the run became terminal, or None if it is active."""
        return self.moves[-1][1] if self.status in TERMINAL else None


def draw_end(random: Random) -> RunStatus:
    """Return how most runs end."""
    chance = random.random()
    return S.COMPLETED if chance < 0.8 else S.FAILED if chance < 0.93 else S.CANCELED


def draw(random: Random, *, run_type: str, end: RunStatus, created_at: datetime, seconds: float) -> History:
    """Return the history of a run that was created at `created_at`, ran for `seconds` and stands at `end`."""
    is_interactive = run_type == RunType.INTERACTIVE
    straight = _INTERACTIVE if is_interactive else _SCRIPT
    if end is S.NOT_STARTED or (end is S.QUEUED and is_interactive):
        return History(((end, created_at),))
    if end in straight:
        passed = straight[: straight.index(end) + 1]
    elif end is S.CANCELED and not is_interactive and random.random() < 0.3:
        passed = (S.QUEUED, S.CANCEL_REQUESTED, S.CANCELED)  # before it was claimed
    else:
        until = straight if end is S.COMPLETED else straight[: straight.index(S.RUNNING) + 1]
        between = _BEFORE.get(end)
        passed = (*until, *([between] if between else []), end) if end not in until else until
    moves, at = [], created_at
    for status in passed:
        moves.append((status, at))
        if status is S.RUNNING:
            at += timedelta(seconds=seconds)
        elif status is S.QUEUED:
            at += timedelta(seconds=random.expovariate(0.05))
        else:
            at += timedelta(seconds=0.2 + random.random())
    return History(tuple(moves))
