"""Takes orders through the bare chain, one after the other."""

import random
from collections.abc import Sequence
from typing import Any

import django

django.setup()

from django.core.management import call_command  # noqa: E402

from tests.bench.baselines.models import Product  # noqa: E402
from tests.bench.baselines.orders import confirm, place, record_payment, reserve  # noqa: E402
from tests.bench.processes import serve_calls  # noqa: E402
from tests.system.running_system import ADDRESS  # noqa: E402

STOCK = 1_000_000


def set_up(skus: int, past: int) -> None:
    """Create the tables, goods in stock, and earlier orders."""
    call_command("migrate", run_syncdb=True, verbosity=0)
    goods = (f"BENCH-{i:04}" for i in range(skus))
    # With `--short`, several measurements share these tables.
    Product.objects.bulk_create(
        (Product(sku=sku, name=sku, price_minor=125, on_hand=STOCK) for sku in goods), ignore_conflicts=True
    )
    do(past, 3, skus)


def do(orders: int, lines: int, skus: int) -> None:
    """Take orders through all four transactions, one after the other."""
    for _ in range(orders):
        quantities = dict.fromkeys(_some(lines, skus), 1)
        order = place(f"B-{random.randrange(500)}", quantities, ADDRESS, "pm_card_visa")
        reserve(order, quantities)
        record_payment(order)
        confirm(order)


def _some(lines: int, skus: int) -> Sequence[str]:
    return [f"BENCH-{i:04}" for i in random.sample(range(skus), lines)]


def run(what: str = "do", **how: Any) -> None:
    """Call `do` or `set_up`, as `what` says."""
    {"do": do, "set_up": set_up}[what](**how)


if __name__ == "__main__":
    serve_calls(run)
