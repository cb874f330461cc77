"""What may stand where somebody types a query: fields, keys and values. Reads a few rows, whatever there is."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from django.contrib.auth.models import User
from django.db.models import F
from django.utils.translation import gettext as _

from runs.models import ComputeTarget, Experiment, RunType, SavedSearch, SearchKey, Tag, Workspace
from runs.models.tag import ValueHead
from runs.search import nodes, orders
from runs.search.fields import FIELDS
from runs.search.nodes import Operator, Term
from runs.status import RunStatus

_SHOWN = 12
# The word before the cursor: quoted parts belong to it, brackets and a minus do not.
_WORD = re.compile(r'(?:[^\s"()]|"(?:[^"\\]|\\.)*"?)*\Z')
_KEYED = tuple(f"{name}." for name, field in FIELDS.items() if field.takes_key)


@dataclass(frozen=True)
class Suggestion:
    """`text` takes the place of the word that begins at `start`; `hint` says what it is."""

    text: str
    start: int
    hint: str = ""


def complete(text: str, *, workspace: Workspace, user: User) -> list[Suggestion]:
    """Return what may take the place of the last word of `text`; for an empty text the user's own searches."""
    if not text.strip():
        own = SavedSearch.objects.filter(workspace=workspace, user=user)
        shown = [*own.exclude(name="").order_by("name")[:_SHOWN], *own.filter(name="").order_by("-used_at")[:_SHOWN]]
        return [Suggestion(search.query, 0, search.name or _("recent")) for search in shown]
    found = _WORD.search(text)
    word = found[0].removeprefix("-") if found else ""
    start = len(text) - len(word)
    if not word:
        return []
    name, colon, typed = word.partition(":")
    if colon and name == "has" and typed.startswith(_KEYED):
        return [Suggestion(f"has:{key}", start) for key in _keys(typed, workspace)]
    if colon and name.startswith("tags."):
        key = name.removeprefix("tags.").strip('"')
        return [Suggestion(_term(("tags", key), value), start) for value in _tag_values(key, typed, workspace)]
    if colon and name == "order":
        return [Suggestion(_term((name,), order), start) for order in _orders(typed.strip('"'), workspace)]
    if colon and name in _VALUES:
        values = _VALUES[name](typed.strip('"'), workspace)
        return [Suggestion(_term((name,), value), start) for value in values]
    if colon:
        return []
    if word.startswith(_KEYED):
        ending = "" if word.startswith(("params.", "metrics.")) else ":"
        return [Suggestion(f"{key}{ending}", start) for key in _keys(word, workspace)]
    fields = [field for field in FIELDS if field.startswith(word.lower())]
    return [
        Suggestion(f"{field}{'.' if FIELDS[field].takes_key else ':'}", start, FIELDS[field].summary)
        for field in fields[:_SHOWN]
    ]


def _term(path: tuple[str, ...], value: str) -> str:
    return nodes.to_text(Term(path, Operator.MATCHES, (nodes.Value(value),)))


def _keys(word: str, workspace: Workspace) -> list[str]:
    """Return `tags.quality` and the like: keys that begin with what was typed first, then those that hold it."""
    kind = word.partition(".")[0]
    return [_term((kind, *_parts(key)), "x").removesuffix(":x") for key in _known(word, workspace)]


def _orders(typed: str, workspace: Workspace) -> list[str]:
    """Return orders that begin with what was typed; what hangs on runs is named by its key."""
    sign, name = ("-", typed[1:]) if typed.startswith("-") else ("", typed)
    if name.startswith(tuple(f"{kind}." for kind in orders.KINDS)):
        kind = name.partition(".")[0]
        return [f"{sign}{kind}.{key}" for key in _known(name, workspace)]
    signs = [sign] if sign else ["-", ""]
    found = [f"{sign}{order}" for order in orders.COLUMNS for sign in signs if order.startswith(name.lower())]
    return [*found, *(f"{sign}{kind}." for kind in orders.KINDS if kind.startswith(name.lower()))][: 2 * _SHOWN]


def _known(word: str, workspace: Workspace) -> list[str]:
    kind, _dot, typed = word.partition(".")
    typed = typed.strip('"')
    known = SearchKey.objects.filter(workspace=workspace, kind=kind).order_by("key")
    keys = list(known.filter(key__istartswith=typed).values_list("key", flat=True)[:_SHOWN])
    if len(keys) < _SHOWN:
        others = known.filter(key__icontains=typed).exclude(key__istartswith=typed)
        keys += others.values_list("key", flat=True)[: _SHOWN - len(keys)]
    return keys


def _parts(key: str) -> list[str]:
    """Return the key in parts: dots within it need no quotation marks, unless the end would mean a summary."""
    parts = key.split(".")
    return parts if all(parts) and parts[-1] not in ("latest", "last", "min", "max") else [key]


def _tag_values(key: str, typed: str, workspace: Workspace) -> list[str]:
    """Return values of a tag in order, each by one look into the index: not by reading all tags of the key."""
    head = typed.strip('"').lower()[:64]
    tags = (
        Tag.objects.filter(key=key, run__workspace=workspace, run__trashed_at__isnull=True, value__isnull=False)
        .annotate(head=ValueHead(F("value")))
        .order_by("head")
    )
    values: list[str] = []
    place = {"head__gte": head}
    while len(values) < _SHOWN:
        found = tags.filter(**place).values_list("value", "head").first()
        if found is None or not found[1].startswith(head):
            break
        values.append(found[0] or "")
        place = {"head__gt": found[1]}
    return [value for value in values if value.strip() and len(value) <= 100]


def _beginning(words: Iterable[str]) -> Callable[[str, Workspace], list[str]]:
    return lambda typed, _: [word for word in words if word.lower().startswith(typed.lower())][:_SHOWN]


def _submitters(typed: str, workspace: Workspace) -> list[str]:
    names = User.objects.filter(workspaces=workspace, username__istartswith=typed).order_by("username")
    me = ["me"] if "me".startswith(typed.lower()) else []
    return [*me, *names.values_list("username", flat=True)[:_SHOWN]]


def _experiments(typed: str, workspace: Workspace) -> list[str]:
    found = Experiment.objects.filter(workspace=workspace, name__icontains=typed).order_by(
        "-latest_submitted_at", "-pk"
    )
    return list(found.values_list("name", flat=True)[:_SHOWN])


def _targets(typed: str, workspace: Workspace) -> list[str]:
    found = ComputeTarget.objects.filter(name__istartswith=typed).order_by("name")
    return [*found.values_list("name", flat=True)[:_SHOWN], *(["none"] if "none".startswith(typed) else [])]


_TIMES = _beginning(["today", "yesterday", "1h", "24h", "7d", "30d"])
_VALUES: dict[str, Callable[[str, Workspace], list[str]]] = {
    "status": _beginning([*(status.value for status in RunStatus), "active", "ended"]),
    "is": _beginning(["active", "ended", "archived", "child", "mine", "favorite"]),
    "type": _beginning([kind.value for kind in RunType]),
    "has": _beginning(_KEYED),
    "parent": _beginning(["none"]),
    "created": _TIMES,
    "started": _TIMES,
    "ended": _TIMES,
    "submitter": _submitters,
    "experiment": _experiments,
    "target": _targets,
}
