"""What git says of a source folder: where its code is from, and what was changed in it since."""

from __future__ import annotations

import os
import re
import subprocess
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from studio_sdk import ignore_files

# So much of a patch is kept (the server takes no more), of so many files, looked for so long.
PATCH_BYTES = 1 << 20
_NOTE_BYTES = 8 << 10
_PATCH_FILES = 500
_SECONDS = 10.0

# A repository may name programs in its own configuration, which git would start. The rest makes a patch
# read and apply alike, whatever the person's own configuration says.
_SAFE = ["-c", "core.fsmonitor=false", "-c", "diff.noprefix=false", "-c", "diff.mnemonicPrefix=false"]
_DIFF = ["diff", "--no-ext-diff", "--no-textconv", "--no-color", "--no-renames", "--ignore-submodules=dirty"]
_DIFF += ["--relative", "HEAD"]


def properties(folder: Path) -> dict[str, str]:
    """Return commit, branch, remote and whether there are changes, as properties; nothing outside a repository."""
    commit = _text(folder, "rev-parse", "HEAD")
    if not commit:
        return {}
    found = {
        "azureml.git.repository_uri": re.sub(r"(?<=://)[^/@]*@", "", _text(folder, "remote", "get-url", "origin")),
        "azureml.git.branch": _text(folder, "symbolic-ref", "--short", "HEAD"),
        "azureml.git.commit": commit,
        "azureml.git.dirty": str(bool(_text(folder, "status", "--porcelain", "--", "."))),
    }
    return {key: value for key, value in found.items() if value}


def patch(folder: Path) -> bytes:
    """Return what was changed since the commit, as a patch that `git apply` takes; nothing if git knows of none.

    In it is only what a snapshot would hold: a file that an ignore file names stays behind, though
    git tracks it. A file whose changes do not fit is left out whole, and a line at the top says so.
    """
    ends_at = time.monotonic() + _SECONDS
    listed = _output(folder, [*_DIFF, "--name-only", "-z", "--", "."], limit=64 << 20, ends_at=ends_at) or b""
    names = [name for name in os.fsdecode(listed).split("\0") if name and ignore_files.keeps(folder, name)]
    changes: list[bytes] = []
    left_out, left = names[_PATCH_FILES:], PATCH_BYTES - _NOTE_BYTES
    for name in names[:_PATCH_FILES]:
        change = _output(folder, [*_DIFF, "--binary", "--", name], limit=left, ends_at=ends_at)
        if change is None:
            left_out.append(name)
        else:
            changes.append(change)
            left -= len(change)
    return _note(left_out) + b"".join(changes)


def _note(left_out: list[str]) -> bytes:
    """Return the line at the top of a patch, which git passes over, that names what is not in it."""
    if not left_out:
        return b""
    names = ", ".join(name.replace("\n", "?") for name in left_out)
    note = f"# Left out of this patch, which holds {PATCH_BYTES >> 20} MiB at most: {names}".encode("utf-8", "replace")
    return (note if len(note) < _NOTE_BYTES else note[: _NOTE_BYTES - 10] + b" ...") + b"\n"


def _text(folder: Path, *arguments: str) -> str:
    output = _output(folder, arguments, limit=1 << 20, ends_at=time.monotonic() + _SECONDS)
    return (output or b"").decode("utf-8", "replace").strip()


def _output(folder: Path, arguments: Sequence[str], *, limit: int, ends_at: float) -> bytes | None:
    """Return what git prints; None if it fails, prints more than `limit` bytes, or is not done at `ends_at`."""
    environment = {**os.environ, "GIT_TERMINAL_PROMPT": "0", "GIT_OPTIONAL_LOCKS": "0", "GIT_LITERAL_PATHSPECS": "1"}
    try:
        git = subprocess.Popen(
            ["git", *_SAFE, *arguments],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
    except OSError:
        return None
    killer = threading.Timer(max(0.0, ends_at - time.monotonic()), git.kill)
    killer.start()
    with git:
        assert git.stdout is not None  # noqa: S101 - it is a pipe
        output = git.stdout.read(limit + 1)
        if len(output) > limit:
            git.kill()
    killer.cancel()
    return output if git.returncode == 0 and len(output) <= limit else None
