"""How instants, numbers, statuses, ids and other people's words look."""

import math
from datetime import UTC, datetime

import pytest
from django.template import Context, Template
from django.test import RequestFactory
from django.utils import timezone

from runs.status import RunStatus
from runs.templatetags import studio


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "--"),
        (0, "0s"),
        (0.27, "0.2s"),
        (4.27, "4.2s"),
        (9.99, "9.9s"),
        (59, "59s"),
        (93.4, "1m 33s"),
        (3600, "1h 0m"),
        (7500, "2h 5m"),
        (90061, "1d 1h"),
    ],
)
def test_durations(seconds, text):
    assert studio.duration(seconds) == text


@pytest.mark.parametrize(
    ("value", "text", "full"),
    [
        (3424.3166882137343, "3424.32", "3424.3166882137343"),
        (1e-9, "1e-09", "1e-09"),
        (20.0, "20", "20.0"),
        (1234567, "1234567", "1234567"),
        (1e300, "1e+300", "1e+300"),
        (math.nan, "NaN", "nan"),
        (-math.inf, "-Infinity", "-inf"),
    ],
)
def test_numbers_have_six_digits_and_the_rest_on_hover(value, text, full):
    assert studio.number(value) == f'<span class="number" title="{full}">{text}</span>'


def test_a_missing_number_is_two_hyphens_and_a_text_stays():
    assert studio.number(None) == "--"
    assert studio.number("relu") == "relu"
    assert studio.number("it's <b> all", 9) == "it's <b>…"


def test_an_instant_names_its_zone_and_keeps_utc_on_hover():
    with timezone.override("Europe/Rome"):
        html = studio.instant(datetime(2026, 11, 23, 16, 18, 5, tzinfo=UTC))

    assert html == (
        '<time datetime="2026-11-23T16:18:05.000+00:00" title="2026-11-23 16:18:05 UTC">23 Nov 2026 17:18 CET</time>'
    )


@pytest.mark.parametrize("status", RunStatus)
def test_every_status_has_a_word_and_an_icon(status):
    html = studio.status_pill(status)

    assert "<use href=" in html
    assert html.endswith("</span>")


def test_a_long_id_is_cut_in_its_middle_and_whole_where_it_is_copied():
    html = studio.short_id("diabetes-experiment_1795467503_85dc912c")

    assert "diabetes-e…3_85dc912c" in html
    assert 'data-copy="diabetes-experiment_1795467503_85dc912c"' in html


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>",
        "[x](javascript:alert(1))",
        '<b hx-get="/x" hx-trigger="load">x</b>',
        "![x](http://elsewhere.example/x.png)",
        '<img src="x" onerror="alert(1)">',
    ],
)
def test_markdown_lets_nothing_through_that_acts(text):
    html = studio.markdown(text)

    assert "<script" not in html
    assert "<img" not in html
    assert "<b " not in html
    assert 'href="javascript' not in html


def test_markdown_is_markdown():
    assert "<strong>good</strong>" in studio.markdown("a **good** run")


def test_a_tag_is_escaped():
    html = studio.tag_chip("<i>", '"><script>')

    assert "<i>" not in html
    assert "<script>" not in html


def test_url_with_edits_the_query_string():
    request = RequestFactory().get("/here/", {"q": "a b", "cursor": "x", "v": "1"})
    template = Template("{% url_with order='-created' cursor=None %}|{% url_with q=None cursor=None %}")

    assert template.render(Context({"request": request})) == "/here/?q=a+b&amp;order=-created|/here/"


@pytest.mark.parametrize(("size", "text"), [(None, "--"), (0, "0\xa0bytes"), (1536, "1.5\xa0KB")])
def test_sizes(size, text):
    assert studio.bytes_(size) == text
