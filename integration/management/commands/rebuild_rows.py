"""`manage.py rebuild_rows Order R-1001`: make the rows of aggregates again from their histories."""

from typing import Any

import msgspec
from django.core.management.base import BaseCommand, CommandError, CommandParser

from integration.aggregates.rebuild import kind_named
from integration.aggregates.repair import rebuild_row
from integration.domain.errors import DomainError
from integration.domain.naming import UnknownName
from integration.storage.outages import repeated_after_outages


class Command(BaseCommand):
    """Rebuilds rows of aggregates."""

    help = (
        "Make the rows and parts of aggregates again from their histories, each under its lock, and print what "
        "differed. With --check, only print what differs; the exit code is 1 if something does."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("kind", metavar="KIND", help="such as Order, StockItem or stock_item")
        parser.add_argument("keys", nargs="+", metavar="KEY", help="such as R-1001")
        parser.add_argument("--check", action="store_true", help="change nothing")

    def handle(self, *, kind: str, keys: list[str], check: bool, **options: Any) -> None:
        wrong = 0
        for key in dict.fromkeys(keys):
            try:
                model = kind_named(kind)
                found = repeated_after_outages(rebuild_row)(model, key, dry_run=check)
            except DomainError as error:
                raise CommandError(f"{kind} {key}: {error.detail}") from error
            except (UnknownName, msgspec.ValidationError) as error:
                raise CommandError(f"{kind} {key}: this code cannot read the whole history: {error}.") from error
            wrong += len(found)
            for each in found:
                self.stdout.write(f"{model._meta.verbose_name} {key}: {each}")
            if not found:
                self.stdout.write(f"{model._meta.verbose_name} {key} equals its history.")
            elif not check:
                self.stdout.write(f"{model._meta.verbose_name} {key} is rebuilt.")
        if check and wrong:
            raise CommandError(f"{wrong} differences", returncode=1)
