"""The statuses of a run and the table of moves between them. Pure: knows no Django models."""

from enum import StrEnum


class RunStatus(StrEnum):
    """The status of a run, stored and shown as Azure ML spells it (its `JobStatus`)."""

    NOT_STARTED = "NotStarted"
    QUEUED = "Queued"
    PREPARING = "Preparing"
    STARTING = "Starting"
    RUNNING = "Running"
    FINALIZING = "Finalizing"
    CANCEL_REQUESTED = "CancelRequested"
    NOT_RESPONDING = "NotResponding"
    COMPLETED = "Completed"
    FAILED = "Failed"
    CANCELED = "Canceled"


S = RunStatus

TERMINAL = frozenset({S.COMPLETED, S.FAILED, S.CANCELED})
ACTIVE = frozenset(RunStatus) - TERMINAL
# Nobody owns these yet: a cancel settles them at once.
UNCLAIMED = frozenset({S.NOT_STARTED, S.QUEUED})
# A supervisor owns these.
CLAIMED = ACTIVE - UNCLAIMED

# To Queued again: a retry that the submitter allowed, or a claim that came to nothing.
TRANSITIONS: dict[RunStatus, frozenset[RunStatus]] = {
    S.NOT_STARTED: frozenset({S.QUEUED, S.RUNNING, S.CANCEL_REQUESTED, S.FAILED}),
    S.QUEUED: frozenset({S.PREPARING, S.CANCEL_REQUESTED, S.FAILED}),
    S.PREPARING: frozenset({S.STARTING, S.QUEUED, S.CANCEL_REQUESTED, S.FAILED}),
    S.STARTING: frozenset({S.RUNNING, S.QUEUED, S.CANCEL_REQUESTED, S.FAILED}),
    S.RUNNING: frozenset({S.FINALIZING, S.NOT_RESPONDING, S.QUEUED, S.COMPLETED, S.CANCEL_REQUESTED, S.FAILED}),
    S.FINALIZING: frozenset({S.COMPLETED, S.NOT_RESPONDING, S.QUEUED, S.CANCEL_REQUESTED, S.FAILED}),
    S.NOT_RESPONDING: frozenset(
        {S.RUNNING, S.FINALIZING, S.COMPLETED, S.QUEUED, S.CANCEL_REQUESTED, S.FAILED},
    ),
    S.CANCEL_REQUESTED: frozenset({S.CANCELED, S.COMPLETED, S.FAILED}),
    S.COMPLETED: frozenset(),
    S.FAILED: frozenset(),
    S.CANCELED: frozenset(),
}


class Tile(StrEnum):
    """The four counters of an experiment's page; every status counts in one of them."""

    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    OTHER = "other"


TILES: dict[Tile, frozenset[RunStatus]] = {
    Tile.RUNNING: frozenset({S.PREPARING, S.STARTING, S.RUNNING, S.FINALIZING}),
    Tile.COMPLETED: frozenset({S.COMPLETED}),
    Tile.FAILED: frozenset({S.FAILED}),
    Tile.OTHER: frozenset({S.NOT_STARTED, S.QUEUED, S.CANCEL_REQUESTED, S.NOT_RESPONDING, S.CANCELED}),
}
