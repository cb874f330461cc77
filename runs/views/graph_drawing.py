"""A pipeline's graph as SVG, made here: it needs no script, and a thousand steps take a moment."""

import functools
from collections.abc import Iterable, Mapping
from datetime import datetime
from html import escape

from django.templatetags.static import static
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _

from runs.pipelines import drawing
from runs.status import RunStatus
from runs.templatetags import studio
from runs.views.step_states import StepState

_NAME_LETTERS = 23
_ICON = 20
_PORT_RADIUS = 5


def plain(drawn: drawing.Drawing, *, label: str) -> SafeString:
    """Return the graph of a pipeline that does not run."""
    return _svg(drawn, [_node(node, "", "", "", "") for node in drawn.nodes], label)


def with_states(
    drawn: drawing.Drawing, states: Mapping[str, StepState], *, chosen: str, address: str, at: datetime, label: str
) -> SafeString:
    """Return the graph of a run. Each step is a link to `address` with its name, which shows its panel."""
    looks = {status: _look(status) for status in {state.status for state in states.values()}}
    nodes = []
    for node in drawn.nodes:
        state = states.get(node.name)
        if state is None:
            nodes.append(_node(node, "", "", "", ""))
            continue
        word, symbol, tone = looks[state.status]
        note = _note(state, word, at)
        classes = f"tone-{tone}{' is-chosen' if node.name == chosen else ''}"
        nodes.append(_node(node, classes, symbol, note, f"{address}{_quoted(node.name)}"))
    return _svg(drawn, nodes, label)


def outline(states: Iterable[StepState], *, chosen: str, address: str) -> SafeString:
    """Return the list of the steps, each a link to its panel."""
    items = []
    for state in states:
        word, symbol, tone = _look(state.status)
        count = f"<small>{state.ended_count}/{len(state.rows)}</small>" if state.is_fanned_out else ""
        current = ' aria-current="true"' if state.name == chosen else ""
        items.append(
            f'<li><a href="{escape(address)}{_quoted(state.name)}"{current}><span class="status-icon tone-{tone}"'
            f' title="{escape(word)}"><svg class="icon" role="img" aria-label="{escape(word)}">'
            f'<use href="{_sprite()}#{symbol}"></use></svg></span>'
            f'<span class="clip-name">{escape(state.name)}</span>{count}</a></li>'
        )
    return mark_safe(f"<ol>{''.join(items)}</ol>")  # noqa: S308 - every text is escaped above


def _svg(drawn: drawing.Drawing, nodes: Iterable[str], label: str) -> SafeString:
    edges = "".join(
        f'<path class="graph-edge{" is-order" if edge.is_order else ""}" d="{edge.path}" marker-end="url(#arrow)"/>'
        for edge in drawn.edges
    )
    box = f"{drawn.left:g} {drawn.top:g} {drawn.width:g} {drawn.height:g}"
    return mark_safe(  # noqa: S308 - names are escaped below, the rest are numbers of ours
        f'<svg class="graph" viewBox="{box}" width="{drawn.width:g}" height="{drawn.height:g}" role="group"'
        f' aria-label="{escape(label)}"><defs><marker id="arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7"'
        ' markerHeight="7" orient="auto"><path class="graph-arrow" d="M0 0L8 4L0 8z"/></marker></defs>'
        f"{edges}{''.join(nodes)}</svg>"
    )


def _node(node: drawing.Node, classes: str, symbol: str, note: str, address: str) -> str:
    name = escape(node.name if len(node.name) <= _NAME_LETTERS else f"{node.name[: _NAME_LETTERS - 1]}…")
    ports = "".join(
        f'<circle class="graph-port" cx="{port.x:g}" cy="{y}" r="{_PORT_RADIUS}">'
        f"<title>{escape(port.name)}</title></circle>"
        for y, side in ((0, node.inputs), (drawing.NODE_HEIGHT, node.outputs))
        for port in side
    )
    badge = (
        f'<svg class="graph-badge" x="{drawing.NODE_WIDTH - _ICON - 12}" y="{(drawing.NODE_HEIGHT - _ICON) // 2}"'
        f' width="{_ICON}" height="{_ICON}"><use href="{_sprite()}#{symbol}"/></svg>'
        if symbol
        else ""
    )
    text_y = 24 if note else 33
    inner = (
        f'<rect class="graph-box" width="{drawing.NODE_WIDTH}" height="{drawing.NODE_HEIGHT}" rx="4"/>'
        f'<rect class="graph-side" width="4" height="{drawing.NODE_HEIGHT - 8}" y="4" x="4" rx="2"/>'
        f'<text class="graph-name" x="18" y="{text_y}">{name}</text>'
        + (f'<text class="graph-note" x="18" y="43">{escape(note)}</text>' if note else "")
        + badge
        + ports
    )
    place = f'transform="translate({node.x:g} {node.y:g})"'
    title = f"<title>{escape(node.name)}{f': {escape(note)}' if note else ''}</title>"
    if not address:
        return f'<g class="graph-node {classes}" {place}>{title}{inner}</g>'
    told = escape(f"{node.name}: {note}")
    return f'<a class="graph-node {classes}" {place} href="{escape(address)}" aria-label="{told}">{title}{inner}</a>'


@functools.cache
def _sprite() -> str:
    return static(studio.SPRITE)


def _note(state: StepState, word: str, at: datetime) -> str:
    parts = [_("Reused") if state.is_reused and state.status == RunStatus.COMPLETED else word]
    if state.is_fanned_out:
        parts.append(_("%(ended)d of %(count)d") % {"ended": state.ended_count, "count": len(state.rows)})
    if seconds := state.seconds(at):
        parts.append(studio.duration(seconds))
    return " · ".join(parts)


def _look(status: RunStatus) -> tuple[str, str, str]:
    word, symbol, tone = studio.look_of(status)
    return str(word), symbol, tone


def _quoted(name: str) -> str:
    """Return a step's name for a query: letters, digits, `_`, `.` and `-` are safe, and names have no others."""
    return "".join(letter for letter in name if letter.isalnum() or letter in "_.-")
