"""Documents that Azure ML's clients log, as what they say: a matrix, a histogram, predictions, two curves.

What has another form than expected is shown as its JSON: a client may log anything.
"""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from django.utils.translation import gettext as _

from runs.views import run_chart
from runs.views.curves import CurvePoint

_CLASSES = 100
_BINS = 500
_SHADES = 9


@dataclass(frozen=True)
class Cell:
    """One cell of a matrix, with how strong its color is: 0 to 9."""

    value: float
    shade: int


@dataclass(frozen=True)
class Bar:
    """One bar of a histogram: places as texts."""

    x: str
    y: str
    width: str
    height: str
    title: str


@dataclass
class Figure:
    """What a document shows: a matrix with its labels, or bars, or charts of lines."""

    kind: str
    labels: list[str] = field(default_factory=list)
    rows: list[tuple[str, list[Cell]]] = field(default_factory=list)
    bars: list[Bar] = field(default_factory=list)
    charts: list[tuple[str, run_chart.Chart]] = field(default_factory=list)
    frame: run_chart.Chart | None = None
    facts: list[tuple[str, float]] = field(default_factory=list)


def figure_of(document: Any) -> Figure | None:
    """Return what `document` shows, or None if it is of no known kind or form."""
    if not isinstance(document, dict) or not isinstance(document.get("data"), dict):
        return None
    make = _KINDS.get(str(document.get("schema_type", "")))
    try:
        return make(document["data"]) if make else None
    except (KeyError, TypeError, ValueError, IndexError, ZeroDivisionError, OverflowError):
        return None


def _confusion_matrix(data: dict[str, Any]) -> Figure:
    matrix = [_numbers(row) for row in data["matrix"]][:_CLASSES]
    labels = [str(label) for label in data.get("class_labels") or range(len(matrix))][:_CLASSES]
    if len(labels) != len(matrix) or any(len(row) != len(data["matrix"]) for row in matrix):
        raise ValueError
    rows = []
    for label, row in zip(labels, matrix, strict=True):
        total = sum(row)
        cells = [Cell(value, round(_SHADES * value / total) if total > 0 else 0) for value in row[:_CLASSES]]
        rows.append((label, cells))
    right = sum(row[place] for place, row in enumerate(matrix))
    total = sum(map(sum, matrix))
    return Figure("matrix", labels=labels, rows=rows, facts=[(_("Accuracy"), right / total)] if total else [])


def _residuals(data: dict[str, Any]) -> Figure:
    edges, counts = _numbers(data["bin_edges"])[: _BINS + 1], _numbers(data["bin_counts"])[:_BINS]
    if len(edges) != len(counts) + 1 or edges != sorted(edges) or edges[0] == edges[-1]:
        raise ValueError
    top = max(counts) or 1.0
    frame = run_chart.draw(
        [run_chart.Line("", [CurvePoint(edges[0], 0.0), CurvePoint(edges[-1], top)], 2)], x_label=_("Residual")
    )
    high = frame.y_high
    bars = []
    for low, up, count in zip(edges, edges[1:], counts, strict=False):
        left = frame.left + (low - edges[0]) / (edges[-1] - edges[0]) * (frame.right - frame.left)
        width = (up - low) / (edges[-1] - edges[0]) * (frame.right - frame.left)
        height = count / high * (frame.bottom - frame.top)
        title = f"{low:g} … {up:g}: {count:g}"
        bars.append(
            Bar(
                f"{left + 0.5:.1f}",
                f"{frame.bottom - height:.1f}",
                f"{max(0.5, width - 1):.1f}",
                f"{height:.1f}",
                title,
            )
        )
    facts = [
        (name, data[key]) for key, name in (("mean", _("Mean")), ("stddev", _("Standard deviation"))) if key in data
    ]
    return Figure("bars", bars=bars, frame=frame, facts=facts)


def _predictions(data: dict[str, Any]) -> Figure:
    averages, edges = _numbers(data["bin_averages"])[:_BINS], _numbers(data["bin_edges"])[: _BINS + 1]
    errors = _numbers(data.get("bin_errors") or [0.0] * len(averages))[:_BINS]
    centers = [(low + high) / 2 for low, high in itertools.pairwise(edges)]
    if not averages or len(centers) != len(averages) or len(errors) != len(averages):
        raise ValueError
    lines = [
        _line(_("Ideal"), [(edges[0], edges[0]), (edges[-1], edges[-1])], color=8),
        _line(_("Predicted"), list(zip(centers, averages, strict=True)), color=1),
    ]
    if any(errors):
        spread = list(zip(centers, averages, errors, strict=True))
        lines.append(_line(_("One error below"), [(x, y - error) for x, y, error in spread], color=5))
        lines.append(_line(_("One error above"), [(x, y + error) for x, y, error in spread], color=5))
    return Figure("charts", charts=[(_("Predicted over true value"), run_chart.draw(lines, x_label=_("True value")))])


def _accuracy_table(data: dict[str, Any]) -> Figure:
    tables = data["probability_tables"][:20]
    labels = [str(label) for label in data.get("class_labels") or range(len(tables))]
    rocs, precisions = [_line(_("Chance"), [(0.0, 0.0), (1.0, 1.0)], color=8)], []
    for place, (label, table) in enumerate(zip(labels, tables, strict=False)):
        roc, precision = [], []
        # Each threshold: true positives, false positives, true negatives, false negatives.
        for row in table[:1_000]:
            tp, fp, tn, fn = _numbers(row)
            roc.append((_share(fp, tn), _share(tp, fn)))
            if tp + fp:
                precision.append((_share(tp, fn), _share(tp, fp)))
        rocs.append(_line(label, sorted(roc), color=run_chart.color_of(place)))
        precisions.append(_line(label, sorted(precision), color=run_chart.color_of(place)))
    return Figure(
        "charts",
        charts=[
            (_("ROC"), run_chart.draw(rocs, x_label=_("False positive rate"))),
            (_("Precision over recall"), run_chart.draw(precisions, x_label=_("Recall"))),
        ],
    )


_KINDS = {
    "confusion_matrix": _confusion_matrix,
    "residuals": _residuals,
    "predictions": _predictions,
    "accuracy_table": _accuracy_table,
}


def _share(of: float, rest: float) -> float:
    return of / (of + rest) if of + rest else 0.0


def _line(name: str, pairs: Sequence[tuple[float, float]], *, color: int) -> run_chart.Line:
    return run_chart.Line(name, [CurvePoint(x, y) for x, y in pairs], len(pairs), color)


def _numbers(values: Any) -> list[float]:
    numbers = [float(value) for value in values]
    if not all(map(math.isfinite, numbers)):
        raise ValueError
    return numbers
