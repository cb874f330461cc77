"""The code of a comparison: which files of the snapshots differ, and one file as a diff."""

import difflib
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, field

from runs import storage
from runs.models import Run

_SHOWN_FILES = 200
# A diff compares line with line: what is longer takes too long.
_DIFF_BYTES = 200_000
_DIFF_LINES = 3_000
_CONTEXT = 3


@dataclass(frozen=True)
class CodeFile:
    """One path: for each run the number of its version, the first being 1; 0 where it is missing."""

    path: str
    versions: list[int]

    @property
    def differs(self) -> bool:
        """Return whether it is not the same everywhere."""
        return len(set(self.versions)) > 1


@dataclass(frozen=True)
class DiffLine:
    """One line of a diff: `kind` is same, added, removed or place."""

    kind: str
    text: str
    old: int | None = None
    new: int | None = None


@dataclass(frozen=True)
class Diff:
    """How a file differs between two runs. Without `lines` it is too long, or no text."""

    path: str
    old: Run
    new: Run
    lines: list[DiffLine] = field(default_factory=list)
    is_text: bool = True


@dataclass(frozen=True)
class Code:
    """The files of all runs, those that differ first among them."""

    files: list[CodeFile]
    alike_count: int
    # Runs whose code is not here.
    without: list[Run]


def read(runs: Sequence[Run]) -> Code:
    """Return the files of the snapshots. A snapshot that several share is read once."""
    contents: dict[str, dict[str, int]] = {}
    for run in runs:
        if run.snapshot and run.snapshot.digest not in contents and storage.has_snapshot(run.snapshot.digest):
            with storage.open_snapshot(run.snapshot.digest) as handle, zipfile.ZipFile(handle) as opened:
                contents[run.snapshot.digest] = {info.filename: info.CRC for info in opened.infolist()}
    held = [contents.get(run.snapshot.digest) if run.snapshot else None for run in runs]
    if len(contents) < 2:
        alike_count = sum(map(len, contents.values()))
        return Code([], alike_count, _without(runs, held))
    files = []
    for path in sorted(set().union(*contents.values())):
        sums = [members.get(path) if members else None for members in held]
        numbers = {
            checksum: number for number, checksum in enumerate(dict.fromkeys(s for s in sums if s is not None), 1)
        }
        files.append(CodeFile(path, [numbers[s] if s is not None else 0 for s in sums]))
    known = [place for place, members in enumerate(held) if members is not None]
    differing = [file for file in files if len({file.versions[place] for place in known}) > 1]
    return Code(differing[:_SHOWN_FILES], len(files) - len(differing), _without(runs, held))


def diff(path: str, old: Run, new: Run) -> Diff:
    """Return how the file `path` of `new` differs from that of `old`; one that is missing counts as empty."""
    texts = [_text(run, path) for run in (old, new)]
    if any(text is None for text in texts):
        return Diff(path, old, new, is_text=False)
    before, after = [(text or "").splitlines() for text in texts]
    if max(len(before), len(after)) > _DIFF_LINES:
        return Diff(path, old, new)
    lines: list[DiffLine] = []
    for group in difflib.SequenceMatcher(None, before, after, autojunk=False).get_grouped_opcodes(_CONTEXT):
        lines.append(DiffLine("place", f"@@ {group[0][1] + 1} → {group[0][3] + 1}"))
        for kind, old_from, old_to, new_from, new_to in group:
            if kind == "equal":
                lines += [
                    DiffLine("same", before[old_from + n], old_from + n + 1, new_from + n + 1)
                    for n in range(old_to - old_from)
                ]
                continue
            lines += [DiffLine("removed", before[n], old=n + 1) for n in range(old_from, old_to)]
            lines += [DiffLine("added", after[n], new=n + 1) for n in range(new_from, new_to)]
    return Diff(path, old, new, lines)


def _without(runs: Sequence[Run], held: Sequence[dict[str, int] | None]) -> list[Run]:
    return [run for run, members in zip(runs, held, strict=True) if members is None]


def _text(run: Run, path: str) -> str | None:
    """Return the file's text, or None if it is too long or no text."""
    if run.snapshot is None or not storage.has_snapshot(run.snapshot.digest):
        return ""
    with storage.open_snapshot(run.snapshot.digest) as handle, zipfile.ZipFile(handle) as opened:
        try:
            with opened.open(path) as member:
                data = member.read(_DIFF_BYTES + 1)
        except KeyError:
            return ""
    if len(data) > _DIFF_BYTES or b"\x00" in data:
        return None
    return data.decode("utf-8", "replace")
