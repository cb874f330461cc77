"""The files of a run: which there are, and what is shown of one. Nothing a run wrote is ever run by a browser."""

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import BinaryIO

from runs import storage
from runs.models import Artifact, Run
from runs.views import notebooks, parquet, run_code

STANDARD_LOG = "user_logs/std_log.txt"
_LOG_FOLDERS = ("user_logs", "system_logs", "logs", "azureml-logs")
_PREVIEW_BYTES = 256 * 1024
_NOTEBOOK_BYTES = 8 * 2**20
# What a sandboxed frame may show.
PAGE_TYPES = {".html": "text/html; charset=utf-8", ".htm": "text/html; charset=utf-8", ".svg": "image/svg+xml"}
_TABLE_ROWS = 200
_TABLE_COLUMNS = 50
_CELL_CHARACTERS = 500

# Pictures that can hold no script, with how their bytes begin. SVG is none of them.
_PICTURES = {
    ".png": ("image/png", b"\x89PNG\r\n\x1a\n"),
    ".jpg": ("image/jpeg", b"\xff\xd8\xff"),
    ".jpeg": ("image/jpeg", b"\xff\xd8\xff"),
    ".gif": ("image/gif", b"GIF8"),
    ".webp": ("image/webp", b"RIFF"),
    ".bmp": ("image/bmp", b"BM"),
}


@dataclass(frozen=True)
class File:
    """One file of a run; a log grows by appending, another is stored whole."""

    path: str
    size_bytes: int
    is_log: bool


@dataclass
class Preview:
    """What is shown of a file that is no log: `kind` is image, table, markdown, notebook, code, columns or none.

    Of a table stored in columns that cannot be read here, `text` says why.
    """

    kind: str
    code: run_code.Code | None = None
    text: str = ""
    header: list[str] = field(default_factory=list)
    rows: Sequence[Sequence[str | None]] = ()
    is_cut: bool = False
    # Of all rows and columns of a table that knows.
    row_count: int | None = None
    column_count: int = 0
    cells: list[notebooks.Cell] = field(default_factory=list)
    # A page or drawing, which a frame without any rights may show.
    is_page: bool = False


def list_files(run: Run) -> list[File]:
    """Return the run's logs and artifacts, sorted by path. A log whose copy was stored as well is listed once."""
    logs = {stored.path: File(stored.path, stored.size_bytes, True) for stored in storage.list_logs(run.pk)}
    rows = Artifact.objects.filter(run=run).order_by("path").values_list("path", "size_bytes")
    files = {path: File(path, size, False) for path, size in rows} | logs
    if path := _log_to_come(run):
        files.setdefault(path, File(path, 0, True))
    return sorted(files.values(), key=lambda file: file.path)


def find(run: Run, path: str) -> File | None:
    """Return the run's file `path`, or None. Raises BadPath."""
    storage.check_path(path)
    if path == _log_to_come(run) or any(stored.path == path for stored in storage.list_logs(run.pk)):
        return File(path, storage.log_size(run.pk, path), True)
    size = Artifact.objects.filter(run=run, path=path).values_list("size_bytes", flat=True).first()
    return None if size is None else File(path, size, False)


def standard_log(run: Run) -> str:
    """Return the name of the log of what the script prints, of the latest attempt."""
    return storage.attempt_path(run.attempt_number, STANDARD_LOG)


def _log_to_come(run: Run) -> str:
    """Return the log that a run on a worker has or will have: its page waits for the first line. Else empty."""
    return standard_log(run) if run.compute_target_id is not None and not run.is_terminal else ""


def picture_type(path: str, beginning: bytes) -> str:
    """Return the media type of a picture that is safe to show, by its name and its bytes alike; else empty."""
    media_type, magic = _PICTURES.get(PurePosixPath(path).suffix.lower(), ("", b"\x00"))
    return media_type if beginning.startswith(magic) else ""


def preview(run: Run, file: File) -> Preview:
    """Return what is shown of an artifact. Raises FileNotFoundError."""
    with storage.open_artifact(run.pk, file.path) as handle:
        return _preview(file, handle)


def _preview(file: File, handle: BinaryIO) -> Preview:
    data = handle.read(_PREVIEW_BYTES)
    is_cut = file.size_bytes > len(data)
    name = PurePosixPath(file.path)
    suffix = name.suffix.lower()
    if picture_type(file.path, data):
        return Preview("image")
    if suffix in (".parquet", ".feather", ".arrow"):
        return _columns(handle) if suffix == ".parquet" else Preview("columns")
    if b"\x00" in data:
        return Preview("none")
    if is_cut and suffix != ".ipynb":
        data = data[: data.rfind(b"\n") + 1] or data
    text = data.decode("utf-8", "replace").removeprefix("\ufeff")
    if suffix in (".csv", ".tsv"):
        return _table(text, "\t" if suffix == ".tsv" else ",", is_cut=is_cut)
    if suffix in (".md", ".markdown"):
        return Preview("markdown", text=text, is_cut=is_cut)
    if suffix == ".ipynb":
        whole = data + handle.read(_NOTEBOOK_BYTES) if is_cut else data
        if cells := notebooks.cells_of(whole):
            return Preview("notebook", cells=cells)
    if suffix == ".json" and not is_cut:
        data = _indented(text).encode()
    code = run_code.of_file(name.name, data, is_cut=is_cut)
    return Preview("code", code=code, is_cut=is_cut, is_page=suffix in PAGE_TYPES)


def _table(text: str, delimiter: str, *, is_cut: bool) -> Preview:
    rows: list[list[str]] = []
    try:
        for row in csv.reader(io.StringIO(text), delimiter=delimiter):
            rows.append([cell[:_CELL_CHARACTERS] for cell in row[:_TABLE_COLUMNS]])
            if len(rows) > _TABLE_ROWS:
                is_cut = True
                break
    except csv.Error:
        return Preview("code", code=run_code.of_file("text.txt", text.encode(), is_cut=is_cut), is_cut=is_cut)
    return Preview("table", header=rows[0] if rows else [], rows=rows[1 : _TABLE_ROWS + 1], is_cut=is_cut)


def _columns(handle: BinaryIO) -> Preview:
    try:
        table = parquet.first_rows(handle)
    except parquet.Unreadable as refusal:
        return Preview("columns", text=str(refusal))
    return Preview(
        "table",
        header=table.header,
        rows=table.rows,
        is_cut=len(table.rows) < table.row_count or len(table.header) < table.column_count,
        row_count=table.row_count,
        column_count=table.column_count,
    )


def _indented(text: str) -> str:
    try:
        return json.dumps(json.loads(text), indent=2, ensure_ascii=False)
    except (ValueError, RecursionError):
        return text
