"""The pattern page: every component in every state, drawn by the site's own parts from data made up here.

It is for who changes the look: a test finds what is missing here, and docs/screenshots.py takes its pictures.
"""

import math
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from django.contrib.staticfiles import finders
from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_GET

from runs.models import Run
from runs.status import RunStatus, Tile
from runs.templatetags.studio import SPRITE
from runs.views import ansi, curves, json_tree, metric_documents, plot, run_chart, run_code
from runs.views.filter_chips import Chip
from runs.views.request import SignedInRequest

GROUNDS = (
    *("ground", "ground-2", "ground-3", "hover", "chosen", "line", "line-strong", "text-disabled"),
    *("bar", "bar-hover", "focus", "brand-fill", "brand-fill-hover", "brand-ground"),
    *("good-ground", "busy-ground", "wait-ground", "care-ground", "bad-ground"),
)
TONES = ("text", "text-2", "text-3", "brand", "link", "good", "busy", "wait", "care", "bad", "off")
_NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
_LOG = (
    "\x1b[1mepoch 1\x1b[0m loss \x1b[32m0.31\x1b[0m",
    " ".join(f"\x1b[3{color}mcolor {color}\x1b[0m" for color in range(8)),
    " ".join(f"\x1b[4{color}mground {color}\x1b[0m" for color in range(8)),
    "\x1b[7minverse\x1b[0m \x1b[4munderline\x1b[0m \x1b[2mdim\x1b[0m \x1b[9mstruck\x1b[0m \x1b[3mitalic\x1b[0m",
    "a line that is too long for one row " * 6,
)
_CODE = b"""\"Train.\"\n\nfrom math import sin\n\n\ndef train(alpha: float):\n    return sin(alpha) * 0.5  # loss\n"""
_PATCH = b"diff --git a/train.py b/train.py\n--- a/train.py\n+++ b/train.py\n@@ -6 +6 @@\n-alpha = 0.1\n+alpha = 0.5\n"
_DOCUMENT = {"run_id": "churn_1", "status": "Completed", "tags": {"best": None}, "metrics": [0.25, True]}
_MATRIX = {"class_labels": ["cat", "dog", "owl"], "matrix": [[30, 2, 0], [4, 21, 3], [0, 1, 16]]}
_RESIDUALS = {"bin_edges": [-2, -1, 0, 1, 2], "bin_counts": [3, 14, 11, 2], "mean": -0.1, "stddev": 0.9}


@require_GET
def styles(request: SignedInRequest) -> HttpResponse:
    """Show the components, to staff."""
    if not request.user.is_staff:
        raise Http404

    return render(request, "styles/styles.html", {**_words(), **_pictures()})


def _words() -> dict[str, Any]:
    return {
        "nav": "styles",
        "grounds": GROUNDS,
        "tones": TONES,
        "icons": re.findall('<symbol id="([^"]+)"', Path(str(finders.find(SPRITE))).read_text()),
        "statuses": list(RunStatus),
        "tiles": [(tile, number) for number, tile in enumerate(Tile, 3)],
        "levels": ["success", "info", "warning", "error"],
        "noon": _NOON,
        "runs": [
            Run(run_id=f"churn_{number}", number=number, status=status, duration_seconds=number * 93.5)
            for number, status in ((12, RunStatus.RUNNING), (11, RunStatus.COMPLETED), (10, RunStatus.FAILED))
        ],
        "running": Run(started_at=timezone.now() - timedelta(minutes=4)),
        "numbers": [0.1 + 0.2, 12_345_678, 1e-9, math.nan, math.inf, None],
        "seconds": [0.25, 4, 93, 7_500, 273_600, None],
        "sizes": [0, 1_536, 5 * 2**30],
        "long_id": "churn_1795435200_0123456789abcdef",
        "long_tag": "a value that is much too long for a chip, and is cut",
        "chips": [Chip("status:failed", ""), Chip("metrics.loss.min<0.2", "")],
        "problem_parts": ("loss<0.2 ", "stauts", ":failed"),
        "words": "**Bold**, `code`, a [link](/) and\n\n- a list\n- of two\n\n| a | b |\n| - | - |\n| 1 | 2 |",
    }


def _pictures() -> dict[str, Any]:
    steps = range(40)
    noisy = [curves.CurvePoint(step, math.exp(-step / 12) + 0.1 * math.sin(step * 2.3)) for step in steps]
    odd = [*noisy[:20], curves.CurvePoint(20, None, "NaN"), *noisy[21:]]
    lines = [
        run_chart.Line(
            f"series {color}", [curves.CurvePoint(x, color + math.sin(x / 6 + color)) for x in steps], 40, color
        )
        for color in range(1, run_chart.color_of(7) + 1)
    ]
    pairs = [(float(number), (number * 7 % 11) / 10) for number in range(1, 9)]
    return {
        "curve": run_chart.draw(
            [run_chart.Line("loss", odd, 1_000_000, smooth=run_chart.smoothed(odd, 0.8))], x_label="Step"
        ),
        "colors": run_chart.draw(lines, x_label="Step"),
        "scatter_chart": plot.draw([plot.Series("auc", pairs)], kind="scatter", x_label="Run number"),
        "bar_chart": plot.draw(
            [plot.Series("auc", pairs), plot.Series("f1", [(x, y / 2) for x, y in pairs], 2)], kind="bar", x_label="Run"
        ),
        "matrix": _figure("confusion_matrix", _MATRIX),
        "residuals": _figure("residuals", _RESIDUALS),
        "log": [{"number": number, "html": html} for number, html in enumerate(ansi.render(_LOG), 1)],
        "code": run_code.of_file("train.py", _CODE, is_cut=True),
        "patch": run_code.of_file("changes.patch", _PATCH),
        "tree": json_tree.build(_DOCUMENT, find="completed")[0],
    }


def _figure(kind: str, data: dict[str, Any]) -> metric_documents.Figure | None:
    return metric_documents.figure_of({"schema_type": kind, "data": data})
