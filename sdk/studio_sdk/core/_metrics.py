"""Reading metrics back, in the shapes in which Azure ML's SDK gives them."""

from __future__ import annotations

import json
import math
from typing import Any, Optional

from studio_sdk.core import _filters
from studio_sdk.transport import Client, quote_path

_POINTS_PER_PAGE = 10_000


class RunMetrics:
    """Reads the metrics of a run, or of a run and all below it."""

    _client: Client
    _id: str
    _path: str

    def get_metrics(
        self,
        name: Optional[str] = None,
        recursive: bool = False,
        run_type: Optional[str] = None,
        populate: bool = False,
    ) -> dict[str, Any]:
        """Return metrics by name: one value as it is, several as a list, a table as a dict of columns.

        With `recursive`, a dict of such dicts by run id, of this run and all below it.

        >>> run.get_metrics()
        {'alpha': [0.1, 0.2], 'losses': {'epoch': [1, 2], 'train': [0.5, 0.3]}}
        """
        self.flush()  # type: ignore[attr-defined]
        params = {
            "recursive": recursive or None,
            "name": name,
            "run_type": _filters.own_type(run_type) if run_type else None,
            "points": _POINTS_PER_PAGE,
        }
        by_run: dict[str, dict[str, Any]] = {}
        for series in self._client.pages(f"{self._path}/metrics", params):
            if name is not None and series["name"] != name:
                continue
            by_run.setdefault(series["run_id"], {})[series["name"]] = self._shape(series)
        return by_run if recursive else by_run.get(self._id, {})

    def _shape(self, series: dict[str, Any]) -> Any:
        points = series["points"]
        if len(points) < series["point_count"]:
            path = f"/runs/{quote_path(series['run_id'])}/metrics/{quote_path(series['name'])}"
            points = list(self._client.pages(path, {"limit": _POINTS_PER_PAGE}))
        if series["kind"] == "row":
            return _columns([row_of(point) for point in points])
        found = _whole([value_of(point, series["kind"]) for point in points])
        return found[0] if len(found) == 1 else found


def value_of(point: dict[str, Any], kind: str) -> Any:
    """Return the value of a point. The numbers that JSON has no word for come as text."""
    if point.get("value") is not None:
        return float(point["value"])
    text = point.get("text", "")
    if kind == "number":
        return math.nan if text == "NaN" else float(text)
    return json.loads(text) if kind == "document" else text


def _whole(found: list[Any]) -> list[Any]:
    """Return a series of whole numbers as such: the server keeps floats and can not tell 3 from 3.0."""
    if all(isinstance(value, float) and value.is_integer() and abs(value) < 1 << 53 for value in found):
        return [int(value) for value in found]
    return found


def row_of(point: dict[str, Any]) -> dict[str, Any]:
    """Return the cells of a row by column."""
    return {key: _cell(value) for key, value in (point["row"] or {}).items()}


def _cell(value: Any) -> Any:
    if value in ("NaN", "Infinity", "-Infinity"):
        return float(value)
    return value


def _columns(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Return one row as it is; several as lists by column, with None where a row has no such cell."""
    if len(rows) == 1:
        return rows[0]
    names = list(dict.fromkeys(name for row in rows for name in row))
    return {name: [row.get(name) for row in rows] for name in names}
