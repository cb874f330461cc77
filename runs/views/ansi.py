"""Terminal output as HTML: colors and styles become classes, all other control is dropped.

The text is escaped, so that nothing in a log can become markup; the only escape sequences
with an effect are SGR (colors, bold and the like) and "erase in line". Links (OSC 8),
titles and cursor moves vanish. Carriage returns overwrite, as on a terminal. Time is
linear in the length of the text.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe

# In this order: CSI; OSC, DCS and their like with a terminator; any other escape, also an unfinished one.
# Possessive quantifiers: none of it is read twice.
_ESCAPE = re.compile(
    r"\x1b\[(?P<parameters>[0-9;:<=>?]*+)[ -/]*+(?P<final>[@-~])"
    r"|\x1b[\]PX^_][^\x07\x1b]*+(?:\x07|\x1b\\)"
    r"|\x1b[ -/]*+[0-~]?"
)
_NEEDS_CELLS = re.compile("[\r\b\x1b]")
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\u202a-\u202e\u2066-\u2069]")
_LONGEST_PARAMETERS = 32


@dataclass(frozen=True)
class Style:
    """How characters look: colors are 0 to 15, the sixteen of a terminal, or None."""

    color: int | None = None
    ground: int | None = None
    bold: bool = False
    dim: bool = False
    italic: bool = False
    underline: bool = False
    strike: bool = False
    inverse: bool = False

    def classes(self) -> str:
        """Return the CSS classes that show it."""
        names = [name for name in ("bold", "dim", "italic", "underline", "strike", "inverse") if getattr(self, name)]
        if self.color is not None:
            names.append(f"fg-{self.color}")
        if self.ground is not None:
            names.append(f"bg-{self.ground}")
        return " ".join(f"ansi-{name}" for name in names)


PLAIN = Style()
_SET = {1: "bold", 2: "dim", 3: "italic", 4: "underline", 7: "inverse", 9: "strike"}
_UNSET: dict[int, dict[str, Any]] = {
    22: {"bold": False, "dim": False},
    23: {"italic": False},
    24: {"underline": False},
    27: {"inverse": False},
    29: {"strike": False},
    39: {"color": None},
    49: {"ground": None},
}
# The sixteen as a usual terminal mixes them: finer colors are shown as the nearest of these, which are
# readable on light and dark ground (static/css/run-log.css).
_PALETTE = [
    (0, 0, 0), (187, 0, 0), (0, 187, 0), (187, 187, 0), (0, 0, 187), (187, 0, 187), (0, 187, 187), (187, 187, 187),
    (85, 85, 85), (255, 85, 85), (85, 255, 85), (255, 255, 85), (85, 85, 255), (255, 85, 255), (85, 255, 255),
    (255, 255, 255),
]  # fmt: skip


def render(lines: Iterable[str], *, before: str = "") -> list[SafeString]:
    """Return `lines` as HTML, one each. A style goes on to the next line; `before` is the text that precedes them."""
    style = PLAIN
    for match in _ESCAPE.finditer(before):
        if match["final"] == "m":
            style = _styled(style, match["parameters"])
    rendered = []
    for line in lines:
        html, style = _render_line(line, style)
        rendered.append(html)
    return rendered


def plain(text: str) -> str:
    """Return `text` without escape sequences, as plain text for excerpts."""
    return _visible(_ESCAPE.sub("", text).replace("\r", " "))


def _render_line(line: str, style: Style) -> tuple[SafeString, Style]:
    line = line.removesuffix("\r")
    if not _NEEDS_CELLS.search(line):
        return _span(line, style), style
    cells: list[tuple[str, Style]] = []
    cursor = position = 0
    for match in _ESCAPE.finditer(line):
        cursor = _write(cells, cursor, line[position : match.start()], style)
        position = match.end()
        if match["final"] == "m":
            style = _styled(style, match["parameters"])
        elif match["final"] == "K":
            _erase(cells, cursor, match["parameters"])
    _write(cells, cursor, line[position:], style)
    parts: list[str] = []
    start = 0
    for end in range(1, len(cells) + 1):
        if end == len(cells) or cells[end][1] != cells[start][1]:
            parts.append(_span("".join(character for character, _ in cells[start:end]), cells[start][1]))
            start = end
    return mark_safe("".join(parts)), style  # noqa: S308 - each part is escaped


def _write(cells: list[tuple[str, Style]], cursor: int, text: str, style: Style) -> int:
    """Write `text` over `cells` from `cursor` on, and return where the cursor is then."""
    for character in text:
        if character == "\r":
            cursor = 0
        elif character == "\b":
            cursor = max(0, cursor - 1)
        else:
            if cursor < len(cells):
                cells[cursor] = (character, style)
            else:
                cells.append((character, style))
            cursor += 1
    return cursor


def _erase(cells: list[tuple[str, Style]], cursor: int, parameters: str) -> None:
    if parameters in ("", "0"):
        del cells[cursor:]
    elif parameters in ("1", "2"):
        keep = cells[cursor:] if parameters == "1" else []
        cells[:] = [(" ", PLAIN)] * min(cursor, len(cells)) + keep


def _styled(style: Style, parameters: str) -> Style:
    """Return `style` after one SGR sequence; what is not understood changes nothing."""
    words = parameters.replace(":", ";").split(";", _LONGEST_PARAMETERS)[:_LONGEST_PARAMETERS]
    codes = [int(word[:4]) if word.isascii() and word.isdigit() else 0 if word == "" else -1 for word in words]
    while codes:
        code = codes.pop(0)
        if code == 0:
            style = PLAIN
        elif code in _SET:
            marked: dict[str, Any] = {_SET[code]: True}
            style = replace(style, **marked)
        elif code in _UNSET:
            style = replace(style, **_UNSET[code])
        elif code in (38, 48):
            color, codes = _extended(codes)
            if color is not None:
                style = replace(style, color=color) if code == 38 else replace(style, ground=color)
        elif 30 <= code <= 37 or 90 <= code <= 97:
            style = replace(style, color=code - 30 if code < 90 else code - 82)
        elif 40 <= code <= 47 or 100 <= code <= 107:
            style = replace(style, ground=code - 40 if code < 100 else code - 92)
    return style


def _extended(codes: list[int]) -> tuple[int | None, list[int]]:
    """Return the color of `38;5;n` or `38;2;r;g;b`, given what follows the 38, and what follows that."""
    if codes[:1] == [5] and len(codes) > 1:
        return _of_256(codes[1]), codes[2:]
    if codes[:1] == [2] and len(codes) > 3:
        return _nearest(codes[1], codes[2], codes[3]), codes[4:]
    return None, []


def _of_256(number: int) -> int | None:
    if not 0 <= number <= 255:
        return None
    if number < 16:
        return number
    if number >= 232:
        gray = 8 + 10 * (number - 232)
        return _nearest(gray, gray, gray)
    cube = number - 16
    red, green, blue = (0 if step == 0 else 55 + 40 * step for step in (cube // 36, cube // 6 % 6, cube % 6))
    return _nearest(red, green, blue)


def _nearest(red: int, green: int, blue: int) -> int:
    def distance(number: int) -> int:
        r, g, b = _PALETTE[number]
        return (r - red) ** 2 + (g - green) ** 2 + (b - blue) ** 2

    return min(range(16), key=distance)


def _span(text: str, style: Style) -> SafeString:
    escaped = escape(_visible(text))
    if style == PLAIN or not text:
        return escaped
    return mark_safe(f'<span class="{style.classes()}">{escaped}</span>')  # noqa: S308 - escaped above


def _visible(text: str) -> str:
    """Return `text` with control characters, also those that turn the direction of writing, as signs for them."""
    return _CONTROL.sub(
        lambda match: chr(0x2400 + ord(match[0])) if match[0] < " " else "\N{REPLACEMENT CHARACTER}", text
    )
