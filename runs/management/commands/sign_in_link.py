"""Print a link that signs somebody in, once."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from runs.errors import RunsError
from runs.management import home, sign_in


class Command(BaseCommand):
    """Make the link and print it, and nothing else, on standard output."""

    help = "Print a link that signs a user in, once, within a day."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the arguments."""
        parser.add_argument("user", nargs="?", help="whom it signs in (default: the first administrator)")

    def handle(self, *args: Any, **options: Any) -> None:
        """Print the link."""
        try:
            user = sign_in.get_user(options["user"]) if options["user"] else sign_in.first_administrator()
        except RunsError as error:
            raise CommandError(error.message) from None
        if user is None:
            raise CommandError("There is no active administrator: name a user, or start `manage.py up` first.")
        self.stdout.write(sign_in.make_link(user=user, address=home.address()))
