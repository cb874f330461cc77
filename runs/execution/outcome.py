"""How an attempt ended, in memory and as a file that outlives the supervisor (the spool)."""

import dataclasses
import json
import logging
import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path

from runs.execution import host
from runs.models import Attempt
from runs.status import RunStatus

logger = logging.getLogger(__name__)


class Retry(StrEnum):
    """Why another attempt may be worth it."""

    NO = ""
    FAILURE = "failure"
    LOST = "lost"
    NEVER_STARTED = "never started"


@dataclass(frozen=True)
class Outcome:
    """What became of an attempt: the terminal status it earned, and why."""

    status: RunStatus
    # Empty where the run's own reason stands: that of a cancel.
    reason: str = ""
    error: str = ""
    exit_code: int | None = None
    exit_signal: int | None = None
    stop_signal: int | None = None
    stop_seconds: float | None = None
    retry: Retry = Retry.NO
    # When the script started, if it did, in ISO 8601.
    started_at: str = ""

    @property
    def script_started_at(self) -> datetime | None:
        """Return when the script started, if it did."""
        return datetime.fromisoformat(self.started_at) if self.started_at else None

    def with_loss(self, lost_bytes: int) -> "Outcome":
        """Return the outcome that also says what of the log found no room, where the log itself cannot."""
        if not lost_bytes:
            return self
        return self.with_remark(f"{lost_bytes} bytes of its log were lost: no room on the disk.")

    def with_remark(self, remark: str) -> "Outcome":
        """Return the outcome whose reason ends with `remark`."""
        return dataclasses.replace(self, reason=f"{self.reason} {remark}".strip())


def save(attempt: Attempt, outcome: Outcome) -> None:
    """Write the outcome to this machine's spool, whole or not at all."""
    target = _path(attempt.pk)
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = target.with_suffix(".draft")
    draft.write_text(json.dumps(dataclasses.asdict(outcome)))
    draft.replace(target)


def load(attempt_id: int) -> Outcome | None:
    """Return the spooled outcome of an attempt, or None where there is none that can be read."""
    try:
        fields = json.loads(_path(attempt_id).read_text())
        return Outcome(**{**fields, "status": RunStatus(fields["status"]), "retry": Retry(fields["retry"])})
    except FileNotFoundError:
        return None
    except (ValueError, TypeError, KeyError):
        logger.exception("The spooled outcome of attempt %s cannot be read.", attempt_id)
        return None


def spooled_seconds(attempt_id: int) -> float:
    """Return how long an outcome has been in the spool; for ever where none could be put there."""
    try:
        return time.time() - _path(attempt_id).stat().st_mtime
    except FileNotFoundError:
        return math.inf


def forget(attempt_id: int) -> None:
    """Remove an outcome from the spool. Doing it again does nothing."""
    _path(attempt_id).unlink(missing_ok=True)


def spooled() -> Iterator[int]:
    """Return the ids of the attempts whose outcomes wait in this machine's spool."""
    return (int(path.stem) for path in sorted(host.spool_folder().glob("*.json")))


def _path(attempt_id: int) -> Path:
    return host.spool_folder() / f"{attempt_id}.json"
