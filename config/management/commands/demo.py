"""`manage.py demo`: place orders of every kind, carry each to its end, and print the results."""

from datetime import timedelta
from random import Random
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from config.shop.carry import TIMEOUT
from config.shop.demo_orders import NothingToSell, live_through, wishes
from config.shop.demo_shop import fill_demo_shop, offer_shipping
from config.shop.report import console_on, ends_of, order_bars, table_of_ends, tree_of_causes
from config.shop.special_work import leave_special_work
from config.shop.work import leave_work
from integration.domain.errors import DomainError
from integration.domain.identifiers import OrderNumber
from ordering.models import Order, OrderStatus


class Command(BaseCommand):
    """Places varied orders and carries them to their ends."""

    help = (
        "Places orders in the demo shop, which is filled first if it is empty: paid ones, declined ones, orders for "
        "more than is in stock, some in two parcels, and some that are cancelled before or after their payment. "
        "Carries all of them to their ends, with or without workers running, and shows the results. Then leaves work "
        "for an operator: parcels to send, a dead letter, a discrepancy, low stock, a guest's order with a voucher, a "
        "held order, a lost parcel and a return to receive."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--orders", type=int, default=20, metavar="N", help="how many (default: 20)")
        parser.add_argument("--seed", type=int, metavar="N", help="with the same seed, place the same orders")
        parser.add_argument(
            "--timeout",
            "--patience",
            type=float,
            default=TIMEOUT.total_seconds(),
            metavar="SECONDS",
            help="give up when nothing was done for this long (default: %(default)g)",
        )

        parser.add_argument("--no-work", action="store_false", dest="work", help="leave nothing to do for an operator")

    def handle(self, *, orders: int, seed: int | None, timeout: float, work: bool, **options: Any) -> None:
        if orders < 1:
            raise CommandError("--orders must be 1 or more.")
        if timeout <= 0:
            raise CommandError("--timeout must be more than 0 seconds.")
        console, wait = console_on(self.stdout, no_color=options["no_color"]), timedelta(seconds=timeout)
        fill_demo_shop(wait)
        offer_shipping()
        try:
            wanted = wishes(orders, Random(seed))  # noqa: S311 - not for secrets
            with order_bars(console, orders) as bars:
                numbers = live_through(wanted, timeout=wait, on_placed=bars.placed, on_ended=bars.ended)
        except (DomainError, NothingToSell) as error:
            raise CommandError(str(error)) from error
        except KeyboardInterrupt:
            raise CommandError("Stopped. Workers go on with the orders that were placed.", returncode=130) from None
        console.print(table_of_ends(ends_of(numbers)))
        console.print(tree_of_causes(_one_to_show(numbers)))
        if work:
            random = Random(seed)  # noqa: S311 - not for secrets
            left = [*leave_work(random, wait), *leave_special_work(random, wait)]
            console.print(f"Left for an operator, at /admin/: {', '.join(left)}.")


def _one_to_show(numbers: list[OrderNumber]) -> Order:
    """A delivered order, if there is one, because its story passes through every context."""
    delivered = Order.objects.filter(pk__in=numbers[:100], status=OrderStatus.DELIVERED).order_by("created_at").first()
    return delivered or Order.objects.get(pk=numbers[0])
