"""The columns of a table of runs: what there is to choose, how an address names it, and what a run has in it."""

import difflib
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from django.db.models import Model
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from runs import limits
from runs.errors import InvalidInput
from runs.models import Metric, Param, Property, Run
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
_READ: Mapping[str, Any] = {
    "number": lambda run: run.number,
    "run_id": lambda run: run.run_id,
    "experiment": lambda run: run.experiment.name,
    "created": lambda run: run.created_at,
    "submitted_by": lambda run: run.submitted_by.get_username(),
    "duration": lambda run: run.duration_seconds,
    "status": lambda run: run.status,
    "compute_target": lambda run: run.compute_target.name if run.compute_target else "sdk",
    "run_type": lambda run: run.get_run_type_display(),
    "tags": lambda run: [(tag.key, tag.value) for tag in run.tags.all() if tag.is_for_people],
    "display_name": lambda run: run.display_name,
    "description": lambda run: run.description,
    "queued": lambda run: run.queued_at,
    "started": lambda run: run.started_at,
    "ended": lambda run: run.ended_at,
    "script": lambda run: run.script,
    "reason": lambda run: run.reason,
    "exit_code": lambda run: run.exit_code,
    "priority": lambda run: run.priority,
    "attempts": lambda run: run.attempt_number,
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
    """What hangs on the runs of one page, as far as columns show it: by kind, run and key."""

    held: dict[tuple[str, int, str], Any] = field(default_factory=lambda: defaultdict(lambda: None))
    # The run ids of parents.
    parents: dict[int, str] = field(default_factory=dict)


def load(runs: Iterable[Run], columns: Iterable[Column]) -> Extras:
    """Return what the columns need beyond the runs themselves, in one query for each kind of it."""
    pks, columns, extras = [run.pk for run in runs], list(columns), Extras()
    sources: dict[str, tuple[type[Model], str]] = {
        "metrics": (Metric, "name"),
        "params": (Param, "name"),
        "properties": (Property, "key"),
    }
    for source, (model, name) in sources.items():
        keys = {column.key for column in columns if column.source == source}
        if keys and pks:
            for row in model._default_manager.filter(run__in=pks, **{f"{name}__in": keys}):
                extras.held[source, row.run_id, getattr(row, name)] = row  # type: ignore[attr-defined]
    if any(column.name == "parent" for column in columns):
        parents = {run.parent_id for run in runs if run.parent_id}
        extras.parents = dict(Run.objects.filter(pk__in=parents).values_list("pk", "run_id")) if parents else {}
    return extras


def value(run: Run, column: Column, extras: Extras) -> Any:
    """Return what `run` has in the column: None for nothing."""
    if column.source == "tags":
        return next((tag.value or "" for tag in run.tags.all() if tag.key == column.key), None)
    if column.source == "metrics":
        return _summary(extras.held["metrics", run.pk, column.key], column.summary)
    if column.source:
        row = extras.held[column.source, run.pk, column.key]
        return row.value if row else None
    if column.name == "parent":
        return extras.parents.get(run.parent_id or 0)
    return _READ[column.name](run)


def _summary(metric: Metric | None, summary: str) -> Any:
    if metric is None:
        return None
    if summary == "last":
        return metric.latest_text[:200] if metric.latest_value is None else metric.latest_value
    return getattr(metric, orders.SUMMARIES[summary])


def that_differ(columns: Iterable[Column], rows: list[list[Any]]) -> list[int]:
    """Return the places of the columns in which not all `rows` say the same; the first column stays anyway."""
    places = range(len(list(columns)))
    return [place for place in places if place == 0 or any(row[place] != rows[0][place] for row in rows[1:])]
