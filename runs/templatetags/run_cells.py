"""How a cell of a table of runs looks, by the kind of its column. One tag for all: a page has hundreds of cells."""

from collections.abc import Callable
from typing import Any

from django import template
from django.urls import reverse
from django.utils.html import conditional_escape, format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import ngettext

from runs.models import Run
from runs.templatetags import studio

register = template.Library()

_TAGS_SHOWN = 4
_LONGEST_TEXT = 300


@register.simple_tag
def run_cell(kind: str, value: Any, run: Run) -> SafeString | str:
    """Return the content of one cell."""
    if value is None or value == "" or value == []:
        if kind == "duration":
            return studio.run_duration(run)
        return format_html('<span class="muted">{}</span>', studio.MISSING)
    return _KINDS.get(kind, _text)(value, run)


def _text(value: Any, run: Run) -> SafeString:
    text = str(value)
    return format_html('<span class="clip" title="{}">{}</span>', text[:_LONGEST_TEXT], text[:_LONGEST_TEXT])


def _number(value: Any, run: Run) -> SafeString | str:
    return _text(value, run) if isinstance(value, str) else conditional_escape(studio.number(value))


def _best(value: Any, run: Run) -> SafeString:
    text = ngettext("The best of %d child run", "The best of %d child runs", value.count) % value.count
    return format_html(
        '<span class="best" title="{}">{} {}</span>', text, studio.number(value.value), studio.icon("flow", text)
    )


def _experiment(value: str, run: Run) -> SafeString:
    href = reverse("experiment_detail", args=[run.workspace.name, value])
    return format_html('<a class="clip" href="{}">{}</a>', href, value)


def _tags(value: list[tuple[str, str | None]], run: Run) -> SafeString:
    chips = format_html_join("", "<li>{}</li>", ((studio.tag_chip(*tag),) for tag in value[:_TAGS_SHOWN]))
    more = len(value) - _TAGS_SHOWN
    rest = format_html('<li class="muted">+{}</li>', more) if more > 0 else ""
    return format_html('<ul class="chips">{}{}</ul>', chips, rest)


_KINDS: dict[str, Callable[[Any, Run], SafeString | str]] = {
    "text": _text,
    "value": _text,
    "best": _best,
    "number": _number,
    "instant": lambda value, run: studio.instant(value),
    "duration": lambda value, run: studio.run_duration(run),
    "status": lambda value, run: studio.status_pill(value),
    "tags": _tags,
    "id": lambda value, run: studio.short_id(value, run.get_absolute_url()),
    "run": lambda value, run: studio.short_id(value, reverse("run_detail", args=[value])),
    "experiment": _experiment,
}
