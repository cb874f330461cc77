"""Make, list and switch compute targets."""

from argparse import ArgumentParser
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from runs.models import Attempt, ComputeTarget

# Option of `create`, its field, and what it limits.
_LIMITS = (
    ("--max-run-duration-seconds", "how long a run may take"),
    ("--memory-bytes", "memory of a run"),
    ("--process-count", "processes of a run"),
    ("--cpu-seconds", "processor time of a run"),
    ("--file-bytes", "size of a file that a run writes"),
)


# Subcommands that set a field of a target, and what they mean.
_SWITCHES = {
    "enable": ({"is_enabled": True}, "take runs again"),
    "disable": ({"is_enabled": False}, "take no new runs; running ones finish"),
    "refuse": ({"refuses_conda_and_docker": True}, "refuse runs that ask for conda packages or Docker"),
    "warn": ({"refuses_conda_and_docker": False}, "take such runs, which go without and say so (the default)"),
}


class Command(BaseCommand):
    """One subcommand for each thing to do with a compute target."""

    help = "Make, list and switch compute targets. Workers take changes up by themselves."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the subcommands."""
        commands = parser.add_subparsers(dest="command", required=True)
        create = commands.add_parser("create", help="make a compute target")
        create.add_argument("name")
        create.add_argument("--slots", type=int, default=1, help="how many runs it executes at once (default: 1)")
        create.add_argument("--description", default="")
        create.add_argument(
            "--refuses-conda-and-docker", action="store_true", help="refuse runs that ask for conda packages or Docker"
        )
        for option, meaning in _LIMITS:
            create.add_argument(option, type=int, help=f"limit: {meaning} (default: none)")
        create.add_argument("--run-as", default="", help="user of the workers' system as whom scripts run (needs root)")
        commands.add_parser("list", help="list the compute targets")
        for word, (_, meaning) in _SWITCHES.items():
            commands.add_parser(word, help=meaning).add_argument("name")

    def handle(self, *args: Any, **options: Any) -> None:
        """Do what the subcommand says."""
        match options["command"]:
            case "create":
                self._create(options)
            case "list":
                self._list()
            case word:
                self._switch(options["name"], word)

    def _create(self, options: dict[str, Any]) -> None:
        limits = {option.strip("-").replace("-", "_") for option, _ in _LIMITS}
        target = ComputeTarget(
            name=options["name"],
            description=options["description"],
            slots=options["slots"],
            refuses_conda_and_docker=options["refuses_conda_and_docker"],
            run_as=options["run_as"],
            created_at=timezone.now(),
            **{field: options[field] for field in limits},
        )
        try:
            target.full_clean()
        except ValidationError as error:
            raise CommandError(
                "; ".join(f"{field}: {' '.join(messages)}" for field, messages in error.message_dict.items())
            ) from None
        target.save(force_insert=True)
        self.stdout.write(f"Made {target.name} with {target.slots} slots.")

    def _list(self) -> None:
        for target in ComputeTarget.objects.order_by("name"):
            running = Attempt.objects.holding(at=timezone.now()).filter(compute_target=target).count()
            state = "enabled" if target.is_enabled else "disabled"
            state += ", refuses conda and Docker" if target.refuses_conda_and_docker else ""
            self.stdout.write(f"{target.name}\t{state}\t{running} of {target.slots} slots in use")

    def _switch(self, name: str, word: str) -> None:
        fields, meaning = _SWITCHES[word]
        if not ComputeTarget.objects.filter(name=name).update(**fields):
            raise CommandError(f"There is no compute target {name!r}; `compute_target list` shows those there are.")
        self.stdout.write(f"{name}: {meaning}.")
