"""`manage.py startevent`: a new domain event or contract, in the module it belongs to."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from config.scaffold.events import start_event
from config.scaffold.writing import CannotStart


class Command(BaseCommand):
    """Writes a new event."""

    help = (
        "Write a new event and its JSON Schema: a domain event if the name has underscores (context.what_happened), "
        "a contract if it has hyphens (context.what-happened)."
    )
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", help="context.what_happened or context.what-happened")
        parser.add_argument(
            "fields", nargs="*", metavar="FIELD:TYPE", help="such as order:OrderNumber or 'note:str | None'"
        )
        parser.add_argument("--meaning", required=True, help="what the event says, in one sentence")

    def handle(self, *args: Any, name: str, fields: list[str], meaning: str, **options: Any) -> None:
        try:
            self.stdout.write(start_event(name, fields, meaning))
        except CannotStart as error:
            raise CommandError(str(error), returncode=1) from error
