"""`manage.py startcontext`: a new context with all its modules, installed."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from config.scaffold.contexts import start_context
from config.scaffold.writing import CannotStart


class Command(BaseCommand):
    """Writes a new context."""

    help = "Write a new context with all its modules, and add it to the settings and the checks."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", help="one word in lower case")
        parser.add_argument("--meaning", required=True, help="what the context is responsible for, in one sentence")

    def handle(self, *args: Any, name: str, meaning: str, **options: Any) -> None:
        try:
            self.stdout.write(start_context(name, meaning))
        except CannotStart as error:
            raise CommandError(str(error), returncode=1) from error
