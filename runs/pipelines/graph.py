"""The graph of a pipeline, as ids, the ids before each, and statuses. Pure: no rows, no definitions.

`parents` maps each node to those that come before it, and names no other nodes.
"""

import graphlib
from collections import defaultdict
from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from runs.status import TERMINAL, RunStatus

Node = TypeVar("Node", bound=Hashable)

_SWEEPS = 4


@dataclass(frozen=True)
class Place:
    """Where a node is drawn: its layer from the top, and its place in that layer from the left."""

    layer: int
    order: int


def cycles(parents: Mapping[Node, Collection[Node]]) -> list[list[Node]]:
    """Return cycles, each from a node through those that follow it back to itself; each node is in one at most."""
    left = {node: set(before) for node, before in parents.items()}
    found = []
    while True:
        try:
            graphlib.TopologicalSorter(left).prepare()
        except graphlib.CycleError as error:
            cycle = error.args[1]
            found.append(cycle)
            gone = set(cycle)
            left = {node: before - gone for node, before in left.items() if node not in gone}
        else:
            return found


def ordered(parents: Mapping[Node, Collection[Node]]) -> list[Node]:
    """Return the nodes so that each comes after its parents."""
    return list(graphlib.TopologicalSorter(parents).static_order())


def is_satisfied(status: RunStatus, *, is_forgiven: bool) -> bool:
    """Return whether what waits for a node of this status may go on: it completed, or failed and that is forgiven.

    A canceled one is never forgiven: somebody wished that, or it was never started.
    """
    return status is RunStatus.COMPLETED or (status is RunStatus.FAILED and is_forgiven)


def ready(
    parents: Mapping[Node, Collection[Node]], statuses: Mapping[Node, RunStatus], forgiven: Collection[Node] = ()
) -> list[Node]:
    """Return the nodes that are NotStarted and may start: each of their parents is satisfied."""
    satisfied = {node for node, status in statuses.items() if is_satisfied(status, is_forgiven=node in forgiven)}
    return [
        node
        for node, before in parents.items()
        if statuses[node] is RunStatus.NOT_STARTED and satisfied.issuperset(before)
    ]


def blocked(
    parents: Mapping[Node, Collection[Node]],
    statuses: Mapping[Node, RunStatus],
    forgiven: Collection[Node] = (),
    *,
    stops_all: bool = False,
) -> dict[Node, Node]:
    """Return the nodes that are NotStarted and never will be, each with the one that is to blame.

    With `stops_all` one unforgiven end blocks everything; without, only what comes after it.
    """
    to_blame = {
        node: node
        for node, status in statuses.items()
        if status in TERMINAL and not is_satisfied(status, is_forgiven=node in forgiven)
    }
    if not to_blame:
        return {}
    waiting = [node for node in parents if statuses[node] is RunStatus.NOT_STARTED]
    first = next(iter(to_blame))
    for node in ordered(parents):
        if statuses[node] is RunStatus.NOT_STARTED:
            blamed = next((to_blame[parent] for parent in parents[node] if parent in to_blame), None)
            if blamed is not None:
                to_blame[node] = blamed
            elif stops_all:
                to_blame[node] = first
    return {node: to_blame[node] for node in waiting if node in to_blame}


def outcome(statuses: Mapping[Node, RunStatus], forgiven: Collection[Node] = ()) -> RunStatus | None:
    """Return how the whole ended, or None while a node is active.

    One failure that is not forgiven fails it; without one, a canceled node makes it Canceled.
    """
    if any(status not in TERMINAL for status in statuses.values()):
        return None
    if any(status is RunStatus.FAILED and node not in forgiven for node, status in statuses.items()):
        return RunStatus.FAILED
    if RunStatus.CANCELED in statuses.values():
        return RunStatus.CANCELED
    return RunStatus.COMPLETED


def critical_path(parents: Mapping[Node, Collection[Node]], seconds: Mapping[Node, float]) -> list[Node]:
    """Return the way from a first to a last node on which the time was spent, in order."""
    longest: dict[Node, tuple[float, int]] = {}
    came_from: dict[Node, Node | None] = {}
    for node in ordered(parents):
        before = max(parents[node], key=lambda parent: longest[parent], default=None)
        spent, count = longest[before] if before is not None else (0.0, 0)
        came_from[node] = before
        longest[node] = (spent + seconds.get(node, 0.0), count + 1)
    way: list[Node] = []
    last = max(longest, key=lambda each: longest[each], default=None)
    while last is not None:
        way.append(last)
        last = came_from[last]
    return way[::-1]


def layers(parents: Mapping[Node, Collection[Node]]) -> dict[Node, Place]:
    """Return a place for each node: below its parents, and near them, so that few edges cross."""
    layer: dict[Node, int] = {}
    children: dict[Node, list[Node]] = defaultdict(list)
    for node in ordered(parents):
        layer[node] = 1 + max((layer[parent] for parent in parents[node]), default=-1)
        for parent in parents[node]:
            children[parent].append(node)
    rows: list[list[Node]] = [[] for _ in range(1 + max(layer.values(), default=-1))]
    for node in parents:  # in the order in which they were written
        rows[layer[node]].append(node)
    order = {node: place for row in rows for place, node in enumerate(row)}
    for sweep in range(_SWEEPS):
        is_down = sweep % 2 == 0
        near: Mapping[Node, Collection[Node]] = parents if is_down else children
        for row in rows if is_down else reversed(rows):
            _sort(row, near, order)
    return {node: Place(layer[node], order[node]) for node in parents}


def _sort(row: list[Node], near: Mapping[Node, Collection[Node]], order: dict[Node, int]) -> None:
    """Sort a row by the middle of each node's neighbors; one without any stays where it is."""

    def middle(node: Node) -> float:
        around: Sequence[int] = [order[other] for other in near.get(node, ())]
        return sum(around) / len(around) if around else order[node]

    row.sort(key=middle)
    order.update((node, place) for place, node in enumerate(row))
