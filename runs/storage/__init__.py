"""Where bytes live: logs, artifacts, snapshots. The only door to the disk for what runs leave.

Bytes go in and come out; no path leaves this room. On one machine the bytes are files
under STUDIO_HOME. A run's folder is named by its row's number, never by text that a
person chose.
"""

from runs.storage.artifacts import delete_artifact, open_artifact, save_artifact
from runs.storage.files import Stored, delete_run
from runs.storage.logs import OffsetGap, append_log, attempt_path, list_logs, log_size, read_log
from runs.storage.paths import BadPath, check_path
from runs.storage.snapshots import has_snapshot, open_snapshot, save_snapshot

__all__ = [
    "BadPath",
    "OffsetGap",
    "Stored",
    "append_log",
    "attempt_path",
    "check_path",
    "delete_artifact",
    "delete_run",
    "has_snapshot",
    "list_logs",
    "log_size",
    "open_artifact",
    "open_snapshot",
    "read_log",
    "save_artifact",
    "save_snapshot",
]
