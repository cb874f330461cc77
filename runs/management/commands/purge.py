"""Apply the retention rules, and remove for good what was in the trash long enough."""

from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand
from django.utils import timezone

from runs.actions import purge, retention
from runs.models import RetentionRule


class Command(BaseCommand):
    """Run it daily, on the machine that has the files."""

    help = "Move what the retention rules find to the trash, and remove what was there for STUDIO_TRASH_DAYS."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the arguments."""
        parser.add_argument("--dry-run", action="store_true", help="say what would happen, change nothing")
        parser.add_argument("--days", type=float, help="instead of STUDIO_TRASH_DAYS; 0 empties the trash")

    def handle(self, *args: Any, **options: Any) -> None:
        """Purge."""
        at = timezone.now()
        days = settings.STUDIO_TRASH_DAYS if options["days"] is None else options["days"]
        if options["dry_run"]:
            for rule in RetentionRule.objects.select_related("workspace", "created_by").order_by("pk"):
                count = retention.found_by(rule, at=at)[: retention.AT_MOST].count()
                self.stdout.write(f"{rule.workspace}: {rule}: would move {count} runs to the trash.")
            going = purge.due(at=at, days=days)
            spare = purge.due_snapshots(at=at, without=going)
            self.stdout.write(f"Would remove {going.count()} runs for good.")
            self.stdout.write(f"Would remove {len(spare)} snapshots that nothing names any more.")
            self.stdout.write(f"Would remove {len(purge.due_uploads(at=at))} uploads that came to no end.")
            return
        while purge.measure():
            pass
        self.stdout.write(f"Moved {retention.apply_rules(at=at)} runs to the trash.")
        self.stdout.write(f"Removed {purge.purge(at=at, days=days)} runs for good.")
        self.stdout.write(f"Removed {purge.purge_snapshots(at=at)} snapshots that nothing names any more.")
        self.stdout.write(f"Removed {purge.purge_uploads(at=at)} uploads that came to no end.")
