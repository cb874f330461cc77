"""Checked requests. A field that is not known is an error that names it."""

from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from ninja import Schema
from pydantic import AfterValidator, AwareDatetime, ConfigDict, Field

from runs import limits
from runs.actions import lending

_EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
_LATEST = datetime(2200, 1, 1, tzinfo=UTC)


def _near(at: datetime) -> datetime:
    """Keep out the ends of the calendar, at which a change of time zone overflows."""
    if not _EARLIEST <= at <= _LATEST:
        raise ValueError("expected a time between the years 1970 and 2200")
    return at


Instant = Annotated[AwareDatetime, AfterValidator(_near)]
Scalar = str | int | float | bool
Step = Annotated[int, Field(ge=-(2**63) + 1, le=2**63 - 1)]
# What a column of whole numbers holds.
Small = Annotated[int, Field(ge=-(2**31), le=2**31 - 1)]


class Body(Schema):
    """The base of all bodies."""

    model_config = ConfigDict(extra="forbid")


class Submission(Body):
    """A script run config: what to execute, where, and what is known about it beforehand."""

    experiment: str
    workspace: str = ""
    script: str = ""
    command: list[Scalar] = []
    arguments: list[Scalar] = []
    environment_variables: dict[str, Scalar] = {}
    requirements: str | list[str] | None = Field(
        default=None, description="A requirements file of the snapshot, or a list of requirement lines."
    )
    interpreter_path: str = ""
    compute_target: str = "local"
    tags: dict[str, Scalar | None] = {}
    properties: dict[str, Scalar] = {}
    params: dict[str, Scalar | None] = {}
    display_name: str = ""
    description: str = ""
    max_run_duration_seconds: Small | None = None
    memory_bytes: Step | None = Field(default=None, description="Of all processes together, as cpu_seconds.")
    process_count: Small | None = None
    cpu_seconds: Small | None = None
    file_bytes: Step | None = None
    parent_run_id: str = ""
    run_id: str = ""
    priority: Small = 0
    not_before: Instant | None = None
    max_retries: Small = 0
    retries_lost_workers: bool = False


class Interactive(Body):
    """A run that its client drives."""

    workspace: str = ""
    run_id: str = ""
    parent_run_id: str = ""
    display_name: str = ""
    description: str = ""
    tags: dict[str, Scalar | None] = {}
    properties: dict[str, Scalar] = {}


class Failure(Body):
    """What went wrong."""

    error: str = ""
    actor: str = Field(default="", max_length=100)


class Report(Body):
    """What a script says went wrong."""

    error: str


class LoginExchange(Body):
    """The code that came through the browser, and the verifier that stayed with the client (RFC 7636)."""

    code: str = Field(max_length=100)
    verifier: str = Field(max_length=128)


class Cancellation(Body):
    """Why to stop, and how long the script may clean up; none is the server's setting."""

    reason: str = Field(default="", max_length=limits.REASON_LENGTH)
    grace_seconds: float | None = None
    actor: str = Field(default="", max_length=100)


class Waiting(Body):
    """For which run below its own a script waits, and until how many seconds from now it says so."""

    waits_for: str
    seconds: float = Field(gt=0, le=lending.LONGEST_SECONDS)


class RunChanges(Body):
    """What to change about a run. Tags are merged into those it has; what is left out stays."""

    display_name: str | None = None
    description: str | None = None
    tags: dict[str, Scalar | None] = {}
    remove_tags: list[str] = []


class Properties(Body):
    """Properties to add."""

    properties: dict[str, Scalar]


class Params(Body):
    """Params to add or change."""

    params: dict[str, Scalar | None]


class PointBody(Body):
    """One point: a `value`, a `text`, or a `row`."""

    name: str
    value: float | None = None
    text: str | None = None
    row: dict[str, Scalar | None] | None = None
    step: Step | None = None
    at: Instant | None = None
    kind: Literal["number", "text", "row", "image", "document"] | None = None


class Batch(Body):
    """Points in the order in which they were logged."""

    batch_id: str = Field(default="", max_length=64)
    points: list[PointBody] = Field(max_length=limits.METRIC_POINTS_PER_BATCH)


class Child(Body):
    """One child to start."""

    run_id: str = ""
    display_name: str = ""
    description: str = ""
    tags: dict[str, Scalar | None] = {}
    properties: dict[str, Scalar] = {}


class Children(Body):
    """Children to start: so many, or one for each set of tags, or one for each description."""

    count: int | None = Field(default=None, ge=1, le=limits.CHILDREN_PER_REQUEST)
    tags: list[dict[str, Scalar | None]] | None = Field(default=None, max_length=limits.CHILDREN_PER_REQUEST)
    children: list[Child] | None = Field(default=None, max_length=limits.CHILDREN_PER_REQUEST)


class TrackedRun(Body):
    """A run that was tracked elsewhere."""

    run_id: str
    parent_run_id: str = Field(default="", description="Of a run that is there, or of one of these without a parent.")
    display_name: str = ""
    description: str = ""
    status: Literal["Running", "Completed", "Failed", "Canceled"]
    started_utc: Instant
    ended_utc: Instant | None = None
    tags: dict[str, Scalar | None] = {}
    properties: dict[str, Scalar] = {}
    params: dict[str, Scalar | None] = {}


class Import(Body):
    """Runs of one experiment, which is made if it is not there."""

    workspace: str = ""
    experiment: str
    created_utc: Instant | None = Field(default=None, description="When the experiment was made.")
    runs: list[TrackedRun] = Field(max_length=limits.IMPORTED_RUNS)


class Marks(Body):
    """Properties to add to runs, by their ids."""

    runs: dict[str, dict[str, Scalar]] = Field(max_length=limits.IMPORTED_RUNS)


class Imported(Body):
    """Which runs to count."""

    run_ids: list[str] = Field(max_length=limits.IMPORTED_RUNS)


class NewExperiment(Body):
    """An experiment to make, if it is not there."""

    name: str
    workspace: str = ""
    description: str | None = None
    tags: dict[str, Scalar | None] = {}


class ExperimentChanges(Body):
    """What to change about an experiment. Tags are merged into those it has; what is left out stays."""

    description: str | None = None
    tags: dict[str, Scalar | None] = {}
    remove_tags: list[str] = []


def words(values: list[Any]) -> list[str]:
    """Return arguments as a command line has them."""
    return [str(value) for value in values]


def texts(values: dict[str, Any]) -> dict[str, str]:
    """Return the values of environment variables as text."""
    return {name: str(value) for name, value in values.items()}
