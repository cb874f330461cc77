"""What MLflow says of a run, in the words of this product."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

Document = dict[str, Any]

# These tags say what a run has as fields here.
NAME, NOTE, PARENT, USER = "mlflow.runName", "mlflow.note.content", "mlflow.parentRunId", "mlflow.user"
_STATUSES = {"FINISHED": "Completed", "FAILED": "Failed", "KILLED": "Canceled"}
# What is longer is cut, as MLflow's own server does.
_NAME_LENGTH, _NOTE_LENGTH, _TAG_LENGTH, _PARAM_LENGTH = 256, 50_000, 8_000, 6_000
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


def tracked_run(run: Document, *, parent_id: str) -> Document:
    """Return the run as an import sends it; `parent_id` is that of its parent, if that is here too."""
    info, tags = run["info"], tags_of(run)
    started = int(info.get("start_time") or info.get("end_time") or 0)
    tracked: Document = {
        "run_id": info["run_id"],
        "parent_run_id": parent_id,
        "display_name": (info.get("run_name") or tags.get(NAME, ""))[:_NAME_LENGTH],
        "description": tags.get(NOTE, "")[:_NOTE_LENGTH],
        "status": _STATUSES.get(info["status"], "Running"),
        "started_utc": instant(started),
        "tags": own_tags(run, has_parent=bool(parent_id)),
        "params": params_of(run),
    }
    if has_ended(run):
        tracked["ended_utc"] = instant(int(info.get("end_time") or started))
    return tracked


def own_tags(run: Document, *, has_parent: bool) -> dict[str, str]:
    """Return the tags that are tags here too."""
    held = {name: value for name, value in cut_tags(run["data"].get("tags", [])).items() if name not in (NAME, NOTE)}
    if has_parent:
        held.pop(PARENT, None)
    if run["info"].get("user_id"):
        held.setdefault(USER, run["info"]["user_id"])
    return held


def parent_of(run: Document) -> str:
    """Return the id of the run's parent; empty if it has none."""
    return tags_of(run).get(PARENT, "")


def cut_tags(items: list[Document]) -> dict[str, str]:
    """Return tags as they fit here; notes are longer."""
    lengths = {NOTE: _NOTE_LENGTH}
    return {name: value[: lengths.get(name, _TAG_LENGTH)] for name, value in pairs(items).items()}


def tags_of(run: Document) -> dict[str, str]:
    """Return all tags of a run."""
    return pairs(run["data"].get("tags", []))


def params_of(run: Document) -> dict[str, str]:
    """Return the params of a run."""
    return {name: value[:_PARAM_LENGTH] for name, value in pairs(run["data"].get("params", [])).items()}


def has_ended(run: Document) -> bool:
    """Return whether a run has ended."""
    return run["info"]["status"] in _STATUSES


def is_settled(run: Document) -> bool:
    """Return whether a run stays as it is: it has ended, or was deleted."""
    return has_ended(run) or is_deleted(run)


def is_deleted(run: Document) -> bool:
    """Return whether a run lies in the store's trash."""
    return bool(run["info"].get("lifecycle_stage") == "deleted")


def instant(milliseconds: int) -> str:
    """Return the time of so many milliseconds since 1970."""
    return (_EPOCH + timedelta(milliseconds=milliseconds)).isoformat()


def pairs(items: list[Document]) -> dict[str, str]:
    """Return a list of {key, value} by key."""
    return {item["key"]: item.get("value", "") for item in items}
