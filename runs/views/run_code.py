"""Source text as highlighted HTML, by classes (static/css/run-code.css) and never by inline style."""

from dataclasses import dataclass

from django.utils.safestring import SafeString, mark_safe
from pygments import highlight
from pygments.formatters.html import HtmlFormatter
from pygments.lexers import get_lexer_for_filename
from pygments.lexers.data import JsonLexer
from pygments.lexers.special import TextLexer
from pygments.util import ClassNotFound

# What is shown of a file, and up to which size it is highlighted: a lexer takes its time.
SHOWN_BYTES = 512 * 1024
_HIGHLIGHTED_CHARACTERS = 200_000


@dataclass(frozen=True)
class Code:
    """A highlighted text, its line numbers, and whether it was cut."""

    html: SafeString
    line_numbers: range
    is_cut: bool


def of_file(path: str, data: bytes, *, is_cut: bool = False) -> Code:
    """Return the text of a file, highlighted as its name suggests."""
    text = data.decode("utf-8", "replace").removeprefix("\ufeff").replace("\x00", "\ufffd")
    try:
        lexer = get_lexer_for_filename(path, stripnl=False, ensurenl=False)
    except ClassNotFound:
        lexer = TextLexer(stripnl=False, ensurenl=False)
    return _highlighted(text, lexer, is_cut=is_cut)


def of_json(text: str) -> Code:
    """Return a JSON text, highlighted."""
    return _highlighted(text, JsonLexer(stripnl=False, ensurenl=False), is_cut=False)


def _highlighted(text: str, lexer: object, *, is_cut: bool) -> Code:
    if len(text) > _HIGHLIGHTED_CHARACTERS:
        lexer = TextLexer(stripnl=False, ensurenl=False)
    html = highlight(text, lexer, HtmlFormatter(nowrap=True, classprefix="tok-"))
    count = text.count("\n") + (not text.endswith("\n"))
    return Code(mark_safe(html), range(1, count + 1), is_cut)  # noqa: S308 - the formatter escapes
