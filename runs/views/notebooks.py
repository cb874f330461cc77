"""A Jupyter notebook as parts that can be shown: code and Markdown, what was printed, and pictures of pixels.

Its HTML and scripts are left out: nothing that a run wrote is ever run by a browser.
"""

import base64
import binascii
import json
from dataclasses import dataclass, field
from typing import Any

from runs.views import run_code

_CELLS = 500
_OUTPUTS = 50
_TEXT_CHARACTERS = 20_000
_PICTURE_CHARACTERS = 4 * 2**20
_PICTURES = {"image/png": b"\x89PNG\r\n\x1a\n", "image/jpeg": b"\xff\xd8\xff"}


@dataclass(frozen=True)
class Output:
    """What a cell gave: a text, a picture as a data address, or the name of what is left out."""

    kind: str
    text: str


@dataclass(frozen=True)
class Cell:
    """A cell: Markdown, or code with what it gave."""

    kind: str
    text: str = ""
    code: run_code.Code | None = None
    count: str = ""
    outputs: list[Output] = field(default_factory=list)


def cells_of(data: bytes) -> list[Cell]:
    """Return the cells of a notebook, or none if it is no notebook."""
    try:
        document = json.loads(data)
        cells = document["cells"][:_CELLS]
        suffix = _suffix(document)
        return [_cell(cell, suffix) for cell in cells if isinstance(cell, dict)]
    except (ValueError, RecursionError, KeyError, TypeError, AttributeError):
        return []


def _cell(cell: dict[str, Any], suffix: str) -> Cell:
    text = _text(cell.get("source", ""))
    if cell.get("cell_type") == "markdown":
        return Cell("markdown", text)
    if cell.get("cell_type") != "code":
        return Cell("text", text)
    outputs = [_output(output) for output in list(cell.get("outputs") or [])[:_OUTPUTS]]
    return Cell(
        "code", text, run_code.of_file(f"cell{suffix}", text.encode()), str(cell.get("execution_count") or ""), outputs
    )


def _output(output: dict[str, Any]) -> Output:
    if output.get("output_type") == "stream":
        return Output("text", _text(output.get("text", "")))
    if output.get("output_type") == "error":
        return Output("error", f"{output.get('ename', '')}: {output.get('evalue', '')}"[:_TEXT_CHARACTERS])
    data = output.get("data") or {}
    for kind, magic in _PICTURES.items():
        if (picture := "".join(_text(data.get(kind, "")).split())) and len(picture) <= _PICTURE_CHARACTERS:
            try:
                if base64.b64decode(picture, validate=True).startswith(magic):
                    return Output("picture", f"data:{kind};base64,{picture}")
            except binascii.Error:
                continue
    if "text/plain" in data:
        return Output("text", _text(data["text/plain"]))
    return Output("left_out", ", ".join(sorted(map(str, data)))[:200])


def _text(value: Any) -> str:
    text = "".join(map(str, value)) if isinstance(value, list) else str(value)
    return text[: _PICTURE_CHARACTERS if text[:4] in ("iVBO", "/9j/") else _TEXT_CHARACTERS]


def _suffix(document: dict[str, Any]) -> str:
    name = str(((document.get("metadata") or {}).get("language_info") or {}).get("file_extension") or ".py")
    return name if name.startswith(".") and name[1:].isalnum() else ".py"
