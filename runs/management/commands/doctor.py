"""Look at the installation from this machine, and say what to do."""

import dataclasses
import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from runs.management import doctor


class Command(BaseCommand):
    """Print what each check found; exit with 1 if one found an error."""

    help = "Check database, broker, workers, disk, clock and settings, as seen from this machine."
    # What they would find is one of the findings.
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the options."""
        parser.add_argument("--json", action="store_true", help="print a list of findings for programs")

    def handle(self, *args: Any, **options: Any) -> None:
        """Examine and report."""
        findings = list(doctor.examine())
        if options["json"]:
            self.stdout.write(json.dumps([dataclasses.asdict(finding) for finding in findings], indent=2))
        else:
            for finding in findings:
                self.stdout.write(f"{finding.level:<8} {finding.check}: {finding.text}")
                if finding.advice:
                    self.stdout.write(f"{'':<8} -> {finding.advice}")
        if any(finding.level == doctor.ERROR for finding in findings):
            raise SystemExit(1)
