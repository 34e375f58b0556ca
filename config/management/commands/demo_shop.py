"""`manage.py demo_shop`: a shop to try Waybill with; run again, it changes nothing."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from config.shop.demo_shop import fill_demo_shop
from config.shop.people import let_people_in, missing_people
from config.shop.report import console_on


class Command(BaseCommand):
    """Fills the demo shop."""

    help = (
        "Fills the shop with the demo's products and their opening stock, and lets in the users operator (staff) and "
        "buyer, whose passwords are their names. What is there already is left as it is."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--force",
            action="store_true",
            help="make the users on a server too, where everybody could log in as operator",
        )

    def handle(self, *, force: bool, **options: Any) -> None:
        if missing_people() and not settings.EMBEDDED and not force:
            raise CommandError(
                "This is a server (CELERY_BROKER_URL is set), and everybody knows the passwords of operator and buyer. "
                "Use --force if nobody but you can reach it."
            )
        products = fill_demo_shop()
        people = let_people_in()
        console = console_on(self.stdout, no_color=options["no_color"])
        if products or people:
            console.print(
                f"The demo shop has {products} new products and the new users: {', '.join(sorted(people)) or 'none'}."
            )
        else:
            console.print("The demo shop is there already; nothing was changed.")
