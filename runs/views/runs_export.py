"""A table's runs as a file: all that its search finds, written row by row, so that a hundred thousand fit."""

import csv
import itertools
import json
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any

from django.http import Http404, StreamingHttpResponse
from django.utils import timezone
from django.utils.text import slugify
from django.views.decorators.http import require_GET

from runs import limits, permissions
from runs.models import Experiment, Run
from runs.search import Found, orders
from runs.search.paging import Page
from runs.views import columns, run_table, runs_bulk
from runs.views.columns import Column
from runs.views.request import SignedInRequest

_TYPES = {"csv": "text/csv; charset=utf-8", "json": "application/json"}
# The file begins at once.
_FIRST_ROWS = 100
# A spreadsheet takes a text that begins so for a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


@require_GET
def runs_export(
    request: SignedInRequest, workspace_name: str, form: str, experiment_name: str = ""
) -> StreamingHttpResponse:
    """Send all runs that the table's address finds, in its order and with its columns, as CSV or JSON."""
    workspace = permissions.get_workspace(request.user, workspace_name)
    if form not in _TYPES:
        raise Http404

    runs, experiment, narrowed_by = runs_bulk.scope(workspace, experiment_name, request.GET.get("tile", ""))
    shown = run_table.chosen_columns(request.GET, experiment)
    if "run_id" not in {column.name for column in shown}:
        shown.insert(1, columns.ATTRIBUTES["run_id"])
    found = run_table.matching(request.GET, runs, user=request.user, at=timezone.now(), narrowed_by=narrowed_by)
    # The first page now: a mistake in the order is an answer, not a broken file.
    rows = _rows(found, shown, experiment)
    first = next(rows, [])

    lines = _csv(shown, first, rows) if form == "csv" else _json(shown, first, rows)
    name = f"{slugify(experiment_name or workspace_name) or 'runs'}.{form}"
    return StreamingHttpResponse(
        lines, content_type=_TYPES[form], headers={"Content-Disposition": f'attachment; filename="{name}"'}
    )


def _rows(found: Found, shown: list[Column], experiment: Experiment | None) -> Iterator[list[tuple[Any, ...]]]:
    """Yield the values of all rows, a page at a time."""
    cursor, limit = "", min(_FIRST_ROWS, limits.PAGE_ROWS)
    # Rows rather than runs: to make an object of each and of all that it refers to took most of the time.
    listed: Any = Run.objects.values_list(*columns.paths(shown), named=True)
    while True:
        page: Page[Any] = orders.paginate(
            found, order=found.order, cursor=cursor, limit=limit, experiment=experiment, rows=listed
        )
        extras = columns.load([row.pk for row in page.items], shown)
        yield list(zip(*columns.values(page.items, shown, extras), strict=True))
        cursor, limit = page.next, limits.PAGE_ROWS
        if not cursor:
            return


def _csv(shown: list[Column], first: list[tuple[Any, ...]], rest: Iterable[list[tuple[Any, ...]]]) -> Iterator[str]:
    writer = csv.writer(_Echo())
    yield writer.writerow([column.name for column in shown])
    for page in itertools.chain([first], rest):
        yield "".join([writer.writerow(map(_cell, row)) for row in page])


def _json(shown: list[Column], first: list[tuple[Any, ...]], rest: Iterable[list[tuple[Any, ...]]]) -> Iterator[str]:
    names, comma = [column.name for column in shown], ""
    encode = json.JSONEncoder(ensure_ascii=False).encode
    yield "["
    for page in itertools.chain([first], rest):
        if page:
            yield comma + ",".join(["\n" + encode(dict(zip(names, map(_plain, row), strict=True))) for row in page])
            comma = ","
    yield "\n]\n"


class _Echo:
    """A file that gives back what is written: the csv module's rows as texts."""

    def write(self, text: str) -> str:
        """Return `text`."""
        return text


def _plain(value: Any) -> Any:
    """Return a value as JSON has it: instants in UTC, tags as an object."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    return dict(value) if isinstance(value, list) else value


def _cell(value: Any) -> Any:
    plain = _plain(value)
    if isinstance(plain, dict):
        plain = "; ".join(key if text is None else f"{key}: {text}" for key, text in plain.items())
    return f"'{plain}" if isinstance(plain, str) and plain.startswith(_FORMULA) else plain
