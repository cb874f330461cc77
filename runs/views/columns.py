"""The columns of a table of runs: what there is to choose, how an address names it, and what a run has in it."""

import difflib
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from django.db.models import Model
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from runs import limits
from runs.errors import InvalidInput
from runs.models import Metric, Param, Property, Run, RunType, Tag
from runs.search import orders

LEAD = "number"
# As in the 2020 studio; metrics of the experiment join them.
DEFAULT = ("number", "created", "submitted_by", "duration", "status", "compute_target", "run_type", "tags")
WIDTHS = {"s": gettext_lazy("Narrow"), "m": gettext_lazy("Medium"), "l": gettext_lazy("Wide")}


@dataclass(frozen=True)
class Column:
    """A column. `kind` says how a cell looks, `order` what the table sorts by at a click; `width` is of WIDTHS."""

    name: str
    label: Any
    kind: str
    order: str = ""
    width: str = ""
    # A key of what hangs on runs: of which kind, which one, and which summary of a metric.
    source: str = ""
    key: str = ""
    summary: str = ""

    @property
    def css(self) -> str:
        """Return the classes of its cells."""
        classes = {"number": "numeric", "status": "side", "tags": "tags", "lead": "lead"}.get(self.kind, "")
        if self.name in ("run_id", "compute_target", "run_type"):
            classes = "wide-only"
        return f"{classes} width-{self.width}".strip() if self.width else classes

    @property
    def text(self) -> str:
        """Return how an address names it."""
        name = self.name.replace("~", "~7E").replace(",", "~2C")
        return f"{name}~{self.width}" if self.width else name


def _attribute(name: str, label: Any, kind: str = "text", order: str = "") -> Column:
    return Column(name, label, kind, order)


ATTRIBUTES: Mapping[str, Column] = {
    column.name: column
    for column in (
        _attribute("number", gettext_lazy("Run"), "lead", "number"),
        _attribute("run_id", gettext_lazy("Run ID"), "id"),
        _attribute("experiment", gettext_lazy("Experiment"), "experiment"),
        _attribute("created", gettext_lazy("Created time"), "instant", "created"),
        _attribute("submitted_by", gettext_lazy("Submitted by")),
        _attribute("duration", gettext_lazy("Duration"), "duration", "duration"),
        _attribute("status", gettext_lazy("Status"), "status", "status"),
        _attribute("compute_target", gettext_lazy("Compute target")),
        _attribute("run_type", gettext_lazy("Run type")),
        _attribute("tags", gettext_lazy("Tags"), "tags"),
        _attribute("display_name", gettext_lazy("Display name")),
        _attribute("description", gettext_lazy("Description")),
        _attribute("queued", gettext_lazy("Queued time"), "instant"),
        _attribute("started", gettext_lazy("Start time"), "instant"),
        _attribute("ended", gettext_lazy("End time"), "instant", "ended"),
        _attribute("parent", gettext_lazy("Parent run ID"), "run"),
        _attribute("script", gettext_lazy("Script")),
        _attribute("reason", gettext_lazy("Reason")),
        _attribute("exit_code", gettext_lazy("Exit code"), "number"),
        _attribute("priority", gettext_lazy("Priority"), "number"),
        _attribute("attempts", gettext_lazy("Attempts"), "number"),
    )
}
# What an attribute is of a run, by path; the others hang on it, and `load` reads them.
_PATHS: Mapping[str, str] = {
    "number": "number",
    "run_id": "run_id",
    "experiment": "experiment__name",
    "created": "created_at",
    "submitted_by": "submitted_by__username",
    "duration": "duration_seconds",
    "status": "status",
    "compute_target": "compute_target__name",
    "run_type": "run_type",
    "display_name": "display_name",
    "description": "description",
    "queued": "queued_at",
    "started": "started_at",
    "ended": "ended_at",
    "script": "script",
    "reason": "reason",
    "exit_code": "exit_code",
    "priority": "priority",
    "attempts": "attempt_number",
}
_SHOWN_AS: Mapping[str, Callable[[Any], Any]] = {
    "compute_target": lambda name: name or "sdk",
    "run_type": lambda value: RunType(value).label,
}
# What hangs on runs by key: its rows, the key's field, and what a column shows of a row.
_HUNG: Mapping[str, tuple[type[Model], str, tuple[str, ...]]] = {
    "metrics": (Metric, "name", ("latest_value", "latest_text", "min_value", "max_value")),
    "params": (Param, "name", ("value",)),
    "tags": (Tag, "key", ("value",)),
    "properties": (Property, "key", ("value",)),
}


def named(name: str) -> Column:
    """Return the column called `name`, such as `status` or `metrics.loss.min`, or raise InvalidInput."""
    if name in ATTRIBUTES:
        return ATTRIBUTES[name]
    try:
        source, key, summary = orders.split(name)
    except InvalidInput as problem:
        near = next(iter(difflib.get_close_matches(name, ATTRIBUTES, n=1)), "")
        hint = _("did you mean %r?") % near if near else _("expected an attribute, or such as metrics.loss.min.")
        text = _("There is no column %(name)r; %(hint)s") % {"name": name, "hint": hint}
        raise InvalidInput(text, field="columns") from problem
    if source == "metrics":
        return of_metric(key, summary)
    kind = _("tag") if source == "tags" else _("property")
    label = key if source == "params" else f"{key} ({kind})"
    return Column(name, label, "value" if source == "params" else "text", name, source=source, key=key)


def of_metric(key: str, summary: str = "last") -> Column:
    """Return the column of one summary of a metric: last, min or max."""
    is_plain = summary == "last" and key.rpartition(".")[2] not in orders.SUMMARIES
    name = f"metrics.{key}" if is_plain else f"metrics.{key}.{summary}"
    label = {"min": _("%s, least"), "max": _("%s, greatest")}.get(summary, "%s") % key
    return Column(name, label, "number", name, source="metrics", key=key, summary=summary)


def parse(text: str) -> list[Column]:
    """Return the columns that an address asks for, the run itself first. Raises InvalidInput."""
    chosen: dict[str, Column] = {}
    for part in filter(None, text.split(",")):
        name, _tilde, width = part.rpartition("~")
        if not name or width not in WIDTHS:
            name, width = part, ""
        column = named(name.replace("~2C", ",").replace("~7E", "~"))
        chosen.setdefault(column.name, replace(column, width=width))
    lead = chosen.pop(LEAD, ATTRIBUTES[LEAD])
    if len(chosen) >= limits.COLUMNS_PER_TABLE:
        raise InvalidInput(_("At most %d columns fit a table.") % limits.COLUMNS_PER_TABLE, field="columns")
    return [lead, *chosen.values()]


def to_text(columns: Iterable[Column]) -> str:
    """Return the columns as an address names them."""
    return ",".join(column.text for column in columns)


@dataclass
class Extras:
    """What hangs on the runs of one page, as far as columns show it."""

    # By kind, run and key.
    held: dict[tuple[str, int, str], tuple[Any, ...]] = field(default_factory=dict)
    # All tags of a run, for the column that shows them all.
    tags: dict[int, list[tuple[str, str | None]]] = field(default_factory=lambda: defaultdict(list))
    # The run ids of parents, by the child.
    parents: dict[int, str] = field(default_factory=dict)


def load(pks: Collection[int], columns: Iterable[Column]) -> Extras:
    """Return what the columns need beyond the runs themselves, in one query for each kind of it."""
    columns, extras = list(columns), Extras()
    if not pks:
        return extras
    for source, (model, name, fields) in _HUNG.items():
        if keys := {column.key for column in columns if column.source == source}:
            rows = model._default_manager.filter(run__in=pks, **{f"{name}__in": keys})
            for run, key, *values in rows.values_list("run_id", name, *fields):
                extras.held[source, run, key] = tuple(values)
    names = {column.name for column in columns}
    if "tags" in names:
        tags = Tag.objects.for_people().filter(run__in=pks).order_by("run_id", "key")
        for run, key, value in tags.values_list("run_id", "key", "value"):
            extras.tags[run].append((key, value))
    if "parent" in names:
        extras.parents = dict(Run.objects.filter(pk__in=pks, parent__isnull=False).values_list("pk", "parent__run_id"))
    return extras


def value(run: Run, column: Column, extras: Extras) -> Any:
    """Return what `run` has in the column: None for nothing."""
    if column.name not in _PATHS:
        return _hung(run.pk, column, extras)
    found: Any = run
    for name in _PATHS[column.name].split("__"):
        found = getattr(found, name, None)
    return _as_shown(column)(found)


def paths(columns: Iterable[Column]) -> list[str]:
    """Return what to read of runs for `values`: the row's number first, then the attributes among the columns."""
    return ["pk", *(_PATHS[column.name] for column in columns if column.name in _PATHS)]


def values(rows: Sequence[tuple[Any, ...]], columns: Iterable[Column], extras: Extras) -> list[list[Any]]:
    """Return, column by column, what runs have of whom the `paths` were read: a fraction of what `value` costs."""
    by_path = iter(zip(*rows, strict=True))
    pks, found = next(by_path, ()), []
    for column in columns:
        if column.name in _PATHS:
            found.append(list(map(_as_shown(column), next(by_path, ()))))
        else:
            found.append([_hung(pk, column, extras) for pk in pks])
    return found


def _as_shown(column: Column) -> Callable[[Any], Any]:
    return _SHOWN_AS.get(column.name, lambda value: value)


def _hung(pk: int, column: Column, extras: Extras) -> Any:
    if column.name == "tags":
        return extras.tags.get(pk, [])
    if column.name == "parent":
        return extras.parents.get(pk)
    row = extras.held.get((column.source, pk, column.key))
    if row is None:
        return None
    if column.source != "metrics":
        return row[0] or ""
    latest, text, least, greatest = row
    if column.summary != "last":
        return least if column.summary == "min" else greatest
    return text[:200] if latest is None else latest


def that_differ(columns: Iterable[Column], rows: list[list[Any]]) -> list[int]:
    """Return the places of the columns in which not all `rows` say the same; the first column stays anyway."""
    places = range(len(list(columns)))
    return [place for place in places if place == 0 or any(row[place] != rows[0][place] for row in rows[1:])]
