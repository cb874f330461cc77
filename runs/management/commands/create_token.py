"""Print a new API token."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from runs.actions import tokens
from runs.errors import RunsError
from runs.management import sign_in


class Command(BaseCommand):
    """Make the token and print it, and nothing else, on standard output."""

    help = "Print a new API token of a user. It is shown this once: only its digest is stored."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the arguments."""
        parser.add_argument("user", help="whose token it is")
        parser.add_argument("--name", default="command line", help="what it is for, to tell tokens apart")

    def handle(self, *args: Any, **options: Any) -> None:
        """Print the token."""
        try:
            _, secret = tokens.create_token(
                user=sign_in.get_user(options["user"]), name=options["name"], at=timezone.now()
            )
        except RunsError as error:
            raise CommandError(error.message) from None
        self.stdout.write(secret)
