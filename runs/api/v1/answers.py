"""The documents as OpenAPI shows them. Their content is made in `runs.shapes`."""

from typing import Annotated, Any, Generic, Literal, TypeVar

from ninja import Schema
from pydantic import Field

from runs.status import RunStatus

Item = TypeVar("Item")
Instant = Annotated[str, Field(json_schema_extra={"format": "date-time"})]


class ProblemOut(Schema):
    """One thing to correct in a pipeline: its step, its field, and its line where it came as YAML."""

    step: str
    line: int | None
    field: str
    message: str


class Error(Schema):
    """What was refused: a stable word, a sentence for people, and the input at fault, if any.

    For a pipeline, all of its problems.
    """

    code: str
    message: str
    field: str | None = None
    problems: list[ProblemOut] = []


class Refusal(Schema):
    """The body of every answer from 400 on."""

    error: Error


# Every operation may answer these.
REFUSALS = frozenset({400, 401, 403, 404, 405, 409, 411, 413, 415, 416, 422, 500, 503})


class ImportedRunOut(Schema):
    """A run of an import: whether this request made it, its parent, and the properties that it has."""

    run_id: str
    is_new: bool
    parent_run_id: str | None
    properties: dict[str, str]


class ImportOut(Schema):
    """The runs of an import, in their order."""

    items: list[ImportedRunOut]


class CountsOut(Schema):
    """How much there is of some runs."""

    runs: int
    params: int
    tags: int
    metrics: int
    points: int
    datasets: int
    models: int
    files: int
    bytes: int


class Page(Schema, Generic[Item]):
    """One page of a list; `next` is the cursor of the page that follows, if any."""

    items: list[Item]
    next: str | None = None


class RunOut(Schema):
    """A run."""

    run_id: str
    run_number: int
    experiment: str
    workspace: str
    display_name: str
    description: str
    status: RunStatus
    reason: str
    run_type: Literal["script", "interactive", "pipeline", "step"]
    parent_run_id: str | None
    root_run_id: str
    resubmitted_from: str | None
    compute_target: str | None
    script: str
    command: list[str]
    arguments: list[str]
    environment_variables: dict[str, str]
    requirements: str | list[str] | None
    interpreter_path: str
    snapshot_id: str | None
    tags: dict[str, str | None]
    properties: dict[str, str]
    params: dict[str, str]
    metrics: dict[str, Any]
    submitted_by: str
    created_utc: Instant
    queued_utc: Instant | None
    start_time_utc: Instant | None
    end_time_utc: Instant | None
    heartbeat_utc: Instant | None
    archived_utc: Instant | None
    duration_seconds: float | None
    max_run_duration_seconds: int | None
    memory_bytes: int | None
    process_count: int | None
    cpu_seconds: int | None
    file_bytes: int | None
    priority: int
    not_before_utc: Instant | None
    max_retries: int
    retries_lost_workers: bool
    attempt_number: int
    cancel_requested_utc: Instant | None
    cancel_requested_by: str | None
    exit_code: int | None
    exit_signal: int | None
    error: str
    url: str


class RunsOut(Schema):
    """Runs that were made by one request, in its order."""

    items: list[RunOut]


class WaitingOut(Schema):
    """Until when a slot is lent; null where nothing is lent: the other run has ended, or no worker runs this one."""

    lent_until_utc: str | None


class EventOut(Schema):
    """One change of a run's status."""

    from_status: RunStatus | None
    to_status: RunStatus
    at: Instant
    by: str | None
    actor: str
    attempt_number: int
    reason: str


class PointOut(Schema):
    """One point of a series."""

    step: int
    at: Instant
    value: float | None
    text: str
    row: dict[str, Any] | None


class SummaryOut(Schema):
    """A series with its summaries, which skip NaN and infinities."""

    run_id: str
    name: str
    kind: Literal["number", "text", "row", "image", "document"]
    point_count: int
    latest: Any
    latest_step: int | None
    latest_utc: Instant | None
    min: float | None
    max: float | None


class MetricOut(SummaryOut):
    """A series with its first points."""

    points: list[PointOut]


class SeriesOut(SummaryOut):
    """A series with one page of its points."""

    items: list[PointOut]
    next: str | None


class StoredOut(Schema):
    """How many points were stored: none if the batch was there already."""

    stored: int


class LogOut(Schema):
    """One log."""

    name: str
    size_bytes: int
    modified_utc: Instant


class ArtifactOut(Schema):
    """One stored file."""

    path: str
    size_bytes: int
    sha256: str
    created_utc: Instant


class ExperimentOut(Schema):
    """An experiment; its counts are of top-level runs."""

    name: str
    workspace: str
    description: str
    tags: dict[str, str | None]
    created_utc: Instant
    archived_utc: Instant | None
    latest_run_id: str | None
    latest_run_number: int
    latest_submitted_utc: Instant
    run_count: int
    child_run_count: int
    runs_by_status: dict[str, int]
    url: str


class WorkspaceOut(Schema):
    """A workspace, and the reader's role in it."""

    name: str
    description: str
    role: Literal["reader", "contributor", "owner"] | None
    created_utc: Instant
    url: str


class ComputeTargetOut(Schema):
    """A compute target; limits that are null are none."""

    name: str
    description: str
    is_enabled: bool
    refuses_conda_and_docker: bool
    slots: int
    running: int
    queued: int
    workers: int
    max_run_duration_seconds: int | None
    memory_bytes: int | None
    process_count: int | None
    cpu_seconds: int | None
    file_bytes: int | None
    run_as: str


class WorkerOut(Schema):
    """A worker process."""

    id: str
    host: str
    pid: int
    version: str
    compute_targets: list[str]
    is_alive: bool
    has_broker: bool
    refusal: str
    started_utc: Instant
    heartbeat_utc: Instant
    stopped_utc: Instant | None


class TokenOut(Schema):
    """The token of this request, without its secret."""

    name: str
    prefix: str
    created_utc: Instant
    expires_utc: Instant | None


class LoginOut(Schema):
    """A token of the user's, whose secret is shown this once."""

    token: str
    username: str
    expires_utc: Instant | None


class MeOut(Schema):
    """Who asks. `run_id` is set for the token of a run, which is good for that run alone."""

    username: str
    is_admin: bool
    run_id: str | None
    default_workspace: str | None
    token: TokenOut
