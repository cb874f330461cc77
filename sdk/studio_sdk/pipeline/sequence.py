"""Steps in order: which of them wait for which others."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, List, Optional, Union

from studio_sdk.exceptions import UserErrorException
from studio_sdk.pipeline.steps import Step


class StepSequence:
    """Steps that run one after the other; those in a list of their own run side by side.

    >>> StepSequence(steps=[[prepare, fetch], train])
    """

    def __init__(self, steps: Optional[List[Union[Step, List[Step]]]] = None) -> None:
        self._groups = [list(_flat(each)) for each in steps or []]
        for before, after in zip(self._groups, self._groups[1:]):
            for step in after:
                for earlier in before:
                    step.run_after(earlier)

    def __iter__(self) -> Iterator[Step]:
        return (step for group in self._groups for step in group)


def closure(steps: Any) -> List[Step]:
    """Return the steps with all that they wait for, the earlier ones first."""
    found: List[Step] = []
    seen: set[Step] = set()
    # By hand: a long chain would be too deep for a recursion. A cycle is the server's to name.
    waiting = [(step, False) for step in reversed(list(_flat(steps)))]
    while waiting:
        step, are_parents_in = waiting.pop()
        if are_parents_in:
            found.append(step)
        elif step not in seen:
            seen.add(step)
            waiting.append((step, True))
            waiting += [(parent, False) for parent in reversed(step._parents())]
    return found


def flat(steps: Any) -> List[Step]:
    """Return the steps of nested lists and sequences, each once."""
    return list(dict.fromkeys(_flat(steps)))


def _flat(given: Any) -> Iterator[Step]:
    if isinstance(given, Step):
        yield given
    elif isinstance(given, (list, tuple, StepSequence)):
        for each in given:
            yield from _flat(each)
    else:
        raise UserErrorException(f"A {type(given).__name__} is no step of a pipeline.")
