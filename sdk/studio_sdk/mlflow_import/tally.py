"""How much there is of what: counted as it is read from the store, and compared with what the server counts."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

COUNTED = ("experiments", "runs", "params", "tags", "metrics", "points", "datasets", "models", "files", "bytes")


@dataclass
class Tally:
    """The counts of both sides, how far it is, and what was refused."""

    there: Counter[str] = field(default_factory=Counter)
    here: Counter[str] = field(default_factory=Counter)
    runs_done: int = 0
    points_done: int = 0
    refusals: list[str] = field(default_factory=list)

    def refuse(self, what: str, why: object) -> None:
        """Note what could not be taken, and why."""
        self.refusals.append(f"{what}: {why}")

    def rows(self) -> list[tuple[str, int, int]]:
        """Return what was counted, there and here."""
        return [(name, self.there[name], self.here[name]) for name in COUNTED]

    @property
    def is_complete(self) -> bool:
        """Whether all that is there is here."""
        return not self.refusals and all(there == here for _, there, here in self.rows())

    @property
    def progress(self) -> str:
        """How far it is, in a line."""
        mebibytes = self.there["bytes"] / 2**20
        return (
            f"{self.runs_done:,} of {self.there['runs']:,} runs; {self.points_done:,} points sent;"
            f" {self.there['files']:,} files, {mebibytes:,.1f} MiB"
        )
