"""`manage.py startpolicy`: a new reaction and its test, in the files they belong to."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from config.scaffold.policies import start_policy
from config.scaffold.writing import CannotStart


class Command(BaseCommand):
    """Writes a new reaction."""

    help = "Write a new reaction to an event, and its test."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", help="context.what-it-does: two or more words of the letters a to z")
        parser.add_argument("event", help="the wire name of a contract, or of a domain event of the same context")

    def handle(self, *args: Any, name: str, event: str, **options: Any) -> None:
        try:
            self.stdout.write(start_policy(name, event))
        except CannotStart as error:
            raise CommandError(str(error), returncode=1) from error
