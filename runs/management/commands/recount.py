"""Recount what is kept as rows change."""

from argparse import ArgumentParser
from collections import Counter
from collections.abc import Iterator
from typing import Any

from django.core.management.base import BaseCommand
from django.db import transaction
from django.db.models import BooleanField, Case, Count, Max, Value, When

from runs.models import Experiment, Run, StatusCount
from runs.search import index, keys
from runs.status import RunStatus


class Command(BaseCommand):
    """Compare each experiment's counts and latest run with its rows, and set right what has drifted."""

    help = (
        "Recount the runs of each experiment by status, find its latest run, and report and repair what differs."
        " Exits with 1 if --check finds a difference."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the arguments."""
        parser.add_argument("--check", action="store_true", help="report only, change nothing")
        parser.add_argument(
            "--search", action="store_true", help="also store anew what the search looks in, for every run"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Recount."""
        drifted = 0
        for experiment_pk in Experiment.objects.order_by("pk").values_list("pk", flat=True):
            # One experiment at a time: a count must not change between reading and repairing it.
            with transaction.atomic():
                experiment = Experiment.objects.select_for_update(no_key=True).get(pk=experiment_pk)
                for line in [*_recount(experiment, options["check"]), *_find_latest(experiment, options["check"])]:
                    self.stdout.write(f"{experiment.name}: {line}")
                    drifted += 1
        if options["search"] and not options["check"]:
            keys.rebuild()
            self.stdout.write(f"Stored the search texts of {index.rebuild()} runs.")
        if drifted and options["check"]:
            self.stderr.write(f"{drifted} differences.")
            raise SystemExit(1)
        self.stdout.write(f"{drifted} differences{', repaired' if drifted else ''}.")


_IS_CHILD = Case(When(parent__isnull=True, then=Value(False)), default=Value(True), output_field=BooleanField())


def _recount(experiment: Experiment, is_check: bool) -> Iterator[str]:
    rows = (
        Run.objects.filter(experiment=experiment)
        .annotate(is_child=_IS_CHILD)
        .values_list("is_child", "status")
        .annotate(count=Count("pk"))
        .order_by()
    )
    actual = Counter({(is_child, status): count for is_child, status, count in rows})
    # Locked as `lifecycle` does, lest a run moves meanwhile.
    kept = {
        (row.is_child, row.status): row
        for row in StatusCount.objects.select_for_update().filter(experiment=experiment).order_by("status")
    }
    for is_child in (False, True):
        for status in RunStatus:
            row, count = kept.get((is_child, status.value)), actual[is_child, status.value]
            if row is None or row.count != count:
                kind = "child runs" if is_child else "runs"
                yield f"{status} {kind}: kept {row.count if row else 'nothing'}, counted {count}"
                if not is_check:
                    StatusCount.objects.update_or_create(
                        experiment=experiment, is_child=is_child, status=status, defaults={"count": count}
                    )


def _find_latest(experiment: Experiment, is_check: bool) -> Iterator[str]:
    latest = Run.objects.filter(experiment=experiment).order_by("-pk").only("pk", "created_at").first()
    number = Run.objects.filter(experiment=experiment).aggregate(top=Max("number"))["top"] or 0
    wanted = {
        "latest_run_id": latest.pk if latest else None,
        # Numbers are never given out twice, so a greater one is no drift: its run may be gone.
        "latest_run_number": max(number, experiment.latest_run_number),
        "latest_submitted_at": latest.created_at if latest else experiment.created_at,
    }
    wrong = {name: value for name, value in wanted.items() if getattr(experiment, name) != value}
    for name, value in wrong.items():
        yield f"{name}: kept {getattr(experiment, name)}, found {value}"
    if wrong and not is_check:
        Experiment.objects.filter(pk=experiment.pk).update(**wrong)
