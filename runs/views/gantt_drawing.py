"""When each step of a pipeline waited and ran, as bars on a common time, with the way that took the time marked."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from html import escape
from itertools import pairwise

from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _

from runs.pipelines import graph
from runs.templatetags import studio
from runs.views.step_states import StepRow, StepState

_ROW = 26
_HEAD = 28
_NAMES = 250
_TIME = 760
_BAR = 14
_TICKS = 5
_NAME_LETTERS = 30


def critical(parents: Mapping[str, Collection[str]], states: Mapping[str, StepState], *, at: datetime) -> list[str]:
    """Return the steps, one after the other, whose time is the pipeline's."""
    seconds = {name: state.seconds(at) for name, state in states.items() if any(row.started_at for row in state.rows)}
    known = {name: [each for each in parents[name] if each in seconds] for name in seconds}
    return graph.critical_path(known, seconds) if any(seconds.values()) else []


def draw(
    states: Sequence[StepState], way: Sequence[str], *, begin: datetime, end: datetime, address: str, label: str
) -> SafeString:
    """Return the chart from `begin` to `end`. Each row is a link to `address` with the step's name and index."""
    rows = [row for state in states for row in state.rows]
    on_way = set(way)
    scale = _TIME / max((end - begin).total_seconds(), 0.001)
    height = _HEAD + _ROW * len(rows) + 8
    parts = [_axis(begin, end, height)]
    spans: dict[str, tuple[float, float, float]] = {}
    for number, row in enumerate(rows):
        y = _HEAD + _ROW * number
        is_critical = row.name in on_way
        bar, span = _bar(row, y, scale, begin, end, is_critical)
        if span and (row.name not in spans or span[1] > spans[row.name][1]):
            spans[row.name] = (*span, y + _ROW / 2)
        name = row.label if len(row.label) <= _NAME_LETTERS else f"{row.label[: _NAME_LETTERS - 1]}…"
        word, _symbol, tone = studio.look_of(row.status)
        told = f"{row.label}: {word}" + (f", {studio.duration(row.seconds(end))}" if row.started_at else "")
        told += ", " + _("on the critical path") if is_critical else ""
        parts.append(
            f'<a class="gantt-row tone-{tone}" href="{escape(f"{address}{row.name}&index={row.index}")}"'
            f' aria-label="{escape(told)}"><title>{escape(told)}</title>'
            f'<rect class="gantt-hit" y="{y}" width="{_NAMES + _TIME + 90}" height="{_ROW}"/>'
            f'<text class="gantt-name" x="{22 if is_critical else 8}" y="{y + 17}">{escape(name)}</text>'
            + (f'<path class="gantt-mark" d="M12 {y + 8}l5 5-5 5-5-5z"/>' if is_critical else "")
            + f"{bar}</a>"
        )
    parts += [_tie(spans[a], spans[b]) for a, b in pairwise(way) if a in spans and b in spans]
    return mark_safe(  # noqa: S308 - names are escaped above, the rest are numbers of ours
        f'<svg class="gantt" viewBox="0 0 {_NAMES + _TIME + 90} {height}" width="{_NAMES + _TIME + 90}"'
        f' height="{height}" role="group" aria-label="{escape(label)}">{"".join(parts)}</svg>'
    )


def _axis(begin: datetime, end: datetime, height: int) -> str:
    ticks = []
    for number in range(_TICKS):
        share = number / (_TICKS - 1)
        x = _NAMES + _TIME * share
        after = studio.duration((end - begin).total_seconds() * share) if number else "0s"
        ticks.append(
            f'<path class="gantt-tick" d="M{x:g} {_HEAD - 6}V{height}"/>'
            f'<text class="gantt-time" x="{x:g}" y="16" text-anchor="middle">{after}</text>'
        )
    return "".join(ticks)


def _bar(
    row: StepRow, y: int, scale: float, begin: datetime, end: datetime, is_critical: bool
) -> tuple[str, tuple[float, float] | None]:
    """Return the bars of a row, and from where to where it ran."""
    top = y + (_ROW - _BAR) / 2
    drawn = ""
    if row.queued_at:
        left = _x(row.queued_at, scale, begin)
        wide = _x(row.started_at or row.ended_at or end, scale, begin) - left
        drawn = (
            f'<rect class="gantt-wait" x="{left:.1f}" y="{top + _BAR / 2 - 2}" width="{max(wide, 0):.1f}" height="4"/>'
        )
    if not row.started_at:
        return drawn, None
    left, right = _x(row.started_at, scale, begin), _x(row.ended_at or end, scale, begin)
    right = max(right, left + 2)
    classes = "gantt-bar is-critical" if is_critical else "gantt-bar"
    took = studio.duration(row.seconds(end))
    drawn += (
        f'<rect class="{classes}" x="{left:.1f}" y="{top}" width="{right - left:.1f}" height="{_BAR}" rx="2"/>'
        f'<text class="gantt-time" x="{right + 6:.1f}" y="{y + 17}">{took}</text>'
    )
    return drawn, (left, right)


def _x(at: datetime, scale: float, begin: datetime) -> float:
    return _NAMES + max(at - begin, timedelta()).total_seconds() * scale


def _tie(before: tuple[float, float, float], after: tuple[float, float, float]) -> str:
    """Return the line from the end of one critical bar to the start of the next."""
    return f'<path class="gantt-tie" d="M{before[1]:.1f} {before[2]}V{after[2]}H{after[0]:.1f}"/>'
