"""How the Metrics tab is looked at, as its address says it. What is not understood is left out."""

import math
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.http import QueryDict
from django.utils.translation import gettext_lazy

from runs.templatetags.studio import with_zone
from runs.views.curves import Axis, Window

AXES = {
    Axis.STEP: gettext_lazy("Step"),
    Axis.TIME: gettext_lazy("Time"),
    Axis.RELATIVE: gettext_lazy("Relative time"),
}
_LONGEST_FIND = 200
_STRONGEST_SMOOTH = 0.99


@dataclass(frozen=True)
class Options:
    """What is chosen: series, a part of their names, chart or table, the axis and what is looked at of it."""

    names: tuple[str, ...] = ()
    find: str = ""
    is_table: bool = False
    is_together: bool = False
    is_log: bool = False
    smooth: float = 0.0
    axis: Axis = Axis.STEP
    low: float | None = None
    high: float | None = None

    @property
    def is_zoomed(self) -> bool:
        """Return whether a part of the axis is looked at."""
        return self.low is not None or self.high is not None

    def window(self, *, began_at: datetime) -> Window:
        """Return the part of the axis that is looked at."""
        return Window(self.axis, self.low, self.high, began_at)

    def pairs(self) -> list[tuple[str, Any]]:
        """Return what an address says of the curves, but for the names."""
        said = {
            "x": self.axis.value if self.axis is not Axis.STEP else "",
            "log": "1" if self.is_log else "",
            "smooth": f"{self.smooth:g}" if self.smooth else "",
            "together": "1" if self.is_together else "",
            "from": self.low,
            "to": self.high,
        }
        return [(name, value) for name, value in said.items() if value not in ("", None)]


def of_query(query: QueryDict) -> Options:
    """Return what an address chooses."""
    axis = query.get("x", "")
    return Options(
        names=tuple(query.getlist("name")),
        find=query.get("find", "")[:_LONGEST_FIND].replace("\x00", ""),
        is_table=query.get("view") == "table",
        is_together=query.get("together") == "1",
        is_log=query.get("log") == "1",
        smooth=min(max(_number(query.get("smooth")) or 0.0, 0.0), _STRONGEST_SMOOTH),
        axis=Axis(axis) if axis in list(Axis) else Axis.STEP,
        low=_number(query.get("from")),
        high=_number(query.get("to")),
    )


def axis_label(axis: Axis) -> str:
    """Return what an axis is called."""
    return with_zone(str(AXES[axis])) if axis is Axis.TIME else str(AXES[axis])


def _number(text: str | None) -> float | None:
    try:
        number = float(text or "nan")
    except ValueError:
        return None
    return number if math.isfinite(number) else None
