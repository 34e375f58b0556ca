"""The bare chain: an order in four transactions through the ORM.

Insert the order and its lines; reserve; record the payment; confirm. No history, no outbox, no deliveries, no Celery,
nothing locked but what is updated, and no shipment: what a plain Django project does, and what it does without.
"""

from collections.abc import Mapping

from django.db import transaction
from django.db.models import F

from tests.bench.baselines.models import Order, OrderLine, Payment, Product


class OutOfStock(RuntimeError):
    """There is less of a product than was wanted."""


def place(buyer: str, quantities: Mapping[str, int], address: Mapping[str, str], method: str) -> Order:
    """Insert an order and its lines, at today's prices."""
    with transaction.atomic():
        products = Product.objects.in_bulk(quantities)
        order = Order.objects.create(
            buyer=buyer,
            total_minor=sum(products[sku].price_minor * quantity for sku, quantity in quantities.items()),
            payment_method=method,
            shipping_address=address,
        )
        OrderLine.objects.bulk_create(
            OrderLine(order=order, sku=sku, quantity=quantity, unit_price_minor=products[sku].price_minor)
            for sku, quantity in quantities.items()
        )
    return order


def reserve(order: Order, quantities: Mapping[str, int]) -> None:
    """Set the goods aside, each by one update; in the order of their skus, or two orders would lock each other out."""
    with transaction.atomic():
        for sku, quantity in sorted(quantities.items()):
            there = Product.objects.filter(pk=sku, on_hand__gte=F("reserved") + quantity)
            if not there.update(reserved=F("reserved") + quantity):
                raise OutOfStock(sku)
        _become(order, "payment_pending")


def record_payment(order: Order) -> None:
    """Note that the money came in."""
    with transaction.atomic():
        Payment.objects.create(order=order, amount_minor=order.total_minor, reference=f"paid-{order.pk}")
        _become(order, "paid")


def confirm(order: Order) -> None:
    """The last step."""
    with transaction.atomic():
        _become(order, "confirmed")


def _become(order: Order, status: str) -> None:
    order.status = status
    order.save(update_fields=["status"])
