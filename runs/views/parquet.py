"""The first rows of a Parquet file, read by a process of its own: whatever the file does to its reader ends there.

The reader is started without the site's settings and secrets, and is bounded in memory,
time and what it may open or write: docs/adr/0014.
"""

import json
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import BinaryIO, NamedTuple

from django.utils.translation import gettext as _

_READER = Path(__file__).with_name("parquet_reader.py")
# The reader ends itself after ten seconds of computing; this is for one that waits.
_SECONDS = 12.0
# So many files are read at once, each by a process.
_READERS = threading.BoundedSemaphore(2)


class Table(NamedTuple):
    """The beginning of a table, and how much of it there is; a cell is a text, or None for nothing."""

    header: list[str]
    rows: list[list[str | None]]
    column_count: int
    row_count: int


class Unreadable(ValueError):
    """No rows can be shown of this file; the message says why."""


def first_rows(handle: BinaryIO) -> Table:
    """Return the first rows of a Parquet file. Raises Unreadable."""
    if not _READERS.acquire(timeout=_SECONDS):
        raise Unreadable(_("other tables are being read, load the page again"))
    try:
        with tempfile.TemporaryFile() as answer:
            subprocess.run(
                [sys.executable, "-I", _READER],
                stdin=handle,
                stdout=answer,
                stderr=subprocess.DEVNULL,
                cwd="/",
                env={},
                timeout=_SECONDS,
                check=False,
            )
            answer.seek(0)
            found = json.load(answer)
    except subprocess.TimeoutExpired:
        raise Unreadable(_("it takes too long")) from None
    except ValueError:
        raise Unreadable(_("its reader stopped")) from None
    finally:
        _READERS.release()
    if "refusal" in found:
        raise Unreadable(found["refusal"])
    return Table(**found)
