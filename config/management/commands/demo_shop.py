"""`manage.py demo_shop`: fill a shop to try Waybill with; a second run changes nothing."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from config.preparing import prepare_alone
from config.shop.demo_shop import fill_demo_shop
from config.shop.people import let_people_in, missing_people
from config.shop.report import console_on


class Command(BaseCommand):
    """Fills the demo shop."""

    help = (
        "Fills the shop with the demo's products and their opening stock, and makes the users operator (staff) and "
        "buyer, whose passwords are their names. Existing products and users are not changed."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--force",
            action="store_true",
            help="make the users on a server, too, where anyone could log in as operator",
        )

    def handle(self, *, force: bool, **options: Any) -> None:
        if missing_people() and not settings.EMBEDDED and not force:
            raise CommandError(
                "This is a server (CELERY_BROKER_URL is set), and the passwords of operator and buyer are public. "
                "Use --force if only you can reach it."
            )
        with prepare_alone():
            products = fill_demo_shop()
            people = let_people_in()
        console = console_on(self.stdout, no_color=options["no_color"])
        if products or people:
            console.print(
                f"The demo shop has {products} new products and the new users: {', '.join(sorted(people)) or 'none'}."
            )
        else:
            console.print("The demo shop exists already; nothing was changed.")
