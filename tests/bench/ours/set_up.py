"""Sets up the database of a system under measurement: tables, goods in stock, buyers, and a user to log in as.

It also places some orders, so that PostgreSQL's statistics describe filled tables.
"""

import sys

import django

django.setup()

from django.contrib.auth import get_user_model  # noqa: E402
from django.core.management import call_command  # noqa: E402

from integration.aggregates.unit_of_work import unit_of_work  # noqa: E402
from integration.domain.money import Money  # noqa: E402
from integration.messaging.claim import due_delivery_queues  # noqa: E402
from integration.messaging.deliver import deliver_due  # noqa: E402
from integration.read_models.catch_up import catch_up_all  # noqa: E402
from inventory.commands import stock_up  # noqa: E402
from ordering.commands import list_products, register_buyer_if_new  # noqa: E402
from tests.bench.ours.goods import BUYERS, STOCK, buyer, sku  # noqa: E402
from tests.bench.ours.place import place  # noqa: E402


def set_up(skus: int, past: int) -> None:
    """Create everything, with no delivery left pending."""
    call_command("migrate", run_syncdb=True, verbosity=0)
    goods = [sku(i) for i in range(skus)]
    list_products([(each, each, "", Money("1.25", "USD")) for each in goods])
    stock_up([(each, STOCK) for each in goods])
    with unit_of_work():
        for i in range(BUYERS):
            register_buyer_if_new(buyer(i))
    get_user_model().objects.create_user("buyer", "buyer@example.com", "buyer")
    take_orders(past, skus)


def take_orders(orders: int, skus: int) -> None:
    """Place orders, and deliver everything they lead to."""
    for _ in range(orders):
        place(3, skus)
    react()
    catch_up_all()


def react() -> None:
    """Deliver until nothing is due."""
    while delivery_queues := due_delivery_queues():
        for delivery_queue in delivery_queues:
            deliver_due(delivery_queue)


if __name__ == "__main__":
    set_up(int(sys.argv[1]), int(sys.argv[2]))
