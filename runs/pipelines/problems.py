"""What is wrong with a pipeline: all of it at once, each with its step, its field and its line. Pure."""

import difflib
from collections.abc import Iterable
from dataclasses import dataclass

from runs.errors import InvalidInput

_TOLD = 5


@dataclass(frozen=True)
class Problem:
    """One thing to correct. `step` is empty for what concerns the whole pipeline; `line` is None without a text."""

    step: str
    line: int | None
    field: str
    message: str

    @property
    def place(self) -> str:
        """Return the way to the field, such as `steps.train.inputs.table`."""
        return ".".join(filter(None, ["steps" if self.step else "", self.step, self.field]))

    def __str__(self) -> str:
        where = f"{self.place} (line {self.line})" if self.line else self.place
        return f"{where}: {self.message}" if where else self.message


class BadPipeline(InvalidInput):
    """This is no pipeline that can run."""

    code = "bad_pipeline"

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        told = [str(problem) for problem in self.problems[:_TOLD]]
        if len(self.problems) > _TOLD:
            told.append(f"And {len(self.problems) - _TOLD} more.")
        super().__init__(" ".join(told), field=self.problems[0].place)


def nearest(word: str, names: Iterable[str], otherwise: str = "") -> str:
    """Return the end of a sentence about a wrong `word`: the name nearest to it, or `otherwise`."""
    found = difflib.get_close_matches(word, list(names), n=1, cutoff=0.6)
    return f"; did you mean {found[0]!r}?" if found else f"{otherwise}."
