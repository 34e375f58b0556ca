"""`manage.py demo_shop`: fill a shop to try Waybill with; a second run changes nothing."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from config.preparing import prepare_alone
from config.shop.demo_shop import VOUCHER, fill_demo_shop, offer_shipping, offer_voucher
from config.shop.people import let_people_in, missing_people
from config.shop.report import console_on


class Command(BaseCommand):
    """Fills the demo shop."""

    help = (
        "Fills the shop with the demo's products and their opening stock, two shipping options and a voucher, and "
        "makes the users operator (staff) and buyer, whose passwords are their names. What exists is not changed."
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
            new = {
                "products": str(fill_demo_shop() or ""),
                "shipping options": str(offer_shipping() or ""),
                "vouchers": VOUCHER if offer_voucher() else "",
                "users": ", ".join(sorted(let_people_in())),
            }
        console = console_on(self.stdout, no_color=options["no_color"])
        if not any(new.values()):
            console.print("The demo shop exists already; nothing was changed.")
        for kind, which in new.items():
            if which:
                console.print(f"New {kind} in the demo shop: {which}")
