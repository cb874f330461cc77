"""Reads the first rows of the Parquet file on its standard input, and prints them as JSON.

It is started by runs/views/parquet.py and is no module of the site: it imports nothing of it, and bounds itself first.
"""

import json
import resource
import sys
from contextlib import suppress
from typing import Any

_ROWS = 200
_COLUMNS = 50
_CELL_CHARACTERS = 500
_SECONDS = 10
_MEMORY = "256MB"
# Of addresses, of which DuckDB reserves many more than it ever fills.
_ADDRESS_SPACE_BYTES = 4 << 30
# 200 rows of 50 cells of 500 characters, each of up to six bytes as JSON writes it.
_ANSWER_BYTES = 32 << 20
_SOURCE = "/dev/fd/0"


def _bound() -> None:
    """Give this process little: no great memory, no long time, no more to write than an answer, no core to dump."""
    for limit, amount in (
        (resource.RLIMIT_AS, _ADDRESS_SPACE_BYTES),
        (resource.RLIMIT_CPU, _SECONDS),
        (resource.RLIMIT_FSIZE, _ANSWER_BYTES),
        (resource.RLIMIT_CORE, 0),
    ):
        with suppress(ValueError, OSError):  # macOS knows no limit of addresses
            resource.setrlimit(limit, (amount, amount))


def _read() -> dict[str, Any]:
    try:
        import duckdb
    except ImportError:
        return {"refusal": "this server has no reader for it, which is the package duckdb"}
    reader = duckdb.connect(":memory:", config={"threads": "1", "memory_limit": _MEMORY})
    for setting in (f"allowed_paths = ['{_SOURCE}']", "enable_external_access = false", "lock_configuration = true"):
        reader.execute(f"SET {setting}")
    table = f"read_parquet('{_SOURCE}', hive_partitioning = false)"
    try:
        names = [row[0] for row in reader.execute(f"DESCRIBE FROM {table}").fetchall()]
        shown = ", ".join(f"left(CAST({_quoted(name)} AS VARCHAR), {_CELL_CHARACTERS})" for name in names[:_COLUMNS])
        # The names are quoted, and the connection can read this one file only.
        rows = reader.execute(f"SELECT {shown} FROM {table} LIMIT {_ROWS}").fetchall()  # noqa: S608
        counted = reader.execute(f"SELECT num_rows FROM parquet_file_metadata('{_SOURCE}')").fetchall()  # noqa: S608
    except duckdb.Error as error:
        return {"refusal": str(error).splitlines()[0][:300]}
    header = [name[:_CELL_CHARACTERS] for name in names[:_COLUMNS]]
    return {"header": header, "rows": rows, "column_count": len(names), "row_count": counted[0][0]}


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


if __name__ == "__main__":
    _bound()
    json.dump(_read(), sys.stdout)
