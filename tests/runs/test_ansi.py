"""Terminal output as HTML: harmless whatever it holds, and quick."""

import gc
import html
import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runs.views import ansi

_TAGS = re.compile(r'<span class="(ansi-[a-z]+(-\d+)? ?)+">|</span>')


def one(line: str, **context: str) -> str:
    [rendered] = ansi.render([line], **context)
    return str(rendered)


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("plain", "plain"),
        ("<script>alert(1)</script>", "&lt;script&gt;alert(1)&lt;/script&gt;"),
        ("\x1b[31mred\x1b[0m plain", '<span class="ansi-fg-1">red</span> plain'),
        ("\x1b[1;4;92mx", '<span class="ansi-bold ansi-underline ansi-fg-10">x</span>'),
        ("\x1b[41mx\x1b[49my", '<span class="ansi-bg-1">x</span>y'),
        ("\x1b[38;5;203mx", '<span class="ansi-fg-9">x</span>'),
        ("\x1b[38;2;0;190;0mx", '<span class="ansi-fg-2">x</span>'),
        ("\x1b[38:2:0:190:0mx", '<span class="ansi-fg-2">x</span>'),
        ("\x1b[38;5mx", "x"),
        ("\x1b[mx", "x"),
        ("\x1b[999999999999999999mx", "x"),
        ("\x1b]8;;javascript:alert(1)\x1b\\click\x1b]8;;\x1b\\", "click"),
        ("\x1b]0;title\x07text", "text"),
        ("\x1b]8;;never ends", "8;;never ends"),
        ("\x1b[2J\x1b[10;10Htext\x1b[?25l", "text"),
        ("10%\r20%\r30%", "30%"),
        ("longer line\rshort", "shortr line"),
        ("longer line\r\x1b[Kshort", "short"),
        ("longer line\r\x1b[2Kshort", "short"),
        ("\x1b[32mok\r\x1b[31mno", '<span class="ansi-fg-1">no</span>'),
        ("windows\r", "windows"),
        ("a\bb", "b"),
        ("nul\x00", "nul\u2400"),
        ("\u202eevil", "\ufffdevil"),
        ("\x1b[31m\"'&<", '<span class="ansi-fg-1">&quot;&#x27;&amp;&lt;</span>'),
        ("\x1b", ""),
        ("\x1b[", ""),
    ],
)
def test_a_line_is_shown(line: str, shown: str):
    assert one(line) == shown


def test_a_style_goes_on_to_the_next_line():
    assert ansi.render(["\x1b[31mone", "two\x1b[0m", "three"]) == [
        '<span class="ansi-fg-1">one</span>',
        '<span class="ansi-fg-1">two</span>',
        "three",
    ]


def test_a_style_comes_from_the_text_before_the_window():
    assert one("x", before="\x1b[31mabove\n") == '<span class="ansi-fg-1">x</span>'


@given(st.lists(st.text(st.sampled_from(list("\x1b[]0123;:mKPX^_\\\x07\r\b<>&\"'a\u0000\u009b \ud800")), max_size=60)))
def test_nothing_becomes_markup_but_our_own_spans(lines: list[str]):
    for rendered in ansi.render(lines):
        rest = _TAGS.sub("", rendered)

        assert "<" not in rest
        assert ">" not in rest
        assert "\x1b" not in html.unescape(rest)
        assert rendered.count("<span") == rendered.count("</span>")


@pytest.mark.parametrize("unit", ["\x1b[", "\x1b]", "\x1b[1;", "\x1b[31mx", "\x1b]8;;", "x\r", "\x1b[;", "\x1bP"])
def test_the_work_is_linear_in_the_length(unit: str):
    def seconds(count: int) -> float:
        start = time.process_time()
        ansi.render([unit * count])
        return time.process_time() - start

    # The best of five in turn, in CPU time: quadratic work would be four hundred times as much. Without the garbage
    # collector, which would look at all that the tests before left in this process.
    gc.disable()
    try:
        tries = [(seconds(2_500), seconds(50_000)) for _ in range(5)]
    finally:
        gc.enable()
    few, many = (min(each) for each in zip(*tries, strict=True))
    assert many < 100 * max(few, 0.002)


def test_plain_text_for_excerpts_has_no_escapes():
    assert ansi.plain("\x1b[31mred\x1b[0m\rover") == "red over"
