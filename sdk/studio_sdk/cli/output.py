"""How answers are printed: JSON, YAML, tab-separated, or a table; filtered by JMESPath."""

from __future__ import annotations

import json
import sys
from enum import Enum
from pathlib import Path
from typing import Any, Optional

import jmespath  # type: ignore[import-untyped,unused-ignore]
import yaml
from rich.console import Console
from rich.table import Table

from studio_sdk.exceptions import UserErrorException

# What a table shows of a document that has more fields than a terminal has columns.
_COLUMNS = {
    "pipeline_id": (
        "id",
        "name",
        "pipeline",
        "pipeline_version",
        "status",
        "cron",
        "recurrence",
        "time_zone",
        "next_utc",
    ),
    "endpoint": ("id", "name", "version", "label", "is_enabled", "published_utc", "published_by"),
    "run_id": ("run_number", "run_id", "experiment", "status", "created_utc", "submitted_by", "compute_target", "tags"),
    "slots": ("name", "slots", "is_enabled", "running", "queued"),
}


class Format(str, Enum):
    """The formats."""

    json = "json"
    table = "table"
    tsv = "tsv"
    yaml = "yaml"


def emit(data: Any, *, output: Format, query: Optional[str] = None, file: Optional[Path] = None) -> None:
    """Print `data`; also write it to `file`, which `check_file` has looked at before."""
    if file is not None:
        with file.open("x", encoding="utf-8") as target:
            json.dump(data, target, indent=2, ensure_ascii=False)
    if query:
        data = check_query(query).search(data)
    if output is Format.json:
        _print(json.dumps(data, indent=2, ensure_ascii=False))
    elif output is Format.yaml:
        _print(yaml.safe_dump(data, sort_keys=False, allow_unicode=True).rstrip("\n").removesuffix("\n..."))
    elif output is Format.tsv:
        for row in _rows(data):
            _print("\t".join(_cell(value) for value in row.values()))
    else:
        _table(data, is_whole=not query)


def check_query(query: str) -> Any:
    """Return the expression. Raises UserErrorException where it can not be read."""
    try:
        return jmespath.compile(query)
    except jmespath.exceptions.JMESPathError as error:
        raise UserErrorException(f"--query is no JMESPath expression: {error}") from error


def check_file(file: Optional[Path]) -> None:
    """Raise UserErrorException if the file for the answer is there already."""
    if file is not None and file.exists():
        raise UserErrorException(f"{file} is there already.")


def _print(text: str) -> None:
    sys.stdout.write(text + "\n")


def _table(data: Any, *, is_whole: bool) -> None:
    rows = _rows(data)
    if not rows:
        return
    table = Table(box=None, header_style="bold", pad_edge=False)
    names = list(dict.fromkeys(name for row in rows for name in row))
    chosen = next((columns for key, columns in _COLUMNS.items() if is_whole and key in names), None)
    names = [name for name in chosen if name in names] if chosen else names
    for name in names:
        table.add_column(name, overflow="fold")
    for row in rows:
        table.add_row(*(_cell(row.get(name)) for name in names))
    # A file or a pipe has no width: nothing is folded there.
    Console(file=sys.stdout, width=None if sys.stdout.isatty() else 1_000, markup=False).print(table)


def _rows(data: Any) -> list[dict[str, Any]]:
    if data is None:
        return []
    items = data if isinstance(data, list) else [data]
    return [_row(item) for item in items]


def _row(item: Any) -> dict[str, Any]:
    if isinstance(item, dict):
        return item
    if isinstance(item, list):
        return {f"column_{number}": value for number, value in enumerate(item, start=1)}
    return {"result": item}


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, dict):
        return ", ".join(key if inner is None else f"{key}={_cell(inner)}" for key, inner in value.items())
    if isinstance(value, list):
        return ", ".join(_cell(inner) for inner in value)
    return str(value)
