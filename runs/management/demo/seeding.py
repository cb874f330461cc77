"""Writes a demo into a workspace: experiments, runs and all that hangs on them, chunk by chunk."""

import json
from bisect import bisect
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import accumulate
from random import Random

from django.contrib.auth.models import User
from django.db import connection, transaction
from django.db.models import F

from runs import storage
from runs.actions import experiments
from runs.management.demo import history, words
from runs.management.demo.bulk import Table, utc
from runs.models import (
    Attempt,
    ComputeTarget,
    Experiment,
    KeyKind,
    Membership,
    Metric,
    MetricPoint,
    Param,
    Property,
    Role,
    Run,
    RunEvent,
    RunType,
    SearchText,
    StatusCount,
    Tag,
    Workspace,
)
from runs.search import index, keys
from runs.status import RunStatus

_CHUNK = 20_000
# The newest runs have points, every event, an attempt and a log, and so has every hundredth of the rest.
_NEWEST_IN_FULL = 1_000
_LOGS = 200
_POINTS = 25
# The newest of all stand in every status.
_IN_EVERY_STATUS = 4 * len(RunStatus)
_DAYS = 540


@dataclass
class _Place:
    """An experiment of the demo, with what its runs have in common and where its numbers stand."""

    row: Experiment
    task: words.Task
    number: int
    latest_pk: int | None = None
    counts: Counter[tuple[bool, RunStatus]] = field(default_factory=Counter)


class Seeder:
    """Makes `count` runs in `workspace`, created in the months before `until`. The same seed gives the same."""

    def __init__(
        self, *, workspace: Workspace, owner: User, count: int, seed: int, until: datetime, tell: Callable[[int], None]
    ) -> None:
        self._workspace, self._count, self._tell = workspace, count, tell
        self._until = utc(until)
        self._tables()
        # Another call with the same seed goes on with other runs.
        self._random = Random(f"{seed}:{self._runs.latest_id}")  # noqa: S311
        self._people = self._make_people(owner)
        self._targets = self._make_targets(until)
        self._places = self._make_experiments(owner, until)
        # A few experiments have most of the runs.
        self._weights = list(accumulate(1 / (rank + 3) for rank in range(len(self._places))))
        self._logs: list[tuple[int, str]] = []
        self._keys: dict[KeyKind, set[str]] = {kind: set() for kind in KeyKind}

    def _tables(self) -> None:
        self._runs = Table(
            Run,
            *("run_id", "workspace_id", "experiment_id", "number", "display_name", "description", "run_type"),
            *("submitted_by_id", "parent_id", "root_id", "status", "status_at", "reason", "error", "exit_code"),
            *("created_at", "queued_at", "started_at", "ended_at", "duration_seconds", "archived_at"),
            *("cancel_requested_at", "cancel_requested_by_id", "compute_target_id", "script", "arguments"),
            "attempt_number",
        )
        self._tags = Table(Tag, "run_id", "key", "value", "experiment_id")
        self._properties = Table(Property, "run_id", "key", "value", "experiment_id")
        self._params = Table(Param, "run_id", "name", "value", "number", "experiment_id")
        self._metrics = Table(
            Metric,
            *("run_id", "name", "kind", "point_count", "latest_value", "latest_step", "latest_at"),
            *("min_value", "max_value", "experiment_id"),
        )
        self._points = Table(MetricPoint, "metric_id", "step", "at", "value")
        self._events = Table(RunEvent, "run_id", "from_status", "to_status", "at", "by_id", "actor", "reason")
        self._attempts = Table(
            Attempt,
            *("run_id", "number", "compute_target_id", "host", "boot_id", "cookie", "claimed_at", "lease_until"),
            *("started_at", "ended_at", "exit_code"),
        )
        self._texts = Table(SearchText, "run_id", "text")
        self._all_tables = (
            *(self._runs, self._tags, self._properties, self._params, self._metrics, self._points, self._events),
            *(self._attempts, self._texts),
        )

    # --- Who, where, what -----------------------------------------------------------------

    def _make_people(self, owner: User) -> list[User]:
        people = [owner]
        for name in words.PEOPLE:
            person, is_new = User.objects.get_or_create(username=name)
            if is_new:
                person.set_unusable_password()
                person.save(update_fields=["password"])
            people.append(person)
        for person in people:
            Membership.objects.get_or_create(
                workspace=self._workspace, user=person, defaults={"role": Role.CONTRIBUTOR}
            )
        return people

    def _make_targets(self, at: datetime) -> list[ComputeTarget]:
        # Disabled, so that no worker takes the demo's queued runs for real ones.
        return [
            ComputeTarget.objects.get_or_create(
                name=name, defaults={"slots": slots, "is_enabled": False, "created_at": at, "description": "Demo."}
            )[0]
            for name, slots in (("demo-cpu", 8), ("demo-gpu", 2))
        ]

    def _make_experiments(self, owner: User, at: datetime) -> list[_Place]:
        names = [(task.name + variant, task) for variant in words.VARIANTS for task in words.TASKS]
        places = []
        for name, task in names[: max(4, min(len(names), self._count // 100))]:
            row = experiments.get_or_create(
                workspace=self._workspace, name=name, by=owner, at=at - timedelta(days=_DAYS)
            )
            experiments.describe(
                experiment=row,
                description=f"{task.team.capitalize()}: {' or '.join(task.models)} on {', '.join(task.datasets)}.",
                tags={"team": task.team},
            )
            places.append(_Place(row, task, row.latest_run_number))
        return places

    # --- Runs -----------------------------------------------------------------------------

    def run(self) -> None:
        """Make the runs. Each chunk is a transaction, so that other writers get their turn."""
        made = 0
        while made < self._count:
            aim = min(made + _CHUNK, self._count)
            with transaction.atomic():
                while made < aim:
                    made += self._make_job(made)
                for table in self._all_tables:
                    table.flush()
                self._count_runs()
            self._tell(made)
        for table in self._all_tables:
            table.finish()
        keys.keep(self._workspace.pk, self._keys)
        self._write_logs()
        with connection.cursor() as cursor:
            # Planners that know nothing of the new rows take the wrong index.
            cursor.execute("ANALYZE")

    def _make_job(self, made: int) -> int:
        """Make one top-level run and its children, and return how many that are."""
        random, left = self._random, self._count - made
        place = self._places[bisect(self._weights, random.random() * self._weights[-1])]
        person = self._people[int(random.random() ** 2 * len(self._people))]
        if left <= _IN_EVERY_STATUS:
            end = list(RunStatus)[left % len(RunStatus)]
            created_at = self._until - timedelta(seconds=60 * left)
            run_type = RunType.INTERACTIVE if end is RunStatus.RUNNING and left % 2 else RunType.SCRIPT
            self._make_run(place, person, run_type, end, created_at, left)
            return 1
        created_at = self._until - timedelta(hours=8) - timedelta(days=_DAYS) * (left / self._count)
        end, chance = history.draw_end(random), random.random()
        if chance < 0.05:
            parent = self._make_run(place, person, RunType.SCRIPT, end, created_at, left)
            kinds = [(RunType.INTERACTIVE, f"trial {number + 1}") for number in range(int(3 + random.random() * 10))]
        elif chance < 0.09:
            parent = self._make_run(place, person, RunType.PIPELINE, end, created_at, left)
            kinds = [(RunType.STEP, step) for step in words.STEPS[: int(3 + random.random() * 3)]]
        else:
            run_type = RunType.INTERACTIVE if chance > 0.85 else RunType.SCRIPT
            self._make_run(place, person, run_type, end, created_at, left)
            return 1
        kinds = kinds[: left - 1 - _IN_EVERY_STATUS]
        for number, (kind, name) in enumerate(kinds):
            at = created_at + timedelta(seconds=5 + number)
            end = history.draw_end(random)
            self._make_run(place, person, kind, end, at, left - number - 1, parent=parent, name=name)
        return 1 + len(kinds)

    def _make_run(
        self,
        place: _Place,
        person: User,
        run_type: RunType,
        end: RunStatus,
        created_at: datetime,
        left: int,
        *,
        parent: int | None = None,
        name: str = "",
    ) -> int:
        random, task = self._random, place.task
        chance = random.random
        seconds = min(random.lognormvariate(5.8, 1.2), 5 * 3600)
        past = history.draw(random, run_type=run_type, end=end, created_at=created_at, seconds=seconds)
        started_at, ended_at, status_at = past.at(RunStatus.RUNNING), past.ended_at, past.moves[-1][1]
        model = task.models[int(chance() * len(task.models))]
        dataset = task.datasets[int(chance() * len(task.datasets))]
        rate = words.LEARNING_RATES[int(chance() * len(words.LEARNING_RATES))]
        is_script = run_type != RunType.INTERACTIVE
        error, reason = words.ERRORS[int(chance() * len(words.ERRORS))] if end is RunStatus.FAILED else ("", "")
        exit_code = {RunStatus.COMPLETED: 0, RunStatus.FAILED: 1}.get(end) if is_script else None
        canceled_at = past.at(RunStatus.CANCEL_REQUESTED)
        if canceled_at:
            reason = f"Canceled by {person.username}."
        description = ""
        if chance() < 0.3:
            template = words.DESCRIPTIONS[int(chance() * len(words.DESCRIPTIONS))]
            description = template.format(model=model, dataset=dataset, rate=rate)
        if not name and chance() < 0.5:
            name = f"{model} lr={rate:g}"
        place.number += 1
        bits = random.getrandbits(128)
        run_id = (
            f"{place.row.name}_{int(created_at.timestamp())}_{bits & 0xFFFFFFFF:08x}"
            if is_script and parent is None
            else f"{bits:032x}"
        )
        target = self._targets[bits % 2].pk if is_script else None
        pk = self._runs.add(
            *(run_id, self._workspace.pk, place.row.pk, place.number, name, description, run_type.value),
            *(person.pk, parent, parent, end.value, status_at, reason, error),
            exit_code,
            *(created_at, past.at(RunStatus.QUEUED), started_at, ended_at),
            (ended_at - started_at).total_seconds() if ended_at and started_at else None,
            created_at + timedelta(days=30) if left > _NEWEST_IN_FULL and chance() < 0.01 else None,
            *(canceled_at, person.pk if canceled_at else None, target),
            task.script if is_script else "",
            json.dumps(["--model", model, "--lr", f"{rate:g}"]) if is_script else "[]",
            int(is_script and past.at(RunStatus.PREPARING) is not None),
        )
        place.counts[parent is not None, end] += 1
        place.latest_pk = pk
        tags = self._tag(pk, place, dataset, left)
        self._texts.add(
            pk,
            index.text_of(
                display_name=name,
                run_id=run_id,
                experiment=place.row.name,
                submitter=person.username,
                tags=tags,
                description=description,
            ),
        )
        if is_script and chance() < 0.5:
            self._properties.add(pk, "azureml.git.commit", f"{bits >> 64:040x}"[:40], place.row.pk)
            self._keys[KeyKind.PROPERTY].add("azureml.git.commit")
        if started_at:
            self._measure(pk, place, model, rate, status_at, started_at, is_full=_is_full(left))
        self._remember(pk, past, person, target, reason, is_full=_is_full(left))
        if left <= _LOGS and started_at and is_script:
            self._logs.append((pk, _log(model, dataset, started_at, error)))
        return pk

    def _tag(self, pk: int, place: _Place, dataset: str, left: int) -> list[tuple[str, str | None]]:
        chance = self._random.random
        tags: list[tuple[str, str | None]] = [("dataset", dataset), words.STARTERS[int(chance() * 2)]]
        if chance() < 0.7:
            tags.append(("stage", words.STAGES[int(chance() * len(words.STAGES))]))
        if chance() < 0.4:
            tags.append(("team", place.task.team))
        if chance() < 0.3:
            tags.append((_rare(words.RARE_TAGS, chance()), str(int(chance() * 40))))
        if chance() < 0.05:
            tags.append(("quality", words.QUALITIES[int(chance() * len(words.QUALITIES))]))
        if chance() < 0.002:
            tags.append(("ticket", f"ML-{left}"))
        if chance() < 0.0005:
            tags.append(("gold", None))
        for key, value in tags:
            self._tags.add(pk, key, value, place.row.pk)
            self._keys[KeyKind.TAG].add(key)
        return tags

    def _measure(
        self, pk: int, place: _Place, model: str, rate: float, at: datetime, started_at: datetime, *, is_full: bool
    ) -> None:
        """Write the run's params and metrics: series that near their end, noisily."""
        random, chance = self._random, self._random.random
        batch = words.BATCH_SIZES[int(chance() * len(words.BATCH_SIZES))]
        params: list[tuple[str, str, float | None]] = [
            ("model", model, None),
            ("learning_rate", f"{rate:g}", rate),
            ("batch_size", str(batch), float(batch)),
        ]
        if chance() < 0.5:
            params.append(("optimizer", words.OPTIMIZERS[int(chance() * len(words.OPTIMIZERS))], None))
        for name, text, number in params:
            self._params.add(pk, name, text, number, place.row.pk)
            self._keys[KeyKind.PARAM].add(name)
        if chance() < 0.2:
            return  # it broke before the first epoch
        rare = [(_rare(words.RARE_METRICS, chance()), 1.0, 0.0)] if chance() < 0.3 else []
        for name, worst, best in (*place.task.metrics, *rare):
            self._keys[KeyKind.METRIC].add(name)
            reached = best + (worst - best) * min(chance() ** 3, 0.9)
            values = [reached]
            if is_full:
                values = [
                    reached + (worst - reached) * 0.85**step * (1 + random.gauss(0, 0.05)) for step in range(_POINTS)
                ]
            metric = self._metrics.add(
                *(pk, name, "number", len(values), values[-1], len(values) - 1, at, min(values), max(values)),
                place.row.pk,
            )
            step_seconds = max((at - started_at).total_seconds(), 1) / len(values)
            for step, value in enumerate(values):
                if is_full:
                    self._points.add(metric, step, started_at + timedelta(seconds=step * step_seconds), value)

    def _remember(
        self, pk: int, past: history.History, person: User, target: int | None, reason: str, *, is_full: bool
    ) -> None:
        """Write the run's events, and its attempt if it is told in full."""
        before = ("", *(status.value for status, _ in past.moves))
        latest = len(past.moves) - 1
        for number, (status, at) in enumerate(past.moves):
            if is_full or number in (0, latest):
                self._events.add(
                    *(pk, before[number], status.value, at, person.pk if number == 0 else None, "demo"),
                    reason if number == latest else "",
                )
        claimed_at = past.at(RunStatus.PREPARING)
        if is_full and claimed_at and target and past.ended_at:
            ended_at, started_at = past.ended_at, past.at(RunStatus.RUNNING)
            exit_code = None if past.status is RunStatus.CANCELED else int(past.status is RunStatus.FAILED)
            self._attempts.add(
                *(pk, 1, target, "demo-host", "demo", f"{pk}.1.demo", claimed_at, ended_at),
                *(started_at, ended_at, exit_code),
            )

    # --- What is kept about them ----------------------------------------------------------

    def _count_runs(self) -> None:
        for place in self._places:
            for (is_child, status), count in sorted(place.counts.items()):
                StatusCount.objects.filter(experiment=place.row, is_child=is_child, status=status).update(
                    count=F("count") + count
                )
            if place.latest_pk:
                Experiment.objects.filter(pk=place.row.pk).update(
                    latest_run_number=place.number,
                    latest_run_id=place.latest_pk,
                    latest_submitted_at=Run.objects.values_list("created_at", flat=True).get(pk=place.latest_pk),
                )
            place.counts, place.latest_pk = Counter(), None

    def _write_logs(self) -> None:
        for pk, text in self._logs:
            storage.append_log(pk, "user_logs/std_log.txt", text.encode(), offset=0)


def _is_full(left: int) -> bool:
    return left <= _NEWEST_IN_FULL or left % 100 == 0


def _rare(names: tuple[str, ...], chance: float) -> str:
    """Return one of `names`: the first ones often, the last ones now and then."""
    return names[int(chance * chance * len(names))]


def _log(model: str, dataset: str, started_at: datetime, error: str) -> str:
    lines = [f"loading {dataset}", f"training {model}"]
    lines += [
        f"{started_at + timedelta(seconds=3 * step):%H:%M:%S} epoch {step + 1}/{_POINTS}" for step in range(_POINTS)
    ]
    return "\n".join([*lines, error or "done"]) + "\n"
