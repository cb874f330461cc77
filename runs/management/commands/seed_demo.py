"""Fill a workspace with a demo."""

import time
from argparse import ArgumentParser
from datetime import datetime
from typing import Any

from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from runs.management.demo.seeding import Seeder
from runs.models import Workspace


class Command(BaseCommand):
    """Make the runs and tell on standard error how far it is."""

    help = (
        "Fill a workspace with believable experiments and runs in every status, with children, tags, params,"
        " metrics and logs. The same seed makes the same runs. Meant for a try-out: only deletion removes them."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the arguments."""
        parser.add_argument("--runs", type=int, default=1_000, help="how many runs, children included")
        parser.add_argument("--seed", type=int, default=1, help="a number that stands for one demo")
        parser.add_argument("--workspace", default="default", help="where to put them; made if there is none")
        parser.add_argument("--user", default="admin", help="who submitted most of them; made if there is none")
        parser.add_argument(
            "--until", type=datetime.fromisoformat, help="when the newest run was made, such as 2026-11-23T12:00+01:00"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Make the runs."""
        if options["runs"] < 1:
            raise CommandError(f"--runs is {options['runs']}; expected at least 1.")
        until = options["until"] or timezone.now()
        if until.tzinfo is None:
            until = until.replace(tzinfo=timezone.get_default_timezone())
        owner, is_new = User.objects.get_or_create(username=options["user"])
        if is_new:
            owner.set_unusable_password()
            owner.save(update_fields=["password"])
        workspace, _ = Workspace.objects.get_or_create(name=options["workspace"], defaults={"created_at": until})
        started = time.monotonic()

        def tell(made: int) -> None:
            self.stderr.write(f"{made:,} of {options['runs']:,} runs, {time.monotonic() - started:.0f} s")

        Seeder(
            workspace=workspace, owner=owner, count=options["runs"], seed=options["seed"], until=until, tell=tell
        ).run()
