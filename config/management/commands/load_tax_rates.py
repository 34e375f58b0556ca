"""`manage.py load_tax_rates`: add the VAT rates of Europe to the shop's table of tax rates."""

from datetime import date
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from integration.domain import clock
from ordering.commands.tax_rates import EUROPE, load_tax_rates


class Command(BaseCommand):
    """Adds the rates that differ from those that are valid already."""

    help = (
        "Adds European VAT rates to the shop's tax rates, valid from a day on. They come from the installed package "
        "eu-vat-rates-data. Rates that are in the table stay, and a rate that is valid already is not added again."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--countries", nargs="+", metavar="CODE", help="the countries, such as DE FR; by default all"
        )
        parser.add_argument(
            "--valid-from", type=date.fromisoformat, help="the first day, as 2027-01-01; by default today"
        )

    def handle(self, *, countries: list[str] | None, valid_from: date | None, **options: Any) -> None:
        if unknown := sorted({*(countries or [])} - EUROPE.keys()):
            raise CommandError(f"there are no rates of {', '.join(unknown)}. There are: {', '.join(sorted(EUROPE))}")
        loaded = load_tax_rates(countries or sorted(EUROPE), valid_from or clock.now().date())
        self.stdout.write(f"{loaded.added} rates were added.")
        if loaded.without_reduced:
            self.stdout.write(
                f"These countries have several reduced rates, so none of them was added: "
                f"{', '.join(loaded.without_reduced)}. Goods of the class `reduced` are taxed there as `standard`."
            )
