"""The bare chain: an order in four transactions through the ORM.

The transactions insert the order and its lines, reserve the stock, record the payment, and confirm. As in a plain
Django project there is no history, no outbox, no delivery, no Celery and no shipment. Only the updated rows are locked.
"""

from collections.abc import Mapping

from django.db import transaction
from django.db.models import F

from tests.bench.baselines.models import Order, OrderLine, Payment, Product


class OutOfStock(RuntimeError):
    """An order asks for more of a product than is available."""


def place(buyer: str, quantities: Mapping[str, int], address: Mapping[str, str], method: str) -> Order:
    """Insert an order and its lines at current prices; returns the order."""
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
    """Reserve the goods with one update each, in the order of their SKUs so that two orders cannot deadlock.

    Raises `OutOfStock`.
    """
    with transaction.atomic():
        for sku, quantity in sorted(quantities.items()):
            available = Product.objects.filter(pk=sku, on_hand__gte=F("reserved") + quantity)
            if not available.update(reserved=F("reserved") + quantity):
                raise OutOfStock(sku)
        _set_status(order, "payment_pending")


def record_payment(order: Order) -> None:
    """Insert the payment, and mark the order as paid."""
    with transaction.atomic():
        Payment.objects.create(order=order, amount_minor=order.total_minor, reference=f"paid-{order.pk}")
        _set_status(order, "paid")


def confirm(order: Order) -> None:
    """Mark the order as confirmed."""
    with transaction.atomic():
        _set_status(order, "confirmed")


def _set_status(order: Order, status: str) -> None:
    order.status = status
    order.save(update_fields=["status"])
