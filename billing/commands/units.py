"""Refunds of units that were cancelled, returned or lost."""

from collections.abc import Mapping

from billing.models import Invoice
from billing.models.numbers import invoice_of
from integration.aggregates.unit_of_work import unit_of_work
from integration.domain.errors import NotYet
from integration.domain.identifiers import OrderNumber, Sku
from integration.domain.money import Money


def refund_units(
    order: OrderNumber,
    cause: str,
    units: Mapping[Sku, int],
    reason: str,
    *,
    less: Money | None = None,
    shipping_withheld: Money | None = None,
) -> Money | None:
    """Refund units of an order; once all of it was cancelled, returned or lost, shipping is refunded, too.

    Args:
        cause: the identifier of the cancellation, the receipt or the shipment; each counts once.
        units: how many units, by SKU.
        less: a fee or diminished value, which is withheld.
        shipping_withheld: the part of shipping that is not refunded.

    Returns:
        What is refunded because of it, perhaps nothing; None if the cause counted before.

    Raises:
        NotYet: the order has no invoice yet, or it is not paid yet.
        NotInvoiced: a SKU is not on the invoice.
    """
    with unit_of_work() as work:
        invoice = work.find(Invoice, invoice_of(order))
        if invoice is None:
            raise NotYet(f"order {order} has no invoice yet")
        return invoice.reverse_units(cause, units, reason, less, shipping_withheld)
