"""Where the steps of a pipeline stand in a drawing, and the lines between them. Pure: knows no colors, no rows.

It reads the document, not the definition: a draft is drawn also while it is wrong.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from runs.pipelines import graph, references

# static/js/designer/geometry.js draws by the same measures.
NODE_WIDTH = 220
NODE_HEIGHT = 56
GAP_X = 36
GAP_Y = 68
MARGIN = 24
ORDER_PORT_X = 16
_SWEEPS = 4
_SLACK = 28
_FARTHEST = 1_000_000

Position = tuple[float, float]
Positions = dict[str, Position]


@dataclass(frozen=True)
class Port:
    """An end of lines: its name, and its place on the node's upper or lower edge."""

    name: str
    x: float


@dataclass(frozen=True)
class Node:
    """A step as a box with its upper left corner; inputs are on its upper edge, outputs on the lower one."""

    name: str
    x: float
    y: float
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]


@dataclass(frozen=True)
class Edge:
    """A line from one step to another: data that flows, or the mere order of the two."""

    source: str
    target: str
    path: str
    is_order: bool


@dataclass(frozen=True)
class Drawing:
    """Nodes and edges, with the box that holds them all."""

    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    left: float
    top: float
    width: float
    height: float


@dataclass(frozen=True)
class Wire:
    """What one step takes from another. Both names of ports are empty where only the order counts."""

    source: str
    output: str
    target: str
    input: str


def draw(document: Mapping[str, Any], positions: Mapping[str, Any] | None = None) -> Drawing:
    """Return the drawing of a pipeline's document; `positions` hold for the steps that they name."""
    steps = steps_of(document)
    placed = arrange(document) | {name: each for name, each in kept(positions or {}).items() if name in steps}
    nodes = {
        name: Node(name, *placed[name], _ports(_mapping(step.get("inputs"))), _ports(_words(step.get("outputs"))))
        for name, step in steps.items()
    }
    left = min((node.x for node in nodes.values()), default=0) - MARGIN
    top = min((node.y for node in nodes.values()), default=0) - MARGIN
    right = max((node.x for node in nodes.values()), default=0) + NODE_WIDTH + MARGIN
    bottom = max((node.y for node in nodes.values()), default=0) + NODE_HEIGHT + MARGIN
    edges = tuple(_edge(wire, nodes) for wire in wires(document))
    return Drawing(tuple(nodes.values()), edges, left, top, right - left, bottom - top)


def arrange(document: Mapping[str, Any]) -> Positions:
    """Return a place for every step: below those it waits for, near them, and none upon another."""
    parents: dict[str, list[str]] = {name: [] for name in steps_of(document)}
    for wire in wires(document):
        if wire.source not in parents[wire.target]:
            parents[wire.target].append(wire.source)
    _cut_cycles(parents)
    places = graph.layers(parents)
    rows: list[list[str]] = [[] for _ in range(1 + max((place.layer for place in places.values()), default=-1))]
    for name in sorted(places, key=lambda each: places[each].order):
        rows[places[name].layer].append(name)
    children: dict[str, list[str]] = {name: [] for name in parents}
    for name, before in parents.items():
        for parent in before:
            children[parent].append(name)
    columns = {name: float(number) for row in rows for number, name in enumerate(row)}
    for sweep in range(_SWEEPS):
        near = parents if sweep % 2 == 0 else children
        for row in rows if sweep % 2 == 0 else reversed(rows):
            columns.update(zip(row, _spread([_wish(name, near, columns) for name in row]), strict=True))
    first = min(columns.values(), default=0)
    return {
        name: (round((columns[name] - first) * (NODE_WIDTH + GAP_X)), layer * (NODE_HEIGHT + GAP_Y))
        for layer, row in enumerate(rows)
        for name in row
    }


def kept(positions: Mapping[str, Any]) -> Positions:
    """Return those of the stored positions that are two numbers within reason."""
    return {
        name: (round(each[0]), round(each[1]))
        for name, each in positions.items()
        if isinstance(each, Sequence)
        and len(each) == 2
        and all(isinstance(part, int | float) and abs(part) < _FARTHEST for part in each)
    }


def wires(document: Mapping[str, Any]) -> list[Wire]:
    """Return what flows between steps that are there."""
    steps = steps_of(document)
    found = []
    for name, step in steps.items():
        for port, value in _mapping(step.get("inputs")).items():
            source = references.output_of(value) if isinstance(value, str) else None
            if source and source[0] in steps:
                found.append(Wire(source[0], source[1], name, port))
        found += [Wire(before, "", name, "") for before in _words(step.get("depends_on")) if before in steps]
    return found


def steps_of(document: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """Return the steps of a document, each a mapping."""
    return {name: _mapping(step) for name, step in _mapping(document.get("steps")).items()}


def _edge(wire: Wire, nodes: Mapping[str, Node]) -> Edge:
    source, target = nodes[wire.source], nodes[wire.target]
    from_x = source.x + _port_x(source.outputs, wire.output, NODE_WIDTH - ORDER_PORT_X)
    to_x = target.x + _port_x(target.inputs, wire.input, ORDER_PORT_X)
    from_y, to_y = source.y + NODE_HEIGHT, target.y
    bend = max(_SLACK, abs(to_y - from_y) / 2)
    path = f"M{from_x:g} {from_y:g}C{from_x:g} {from_y + bend:g} {to_x:g} {to_y - bend:g} {to_x:g} {to_y:g}"
    return Edge(wire.source, wire.target, path, is_order=not wire.input)


def _ports(names: Collection[str]) -> tuple[Port, ...]:
    return tuple(Port(name, NODE_WIDTH * (place + 1) / (len(names) + 1)) for place, name in enumerate(names))


def _port_x(ports: Sequence[Port], name: str, otherwise: float) -> float:
    return next((port.x for port in ports if port.name == name), otherwise)


def _cut_cycles(parents: dict[str, list[str]]) -> None:
    """Take one line out of each cycle: a drawing has an up and a down even where the pipeline is wrong."""
    while found := graph.cycles(parents):
        for cycle in found:
            before, after = cycle[0], cycle[1]
            parents[after].remove(before)


def _wish(name: str, near: Mapping[str, Sequence[str]], columns: Mapping[str, float]) -> float:
    around = [columns[other] for other in near[name]]
    return sum(around) / len(around) if around else columns[name]


def _spread(wishes: Sequence[float]) -> list[float]:
    """Return columns at least one apart, in this order, as near to the wishes as that allows.

    Neighbors that want the same place are pooled and share the middle of their wishes.
    """
    pools: list[tuple[float, int]] = []
    for place, wish in enumerate(wishes):
        total, count = wish - place, 1
        while pools and pools[-1][0] / pools[-1][1] > total / count:
            earlier, more = pools.pop()
            total, count = total + earlier, count + more
        pools.append((total, count))
    spread = [total / count for total, count in pools for _ in range(count)]
    return [column + place for place, column in enumerate(spread)]


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _words(value: Any) -> list[str]:
    return [word for word in value if isinstance(word, str)] if isinstance(value, list | tuple) else []
