"""Which files of a folder stay behind: `.amlignore`, else `.gitignore`, in git's syntax. The server checks again."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

# Never source code, whatever the files say.
_NEVER = frozenset({".git", "__pycache__"})


class Rule(NamedTuple):
    """One line of an ignore file."""

    pattern: re.Pattern[str]
    keeps: bool
    folders_only: bool


def kept_files(root: Path) -> Iterator[str]:
    """Yield the files of a folder that are not ignored, as sorted relative paths with slashes.

    Virtual environments are left out; links to folders are not followed.
    """
    name = ".amlignore" if (root / ".amlignore").is_file() else ".gitignore"
    yield from _walk(root, "", name, [])


def keeps(root: Path, path: str) -> bool:
    """Return whether `kept_files` would yield `path` if it were there: it may be one that was deleted."""
    name = ".amlignore" if (root / ".amlignore").is_file() else ".gitignore"
    rules: list[tuple[str, list[Rule]]] = []
    parts = path.split("/")
    for depth, part in enumerate(parts):
        folder, here = "/".join(parts[:depth]), "/".join(parts[: depth + 1])
        if (root / folder / name).is_file():
            rules.append((folder, read(root / folder / name)))
        is_folder = depth < len(parts) - 1
        if part in _NEVER or _is_ignored(here, is_folder, rules) or (root / here / "pyvenv.cfg").is_file():
            return False
    return True


def _walk(root: Path, folder: str, name: str, above: list[tuple[str, list[Rule]]]) -> Iterator[str]:
    here = root / folder
    rules = above
    if (here / name).is_file():
        rules = [*above, (folder, read(here / name))]
    for entry in sorted(os.scandir(here), key=lambda each: each.name):
        path = f"{folder}/{entry.name}" if folder else entry.name
        is_folder = entry.is_dir(follow_symlinks=False)
        if entry.name in _NEVER or _is_ignored(path, is_folder, rules):
            continue
        if is_folder:
            if not os.path.isfile(os.path.join(entry.path, "pyvenv.cfg")):
                yield from _walk(root, path, name, rules)
        elif entry.is_file():
            yield path


def _is_ignored(path: str, is_folder: bool, rules: list[tuple[str, list[Rule]]]) -> bool:
    """Ask the files from the deepest folder up; in each the last line that matches decides."""
    for folder, lines in reversed(rules):
        inside = path[len(folder) + 1 :] if folder else path
        for rule in reversed(lines):
            if (is_folder or not rule.folders_only) and rule.pattern.fullmatch(inside):
                return not rule.keeps
    return False


def read(file: Path) -> list[Rule]:
    """Return the rules of an ignore file."""
    return [rule for rule in map(_rule, file.read_text(encoding="utf-8", errors="replace").splitlines()) if rule]


def _rule(line: str) -> Rule | None:
    line = re.sub(r"(?<!\\)\s+$", "", line)
    if not line or line.startswith("#"):
        return None
    keeps = line.startswith("!")
    line = line[1:] if keeps else line
    folders_only = line.endswith("/")
    line = line.rstrip("/")
    if not line:
        return None
    anchored = "/" in line
    expression = _expression(line.lstrip("/"))
    return Rule(re.compile(expression if anchored else f"(?:.*/)?{expression}", re.DOTALL), keeps, folders_only)


_PIECES = re.compile(
    r"(?P<deep>\*\*/)|(?P<end>(?<=/)\*\*$)|(?P<many>\*+)|(?P<one>\?)|(?P<set>\[[!^]?\]?[^\]]*\])|\\(?P<escaped>.)|(?P<plain>.)",
    re.DOTALL,
)


def _expression(pattern: str) -> str:
    parts = []
    for piece in _PIECES.finditer(pattern):
        if piece["deep"]:
            parts.append("(?:.*/)?")
        elif piece["end"]:
            parts.append(".+")
        elif piece["many"]:
            parts.append("[^/]*")
        elif piece["one"]:
            parts.append("[^/]")
        elif piece["set"]:
            inner = piece["set"][1:-1]
            negated = inner[:1] in "!^" and inner[:1] != ""
            inner = (inner[1:] if negated else inner).replace("\\", "\\\\").replace("[", "\\[")
            parts.append(f"(?!/)[{'^' if negated else ''}{inner}]")
        else:
            parts.append(re.escape(piece["escaped"] or piece["plain"] or "\\"))
    return "".join(parts)
