"""What a comparison says about its runs, side by side: rows of cells, and whether these differ."""

import shlex
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.template.defaultfilters import filesizeformat
from django.utils.translation import gettext as _

from runs import shapes
from runs.models import Attempt, Metric, Param, Property, Run, Tag

# Of each kind so many rows are shown: more is no comparison any more.
_ROWS = 500


@dataclass(frozen=True)
class Row:
    """One fact: its name, and what it is for each run, None where there is none."""

    name: str
    cells: list[Any]
    # The places of the least and the greatest number, where the cells are numbers that differ.
    least: int | None = None
    greatest: int | None = None

    @property
    def differs(self) -> bool:
        """Return whether the runs are not all alike in it."""
        return any(cell != self.cells[0] for cell in self.cells)


@dataclass(frozen=True)
class Section:
    """Facts of one kind. `hidden_count` is how many are alike and not shown."""

    name: str
    title: str
    rows: list[Row]
    hidden_count: int


def sections(
    runs: Sequence[Run], *, params: list[Row], metrics: Sequence[Metric], only_differing: bool
) -> list[Section]:
    """Return all sections, with a fixed number of queries."""
    keys = [run.pk for run in runs]
    tags = Tag.objects.filter(run__in=keys).values_list("run_id", "key", "value")
    properties = Property.objects.filter(run__in=keys).values_list("run_id", "key", "value")
    packages, pythons = _environments(runs)
    kinds = [
        ("attributes", _("Run"), _attributes(runs)),
        ("params", _("Params"), params),
        ("metrics", _("Metrics, latest value"), _measured(runs, metrics)),
        ("tags", _("Tags"), _keyed(runs, ((pk, key, _("yes") if value is None else value) for pk, key, value in tags))),
        ("arguments", _("Arguments"), _positions(runs)),
        ("variables", _("Environment variables"), _keyed(runs, _variables(runs))),
        ("packages", _("Python and packages"), pythons + packages),
        ("properties", _("Properties"), _keyed(runs, properties)),
    ]
    return [_section(*kind, only_differing=only_differing) for kind in kinds]


def params_of(runs: Sequence[Run]) -> list[Row]:
    """Return the params of `runs`: numbers as numbers, so that 0.1 and 1e-1 are alike."""
    rows = Param.objects.filter(run__in=[run.pk for run in runs]).values_list("run_id", "name", "value", "number")
    return _keyed(runs, ((pk, name, value if number is None else number) for pk, name, value, number in rows))


def _section(name: str, title: str, rows: list[Row], *, only_differing: bool) -> Section:
    shown = [row for row in rows if row.differs] if only_differing else rows
    return Section(name, title, shown[:_ROWS], len(rows) - len(shown[:_ROWS]))


def _attributes(runs: Sequence[Run]) -> list[Row]:
    facts: dict[str, list[Any]] = {
        _("Status"): [run.status for run in runs],
        _("Experiment"): [run.experiment.name for run in runs],
        _("Submitted by"): [run.submitted_by.get_username() for run in runs],
        _("Created time"): [run.created_at for run in runs],
        _("Seconds"): [run.duration_seconds for run in runs],
        _("Compute target"): [run.compute_target.name if run.compute_target else "sdk" for run in runs],
        _("Run type"): [run.get_run_type_display() for run in runs],
        _("Script"): [shlex.join(run.command) if run.command else run.script or None for run in runs],
        _("Description"): [run.description or None for run in runs],
        _("Exit code"): [run.exit_code for run in runs],
        _("Requirements"): [_listed(run.requirements) for run in runs],
        _("Snapshot"): [run.snapshot.digest[:12] if run.snapshot else None for run in runs],
        _("Memory limit"): [run.memory_bytes and filesizeformat(run.memory_bytes) for run in runs],
        _("Priority"): [run.priority for run in runs],
    }
    return [Row(name, cells) for name, cells in facts.items() if any(cell is not None for cell in cells)]


def _listed(requirements: Any) -> str | None:
    return "\n".join(requirements) if isinstance(requirements, list) else requirements


def _measured(runs: Sequence[Run], metrics: Sequence[Metric]) -> list[Row]:
    rows = _keyed(runs, ((metric.run_id, metric.name, shapes.latest(metric)) for metric in metrics))
    return [_with_ends(row) for row in rows]


def _with_ends(row: Row) -> Row:
    numbers = [
        (cell, place)
        for place, cell in enumerate(row.cells)
        if isinstance(cell, int | float) and not isinstance(cell, bool)
    ]
    if len(numbers) < 2 or min(numbers)[0] == max(numbers)[0]:
        return row
    return Row(row.name, row.cells, least=min(numbers)[1], greatest=max(numbers)[1])


def _positions(runs: Sequence[Run]) -> list[Row]:
    """Return the arguments: `--name value` by name, what stands alone by its place."""
    return _keyed(runs, ((run.pk, name, value) for run in runs for name, value in _named(run.arguments).items()))


def _named(arguments: Sequence[Any]) -> dict[str, str]:
    named: dict[str, str] = {}
    place, words = 0, [str(argument) for argument in arguments]
    while words:
        word = words.pop(0)
        if word.startswith("--"):
            name, equals, value = word.partition("=")
            if not equals and words and not words[0].startswith("--"):
                value = words.pop(0)
            named[name] = value or _("yes")
        else:
            place += 1
            named[f"[{place}]"] = word
    return named


def _variables(runs: Sequence[Run]) -> list[tuple[int, str, Any]]:
    return [(run.pk, *item) for run in runs for item in shapes.masked(run.environment_variables).items()]


def _environments(runs: Sequence[Run]) -> tuple[list[Row], list[Row]]:
    """Return the packages and the Python of the latest attempts."""
    attempts = Attempt.objects.filter(run__in=[run.pk for run in runs], python_environment__isnull=False)
    found = {attempt.run_id: attempt for attempt in attempts.select_related("python_environment").order_by("number")}
    packages, pythons = [], []
    for pk, attempt in found.items():
        environment = attempt.python_environment
        if environment is not None:
            pythons.append((pk, "Python", environment.python_version))
            packages += [(pk, str(package[0]), str(package[1])) for package in environment.packages]
    return _keyed(runs, packages), _keyed(runs, pythons)


def _keyed(runs: Sequence[Run], facts: Any) -> list[Row]:
    by_key: dict[str, dict[int, Any]] = defaultdict(dict)
    for pk, key, value in facts:
        by_key[key][pk] = value
    return [Row(key, _cells(runs, by_key[key])) for key in sorted(by_key)]


def _cells(runs: Sequence[Run], values: Mapping[int, Any]) -> list[Any]:
    return [values.get(run.pk) for run in runs]
