"""What is wrong with a pipeline: all of it at once, each with its step, its field and its line. Pure."""

import difflib
from collections.abc import Iterable
from dataclasses import dataclass

from runs.errors import InvalidInput
from runs.wording import chain, say

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

    @property
    def sentence(self) -> str:
        """Return the message with its place before it."""
        if self.line:
            return say("{place} (line {line}): {message}", place=self.place, line=self.line, message=self.message)
        return chain([f"{self.place}:", self.message]) if self.place else self.message

    def __str__(self) -> str:
        return str(self.sentence)


class BadPipeline(InvalidInput):
    """This is no pipeline that can run."""

    code = "bad_pipeline"

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        told = [problem.sentence for problem in self.problems[:_TOLD]]
        if len(self.problems) > _TOLD:
            told.append(say("And {count} more.", count=len(self.problems) - _TOLD))
        super().__init__(chain(told), field=self.problems[0].place)


def nearest(word: str, names: Iterable[str], otherwise: str = "") -> str:
    """Return the end of a sentence about a wrong `word`: the name nearest to it, or `otherwise`."""
    found = difflib.get_close_matches(word, list(names), n=1, cutoff=0.6)
    return say("; did you mean {name!r}?", name=found[0]) if found else say("{otherwise}.", otherwise=otherwise)
