"""`manage.py reconcile_payments`: compare our payments with the provider's now, and print the differences."""

from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from billing.commands.discrepancies import open_discrepancies
from billing.gateways import OutcomeUnknown
from billing.reconciliation import reconcile
from integration.domain import clock
from integration.management.listing import add_json_option, print_json
from integration.storage.outages import repeated_after_outages


class Command(BaseCommand):
    """Compares payments and refunds with the provider's."""

    help = "Compare our books with the payment provider's, repair what is safe, and list what a person must look at."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--days", type=int, default=30, help="how many days back to compare (default: %(default)s)")
        add_json_option(parser)

    def handle(self, *args: Any, days: int, json: bool = False, **options: Any) -> None:
        try:
            report = repeated_after_outages(reconcile)(clock.now() - timedelta(days=days))
        except OutcomeUnknown as error:
            raise CommandError(f"the provider could not be reached: {error}") from error
        waiting = list(open_discrepancies())
        if json:
            left = [{"subject": each.subject, "finding": each.finding, "found_at": each.found_at} for each in waiting]
            print_json(self, {"compared": report.looked_at, "repaired": list(report.repaired), "for_a_person": left})
        else:
            self.stdout.write(f"{report.looked_at:,} compared, {len(report.repaired)} repaired")
            for line in [
                *(f"repaired: {key}" for key in report.repaired),
                *(f"for a person: {each}" for each in waiting),
            ]:
                self.stdout.write(f"  {line}")
        if waiting:
            raise CommandError(f"{len(waiting)} discrepancies wait for a person")
