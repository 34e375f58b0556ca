"""`manage.py erase_buyer U-5`: erase a buyer's personal data everywhere, and keep the amounts of their orders."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from integration.domain.errors import DomainError
from integration.storage.outages import repeated_after_outages
from ordering.commands import erase_buyer
from ordering.queries import buyer_named, who_is


class Command(BaseCommand):
    """Erases a buyer."""

    help = (
        "Close a buyer's account and erase their personal data from tables, histories, messages and dead letters. "
        "This cannot be undone. It is refused while an order of theirs is neither delivered nor cancelled."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("buyer", metavar="BUYER", help="such as U-5, a user name or an e-mail address")
        parser.add_argument("--yes", action="store_true", help="do not ask for confirmation")

    def handle(self, *args: Any, buyer: str, yes: bool, **options: Any) -> None:
        try:
            id = buyer_named(buyer)
            if not yes:
                self.stdout.write(who_is(id))
            if not yes and input(f"Erase buyer {id} for good? Type their identifier: ").strip() != id:
                raise CommandError("Nothing was erased.")
            erased = repeated_after_outages(erase_buyer)(id)
        except EOFError:
            raise CommandError("Nothing was erased: there is no terminal to ask for confirmation. Use --yes.") from None
        except DomainError as error:
            raise CommandError(error.detail) from error
        if not any(erased):
            self.stdout.write(f"There was nothing left to erase of buyer {id}.")
            return
        self.stdout.write(
            f"Buyer {id} is erased, {erased.orders:,} of their orders anonymized, and {erased.emails:,} of their "
            "e-mails deleted, which this machine stored as files."
        )
        self.stdout.write("The other contexts erase theirs when their workers handle the message.")
