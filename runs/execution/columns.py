"""Samples in a fixed number of slots, however long they come: when all are full, neighbors are merged. Pure."""

from collections.abc import Mapping
from typing import Any

SLOTS = 600


class Columns:
    """Columns of means and peaks over equal stretches of time."""

    def __init__(self, *, interval: float, began: float) -> None:
        self.interval = interval
        self.began = began
        self.columns: dict[str, list[list[float] | None]] = {}
        # Of each name: the sum, the count and the peak of the samples that wait for their slot's end.
        self._pending: dict[str, tuple[float, int, float]] = {}
        self._slot = 0

    def add(self, sample: Mapping[str, float], *, at: float) -> None:
        """Take in one sample. Names may come and go: a slot without one holds nothing."""
        slot = max(self._slot, int((at - self.began) / self.interval))
        if slot != self._slot:
            self._close()
            self._slot = slot
            while self._slot >= SLOTS:
                self._merge()
        for name, value in sample.items():
            total, count, peak = self._pending.get(name, (0.0, 0, value))
            self._pending[name] = (total + value, count + 1, max(peak, value))

    def document(self) -> dict[str, Any]:
        """Return everything, the slot that is not full included."""
        copied = Columns(interval=self.interval, began=self.began)
        copied.columns = {name: list(column) for name, column in self.columns.items()}
        copied._pending, copied._slot = dict(self._pending), self._slot
        copied._close()
        return {"interval": self.interval, "began": self.began, "columns": copied.columns}

    def _close(self) -> None:
        """Put what waits into its slot."""
        for name, (total, count, peak) in self._pending.items():
            column = self.columns.setdefault(name, [])
            column += [None] * (self._slot - len(column))
            slot = [_short(total / count), _short(peak)]
            # After a merge the slot may hold something already.
            column[self._slot :] = [_merged([*filter(None, column[self._slot :]), slot])]
        self._pending = {}

    def _merge(self) -> None:
        """Make one of every two slots."""
        self.interval *= 2
        self._slot //= 2
        for name, column in self.columns.items():
            pairs = [column[place : place + 2] for place in range(0, len(column), 2)]
            self.columns[name] = [_merged([slot for slot in pair if slot is not None]) for pair in pairs]


def _merged(slots: list[list[float]]) -> list[float] | None:
    if not slots:
        return None
    return [_short(sum(slot[0] for slot in slots) / len(slots)), max(slot[1] for slot in slots)]


def _short(value: float) -> float:
    """Return four significant digits: the row is written again and again."""
    return float(f"{value:.4g}")
