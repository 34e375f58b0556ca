"""`manage.py erase_buyer U-5`: forget who a buyer is, everywhere; what the books need of their orders stays."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from integration.domain.errors import DomainError
from ordering.commands import erase_buyer
from ordering.queries import buyer_named


class Command(BaseCommand):
    """Erases a buyer."""

    help = (
        "Close a buyer's account and erase what is personal of them from tables, histories, messages and dead letters. "
        "It cannot be undone. Refused while one of their orders is neither delivered nor cancelled."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("buyer", metavar="BUYER", help="such as U-5, a user name or an e-mail address")
        parser.add_argument("--yes", action="store_true", help="do not ask whether that is really meant")

    def handle(self, *args: Any, buyer: str, yes: bool, **options: Any) -> None:
        try:
            id = buyer_named(buyer)
            if not yes and input(f"Erase buyer {id} for good? Type their identifier: ").strip() != id:
                raise CommandError("Nothing was erased.")
            erased = erase_buyer(id)
        except EOFError:
            raise CommandError("Nothing was erased: there is nobody to ask. Say --yes.") from None
        except DomainError as error:
            raise CommandError(error.detail) from error
        if not any(erased):
            self.stdout.write(f"There was nothing left to erase of buyer {id}.")
            return
        self.stdout.write(f"Buyer {id} is erased, and {erased.orders:,} of their orders anonymized.")
        self.stdout.write("The other contexts follow as soon as their workers hear of it.")
