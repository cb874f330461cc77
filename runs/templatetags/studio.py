"""Template tags and filters that every template may use: how instants, numbers, statuses and ids look."""

import math
from datetime import datetime
from typing import Any

import nh3
from django import template
from django.conf import settings
from django.http import HttpRequest
from django.template.defaultfilters import filesizeformat
from django.templatetags.static import static
from django.utils import timezone
from django.utils.formats import date_format, number_format
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe
from django.utils.text import Truncator
from django.utils.translation import get_language, gettext_lazy, pgettext_lazy
from django.utils.translation import gettext as _
from markdown_it import MarkdownIt

from runs.models import Run, Workspace
from runs.status import TILES, RunStatus, Tile
from runs.translation import translated

register = template.Library()

MISSING = "--"
SPRITE = "vendor/fluent-icons-1.1.343.svg"
_SHORT_ID_LENGTH = 22

# For each status: the word shown, its icon, its tone (tokens.css).
_STATUSES = {
    RunStatus.NOT_STARTED: (gettext_lazy("Not started"), "clock", "wait"),
    RunStatus.QUEUED: (gettext_lazy("Queued"), "clock", "wait"),
    RunStatus.PREPARING: (gettext_lazy("Preparing"), "arrow-sync-circle", "busy"),
    RunStatus.STARTING: (gettext_lazy("Starting"), "arrow-sync-circle", "busy"),
    RunStatus.RUNNING: (gettext_lazy("Running"), "play-circle", "busy"),
    RunStatus.FINALIZING: (gettext_lazy("Finalizing"), "arrow-sync-circle", "busy"),
    RunStatus.CANCEL_REQUESTED: (gettext_lazy("Cancel requested"), "warning", "care"),
    RunStatus.NOT_RESPONDING: (gettext_lazy("Not responding"), "warning", "care"),
    RunStatus.COMPLETED: (gettext_lazy("Completed"), "checkmark-circle", "good"),
    RunStatus.FAILED: (gettext_lazy("Failed"), "dismiss-circle", "bad"),
    RunStatus.CANCELED: (gettext_lazy("Canceled"), "prohibited", "off"),
}
_TILES = {
    # These stand beside a number: other languages put them in the plural.
    Tile.RUNNING: (pgettext_lazy("runs", "Running"), "play-circle", "busy"),
    Tile.COMPLETED: (pgettext_lazy("runs", "Completed"), "checkmark-circle", "good"),
    Tile.FAILED: (pgettext_lazy("runs", "Failed"), "dismiss-circle", "bad"),
    Tile.OTHER: (pgettext_lazy("runs", "Other"), "clock", "wait"),
}
# Raw HTML stays text. Images are left out: they would ask other hosts.
_MARKDOWN = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"]).disable("image")
_MARKDOWN_TAGS = nh3.ALLOWED_TAGS - {"img", "map", "area"}


@register.simple_tag
def icon(name: str, label: str = "") -> SafeString:
    """Return an icon of the sprite. Without a label it is decoration, hidden from screen readers."""
    href = f"{static(SPRITE)}#{name}"
    if label:
        return format_html('<svg class="icon" role="img" aria-label="{}"><use href="{}"></use></svg>', label, href)
    return format_html('<svg class="icon" aria-hidden="true"><use href="{}"></use></svg>', href)


def look_of(status: str) -> tuple[Any, str, str]:
    """Return the word, the icon and the tone of a status."""
    return _STATUSES[RunStatus(status)]


@register.simple_tag
def status_pill(status: str, large: bool = False) -> SafeString:
    """Return a status as icon and word, never as color alone; in another language hover has its published name."""
    word, symbol, tone = _STATUSES[RunStatus(status)]
    published = attributes(title=None if get_language() == settings.LANGUAGE_CODE else RunStatus(status).value)
    size = " large" if large else ""
    return format_html('<span class="pill tone-{}{}"{}>{}{}</span>', tone, size, published, icon(symbol), word)


@register.simple_tag
def status_icon(status: str) -> SafeString:
    """Return a status as its icon alone, named for screen readers: for narrow lists."""
    word, symbol, tone = look_of(status)
    return format_html('<span class="status-icon tone-{}" title="{}">{}</span>', tone, word, icon(symbol, str(word)))


@register.simple_tag
def tile_icon(tile: str) -> SafeString:
    """Return the icon of a status tile."""
    return icon(_TILES[Tile(tile)][1])


@register.filter
def tile_word(tile: str) -> str:
    """Return the word of a status tile."""
    return str(_TILES[Tile(tile)][0])


@register.filter
def tile_query(tile: str) -> str:
    """Return the search that finds what a status tile counts."""
    return "status:" + ",".join(sorted(TILES[Tile(tile)]))


@register.filter
def tile_tone(tile: str) -> str:
    """Return the tone of a status tile."""
    return _TILES[Tile(tile)][2]


@register.simple_tag
def tag_chip(key: str, value: str | None = None, href: str = "") -> SafeString:
    """Return a tag as a chip, linked where `href` says what shows its like."""
    text = key if value is None else f"{key}: {value}"
    if href:
        return format_html('<a class="chip" href="{}" title="{}"><span>{}</span></a>', href, text, text)
    return format_html('<span class="chip" title="{}"><span>{}</span></span>', text, text)


@register.simple_tag
def copy_button(text: str, label: str = "") -> SafeString:
    """Return a button that copies `text`; it shows only where scripts run."""
    return format_html(
        '<button type="button" class="icon-button needs-script" data-copy="{}" title="{}" aria-label="{}">{}</button>',
        text,
        label or _("Copy"),
        label or _("Copy"),
        icon("copy"),
    )


@register.simple_tag
def short_id(value: str, href: str = "") -> SafeString:
    """Return an id cut in its middle, whole on hover, with a button that copies it."""
    cut = value
    if len(value) > _SHORT_ID_LENGTH:
        half = (_SHORT_ID_LENGTH - 1) // 2
        cut = f"{value[:half]}\N{HORIZONTAL ELLIPSIS}{value[-half:]}"
    shown = format_html('<span class="mono" title="{}">{}</span>', value, cut)
    if href:
        shown = format_html('<a class="mono" href="{}" title="{}">{}</a>', href, value, cut)
    return format_html('<span class="short-id">{}{}</span>', shown, copy_button(value, _("Copy %s") % value))


@register.simple_tag
def instant(value: datetime | None, *, seconds: bool = False) -> SafeString:
    """Return an instant in the reader's time zone, the zone written; hover shows UTC, and how long ago by app.js.

    With `seconds`, to the second: where the order and the distance of instants are read.
    """
    if value is None:
        return SafeString(MISSING)
    return format_html(
        '<time datetime="{}" title="{}">{}</time>',
        value.isoformat(timespec="milliseconds"),
        f"{value:%Y-%m-%d %H:%M:%S} UTC",
        local_time(value, seconds=seconds),
    )


def local_time(value: datetime, *, seconds: bool = False) -> str:
    """Return an instant as `instant` shows it, for the middle of a sentence."""
    local = timezone.localtime(value)
    return f"{date_format(local, 'j M Y H:i:s' if seconds else 'j M Y H:i')} {local.tzname()}"


def with_zone(label: str) -> str:
    """Return the label of an axis of times with the zone that they are in now."""
    return f"{label} ({timezone.localtime().tzname()})"


@register.filter
def duration(seconds: float | None) -> str:
    """Return a length of time in its two greatest units: `4s`, `1m 33s`, `2h 5m`, `3d 4h`."""
    if seconds is None:
        return MISSING
    if 0 < seconds < 10:
        return f"{math.floor(seconds * 10) / 10:g}s"
    whole = max(0, int(seconds))
    units = [(whole // 86400, "d"), (whole // 3600 % 24, "h"), (whole // 60 % 60, "m"), (whole % 60, "s")]
    greatest = next((place for place, (amount, _unit) in enumerate(units) if amount), 3)
    return " ".join(f"{amount}{unit}" for amount, unit in units[greatest : greatest + 2])


@register.simple_tag
def run_duration(run: Run) -> SafeString:
    """Return how long a run took, or has been running; app.js lets the latter tick."""
    if run.started_at is None or run.ended_at is not None:
        return SafeString(duration(run.duration_seconds))
    elapsed = (timezone.now() - run.started_at).total_seconds()
    return format_html(
        '<span class="number" data-since="{}">{}</span>',
        run.started_at.isoformat(timespec="milliseconds"),
        duration(elapsed),
    )


@register.filter
def number(value: Any, characters: int = 0) -> str | SafeString:
    """Return a number with six significant digits and its full value on hover; other values as they are.

    What is no number is cut at so many `characters`, if they are given.
    """
    if value is None or value == "":
        return MISSING
    if isinstance(value, bool) or not isinstance(value, int | float):
        return Truncator(str(value)).chars(characters) if characters else str(value)
    full = repr(value)
    if isinstance(value, float) and math.isfinite(value):
        shown = str(int(value)) if value.is_integer() and abs(value) < 1e15 else f"{value:.6g}"
    else:
        shown = {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}.get(full, full)
    return format_html('<span class="number" title="{}">{}</span>', full, shown)


@register.filter
def thousands(value: int) -> str:
    """Return a count with its thousands apart, as the language has it."""
    return number_format(value, use_l10n=True, force_grouping=True)


@register.filter
def dotted(value: float | None) -> str:
    """Return a number as programs write it, whatever the language; empty for none."""
    return "" if value is None else f"{value:.12g}"


@register.filter
def cell(value: Any) -> str | SafeString:
    """Return what a cell of a table shows: an instant as such, anything else as `number` does."""
    return instant(value) if isinstance(value, datetime) else number(value)


@register.filter(name="bytes")
def bytes_(value: int | None) -> str:
    """Return a size in readable units."""
    return MISSING if value is None else filesizeformat(value)


@register.filter
def markdown(text: str) -> SafeString:
    """Return Markdown as sanitized HTML, without raw HTML and images."""
    html = nh3.clean(_MARKDOWN.render(text), tags=_MARKDOWN_TAGS, link_rel="noopener noreferrer nofollow")
    # htmx is told to leave it alone, whatever attributes may have got through.
    return format_html('<div class="markdown" hx-ignore>{}</div>', mark_safe(html))  # noqa: S308 - nh3 cleaned it


@register.filter
def said(value: Any) -> str:
    """Return what a refusal, a problem or a sentence of the domain says, in the reader's language."""
    return translated(getattr(value, "sentence", None) or getattr(value, "message", value))


@register.simple_tag(takes_context=True)
def url_with(context: template.RequestContext, path: str = "", **changes: Any) -> str:
    """Return this page's address, or `path`, with parameters of the query string changed; None takes one out."""
    request: HttpRequest = context["request"]
    query = request.GET.copy()
    query.pop("v", None)  # the version that a poll knows is no part of the page's state
    for name, value in changes.items():
        if value in (None, ""):
            query.pop(name, None)
        else:
            query[name] = str(value)
    return f"{path or request.path}?{query.urlencode()}" if query else path or request.path


@register.simple_tag(takes_context=True)
def frame(context: template.Context) -> dict[str, Any]:
    """Return what the frame around every page shows: the current workspace and those to switch to.

    A page that belongs to no workspace shows the user's first one.
    """
    request = context.get("request")
    user = getattr(request, "user", None)
    zone = timezone.get_current_timezone_name()
    if user is None or not user.is_authenticated:
        return {"workspace": None, "workspaces": [], "theme": _theme(request), "has_shortcuts": False, "zone": zone}
    workspaces = list(Workspace.objects.visible_to(user).order_by("id"))
    current = context.get("workspace") or (workspaces[0] if workspaces else None)
    chosen = getattr(user, "preferences", None)
    return {
        "workspace": current,
        "workspaces": workspaces,
        "theme": _theme(request),
        "zone": zone,
        "has_shortcuts": chosen is None or chosen.has_shortcuts,
    }


@register.simple_tag
def shell_command() -> str:
    """Return the command that submits a first run from a shell."""
    config = '{"experiment": "hello", "command": ["echo", "Hello"]}'
    address = f"{settings.STUDIO_URL}/api/v1/runs"
    return f"curl {address} -H 'Authorization: Bearer YOUR_TOKEN' \\\n  -F 'config={config}'"


@register.simple_tag
def attributes(**values: Any) -> SafeString:
    """Return HTML attributes for those values that are not None; underscores become hyphens."""
    return format_html_join("", ' {}="{}"', ((k.replace("_", "-"), v) for k, v in values.items() if v is not None))


def _theme(request: HttpRequest | None) -> str:
    theme = request.COOKIES.get("theme", "") if request else ""
    return theme if theme in {"light", "dark"} else ""
