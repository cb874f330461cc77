"""Paths that come from outside. Everything that names a stored file passes `check_path` first."""

import os
import re
from pathlib import Path

from runs import limits
from runs.errors import RunsError
from runs.wording import say

# Escapes that are still escapes after the one decoding that HTTP does: somebody decodes twice (CVE-2024-1560).
_ESCAPED = re.compile(r"%(2e|2f|5c|00|25)", re.IGNORECASE)
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_DRIVE = re.compile(r"[A-Za-z]:")
_PART_BYTES = 255


class BadPath(RunsError):
    """This path is not allowed: expected a relative path such as `outputs/model.pkl`."""

    code = "bad_path"


def check_path(path: str, *, field: str = "path") -> str:
    """Return `path` if it is a plain relative path in its one normal form, else raise BadPath.

    Refused are: empty and absolute paths, `.` and `..` parts, empty parts, backslashes,
    drive letters, control characters, left-over percent escapes of these, a leading `~`,
    and parts or paths that are too long. Nothing is repaired: a path has one spelling.
    """

    def refuse(why: str) -> BadPath:
        return BadPath(say("{path!r} is not allowed as a path: {why}.", path=path[:100], why=why), field=field)

    if not path:
        raise BadPath(say("The path is empty: expected a relative path such as `outputs/model.pkl`."), field=field)
    if len(path) > limits.ARTIFACT_PATH_LENGTH:
        raise refuse(say("it is longer than {most} characters", most=limits.ARTIFACT_PATH_LENGTH))
    if _CONTROL.search(path):
        raise refuse(say("it holds a control character"))
    if "\\" in path:
        raise refuse(say("it holds a backslash"))
    if _ESCAPED.search(path):
        raise refuse(say("it holds a percent escape"))
    if path.startswith(("/", "~")) or _DRIVE.match(path):
        raise refuse(say("it is not relative"))
    try:
        parts = [(part, part.encode()) for part in path.split("/")]
    except UnicodeEncodeError:
        raise refuse(say("it is not valid Unicode")) from None
    for part, encoded in parts:
        if part in ("", ".", ".."):
            raise refuse(say("it has the part {part!r}", part=part))
        if len(encoded) > _PART_BYTES:
            raise refuse(say("it has a part of more than {most} bytes", most=_PART_BYTES))
    return path


def join(root: Path, path: str) -> Path:
    """Return `path` below `root`, or raise BadPath; also where a link on the way leads out of `root`."""
    joined = root / check_path(path)
    # Without a link on the way it leads nowhere else, and the way to `root` need not be looked at.
    if _has_link(root, path) and not os.path.realpath(joined).startswith(os.path.realpath(root) + os.sep):
        raise BadPath(say("{path!r} leads out of its folder.", path=path[:100]), field="path")
    return joined


def _has_link(root: Path, path: str) -> bool:
    place = str(root)
    for part in path.split("/"):
        place = f"{place}{os.sep}{part}"
        if os.path.islink(place):  # noqa: PTH114 - a tenth of the time, on the way of every byte
            return True
    return False
