"""Lines of a log: windows, numbers and search, read by byte offset and never as a whole.

A log is read in blocks. For each whole block a side file keeps how many lines end
before the block's end, so that the number of a line, or the place of line 4,000,000, costs
one lookup and one block. (Counting per block and not per thousand lines keeps the work
bounded also where a line is as long as the log.) The side file is grown on demand, at
most a budget per call: a log of gigabytes opens at its end at once, before its lines are
counted.
"""

import bisect
import os
from array import array
from dataclasses import dataclass
from pathlib import Path

from runs.storage import files, logs, paths

BLOCK_BYTES = 64 * 1024
WINDOW_BYTES = 128 * 1024
WINDOW_LINES = 1000
# What opening a log may count on the way, some 20 ms; the rest is counted by steps of the second size.
COUNT_BUDGET_BYTES = 32 * 2**20
SEARCH_BUDGET_BYTES = 256 * 2**20
_SEARCH_CHUNK_BYTES = 4 * 2**20
_EXCERPT_BYTES = 400
_ENTRY_BYTES = 8


@dataclass(frozen=True)
class Line:
    """A line, or the piece of a long one that fits a window. `number` is null while lines are not counted."""

    offset: int
    number: int | None
    data: bytes
    # Whether it begins, and ends, where the line does.
    has_start: bool = True
    has_end: bool = True


@dataclass(frozen=True)
class Window:
    """Consecutive lines of a log, from byte `start` to byte `end` of `size_bytes`."""

    start: int
    end: int
    size_bytes: int
    lines: list[Line]

    @property
    def is_counted(self) -> bool:
        """Whether its lines have numbers."""
        return not self.lines or self.lines[0].number is not None


@dataclass(frozen=True)
class Match:
    """A line that holds the words looked for; `excerpt` is the part around the first of them."""

    offset: int
    number: int
    excerpt: bytes


@dataclass(frozen=True)
class Found:
    """What a search found. `resume_at` is where to go on, or null if it saw all."""

    matches: list[Match]
    resume_at: int | None


class LineIndex:
    """The lines of one log. Opening it counts new lines, as far as the budget goes."""

    def __init__(self, run_pk: int, name: str, *, budget_bytes: int = COUNT_BUDGET_BYTES) -> None:
        self._run_pk, self._name = run_pk, name
        self.size_bytes = logs.log_size(run_pk, name)
        self._ends = self._load()
        self._grow(budget_bytes)

    @property
    def counted_bytes(self) -> int:
        """Up to which byte lines can be numbered."""
        counted = len(self._ends) * BLOCK_BYTES
        return self.size_bytes if self.size_bytes - counted < BLOCK_BYTES else counted

    @property
    def is_complete(self) -> bool:
        """Whether all lines are counted."""
        return self.counted_bytes == self.size_bytes

    def number_at(self, offset: int) -> int | None:
        """Return the number, from 1, of the line that holds the byte at `offset`; None if not counted that far."""
        if offset > self.counted_bytes:
            return None
        block = offset // BLOCK_BYTES
        before = self.read(block * BLOCK_BYTES, offset - block * BLOCK_BYTES)
        return self._ended_before(block) + before.count(b"\n") + 1

    def offset_of(self, number: int) -> int | None:
        """Return where the line `number` begins; None if the log has no such line, or it is not counted yet."""
        if number <= 1:
            return 0 if number == 1 and self.size_bytes else None
        block = bisect.bisect_left(self._ends, number - 1)
        start = block * BLOCK_BYTES
        if start >= self.counted_bytes:
            return None
        data, position = self.read(start, BLOCK_BYTES), -1
        for _ in range(number - 1 - self._ended_before(block)):
            position = data.find(b"\n", position + 1)
            if position < 0:
                return None
        offset = start + position + 1
        return offset if offset < self.size_bytes else None

    def _ended_before(self, block: int) -> int:
        return self._ends[block - 1] if block else 0

    def read(self, offset: int, limit: int) -> bytes:
        """Return up to `limit` bytes of the log; of one that is still to come there are none."""
        return logs.read_log(self._run_pk, self._name, offset=offset, limit=limit) if self.size_bytes else b""

    def _path(self) -> Path:
        return paths.join(files.run_folder(self._run_pk) / "lines", self._name)

    def _load(self) -> "array[int]":
        ends: array[int] = array("Q")
        try:
            data = self._path().read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return ends
        ends.frombytes(data[: len(data) // _ENTRY_BYTES * _ENTRY_BYTES])
        # More blocks than the log has: it was replaced, so what was counted is void.
        return ends if len(ends) * BLOCK_BYTES <= self.size_bytes else array("Q")

    def _grow(self, budget_bytes: int) -> None:
        known = len(self._ends)
        missing = self.size_bytes // BLOCK_BYTES - known
        for _ in range(min(missing, budget_bytes // BLOCK_BYTES)):
            block = self.read(len(self._ends) * BLOCK_BYTES, BLOCK_BYTES)
            self._ends.append(self._ended_before(len(self._ends)) + block.count(b"\n"))
        if len(self._ends) == known:
            return
        # Two processes that count at once write the same numbers to the same places.
        target = self._path()
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        try:
            os.pwrite(descriptor, self._ends[known:].tobytes(), known * _ENTRY_BYTES)
            if os.fstat(descriptor).st_size > len(self._ends) * _ENTRY_BYTES and known == 0:
                os.ftruncate(descriptor, len(self._ends) * _ENTRY_BYTES)
        finally:
            os.close(descriptor)


def window_from(run_pk: int, name: str, offset: int, *, index: LineIndex | None = None) -> Window:
    """Return the lines from byte `offset` on, as many as a window takes; none of a log that is still to come.

    An offset within a line begins with the rest of that line.
    """
    index = index or LineIndex(run_pk, name)
    start = min(max(offset, 0), index.size_bytes)
    data = index.read(start, min(WINDOW_BYTES, index.size_bytes - start))
    is_all = start + len(data) >= index.size_bytes
    if not is_all:
        data = data[: _whole(data)]
    return _cut(index, run_pk, name, start, data, from_end=False)


def window_before(run_pk: int, name: str, offset: int, *, index: LineIndex | None = None) -> Window:
    """Return the lines that end at byte `offset`, as many as a window takes; none of a log that is still to come."""
    index = index or LineIndex(run_pk, name)
    end = min(max(offset, 0), index.size_bytes)
    start = max(0, end - WINDOW_BYTES)
    data = index.read(start, end - start)
    if start:
        cut = data.find(b"\n") + 1
        # A line longer than a window: begin within it, but not within a character.
        cut = cut if 0 < cut < len(data) else _first_character(data)
        start, data = start + cut, data[cut:]
    return _cut(index, run_pk, name, start, data, from_end=True)


def tail(run_pk: int, name: str, *, index: LineIndex | None = None) -> Window:
    """Return the last lines of a log; none of one that is still to come."""
    index = index or LineIndex(run_pk, name)
    return window_before(run_pk, name, index.size_bytes, index=index)


def read_before(run_pk: int, name: str, offset: int, limit: int) -> bytes:
    """Return up to `limit` bytes that end at `offset`: what a reader of the next line must know, such as its color."""
    start = max(0, offset - limit)
    return logs.read_log(run_pk, name, offset=start, limit=offset - start) if offset else b""


def search(run_pk: int, name: str, words: str, *, start: int = 0, limit: int = 200) -> Found:
    """Return the lines from byte `start` on that hold `words`; letters of ASCII match in either case.

    Stops after `limit` lines or a budget of bytes, and says where to go on.
    """
    needle = words.encode().lower()
    index = LineIndex(run_pk, name, budget_bytes=SEARCH_BUDGET_BYTES)
    offset = line_start = min(max(start, 0), index.counted_bytes)
    number = index.number_at(offset) or 1
    stop = min(index.size_bytes, offset + SEARCH_BUDGET_BYTES)
    matches: list[Match] = []
    while offset < stop:
        # Overlap by all but one byte, so that words across two chunks are seen, and only once.
        data = logs.read_log(run_pk, name, offset=offset, limit=_SEARCH_CHUNK_BYTES + len(needle) - 1)
        fresh, seen = min(len(data), _SEARCH_CHUNK_BYTES), 0
        low = data.lower()
        position = low.find(needle)
        while 0 <= position < fresh:
            number += data.count(b"\n", seen, position)
            line_start = _line_start(data, seen, position, offset, line_start)
            seen = position
            if len(matches) == limit:
                return Found(matches, line_start)
            # A line longer than a chunk is listed once.
            if not matches or matches[-1].offset != line_start:
                matches.append(Match(line_start, number, _excerpt(run_pk, name, line_start, offset + position)))
            line_end = data.find(b"\n", position)
            position = low.find(needle, line_end) if line_end >= 0 else -1
        number += data.count(b"\n", seen, fresh)
        line_start = _line_start(data, seen, fresh, offset, line_start)
        offset += fresh
    return Found(matches, offset if offset < index.size_bytes else None)


def _line_start(data: bytes, seen: int, position: int, offset: int, line_start: int) -> int:
    """Return where the line of data[position] begins, given where the one of data[seen] does."""
    newline = data.rfind(b"\n", seen, position)
    return offset + newline + 1 if newline >= 0 else line_start


def _excerpt(run_pk: int, name: str, line_start: int, position: int) -> bytes:
    """Return the part of a line around the byte at `position`."""
    start = max(line_start, position - _EXCERPT_BYTES // 4)
    data = logs.read_log(run_pk, name, offset=start, limit=_EXCERPT_BYTES)
    return data[_first_character(data) if start > line_start else 0 :].split(b"\n", 1)[0]


def _cut(index: LineIndex, run_pk: int, name: str, start: int, data: bytes, *, from_end: bool) -> Window:
    pieces = _split(data)
    if len(pieces) > WINDOW_LINES:
        kept = pieces[-WINDOW_LINES:] if from_end else pieces[:WINDOW_LINES]
        start += sum(map(len, pieces[:-WINDOW_LINES])) if from_end else 0
        pieces = kept
    number = index.number_at(start)
    starts_line = start == 0 or logs.read_log(run_pk, name, offset=start - 1, limit=1) == b"\n"
    lines, offset = [], start
    for piece in pieces:
        lines.append(Line(offset, number, piece.removesuffix(b"\n"), starts_line, piece.endswith(b"\n")))
        offset += len(piece)
        number = number + 1 if number is not None else None
        starts_line = True
    return Window(start, offset, index.size_bytes, lines)


def _split(data: bytes) -> list[bytes]:
    """Split after newlines only; bytes.splitlines would also split at carriage returns."""
    pieces = data.split(b"\n")
    return [piece + b"\n" for piece in pieces[:-1]] + ([pieces[-1]] if pieces[-1] else [])


def _whole(data: bytes) -> int:
    """Return the length of `data` up to its last whole line, or, if it has none, its last whole character."""
    newline = data.rfind(b"\n") + 1
    if newline:
        return newline
    end = len(data)
    for back in range(1, min(4, end) + 1):
        byte = data[end - back]
        if byte < 0x80:
            return end
        if byte >= 0xC0:
            length = 2 if byte < 0xE0 else 3 if byte < 0xF0 else 4
            return end if back >= length else end - back
    return end


def _first_character(data: bytes) -> int:
    """Return the index of the first byte that is no rest of a UTF-8 character."""
    return next((i for i, byte in enumerate(data[:4]) if byte & 0xC0 != 0x80), 0)
