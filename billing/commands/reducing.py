"""Refunds because an order is cancelled, or has units no longer: they were cancelled, came back or were lost."""

from collections.abc import Mapping

from billing.models import Invoice, invoice_of
from integration.aggregates.unit_of_work import UnitOfWork, unit_of_work
from integration.domain.errors import NotYet
from integration.domain.identifiers import OrderNumber, Sku
from integration.domain.money import Money


def refund_units(
    order: OrderNumber,
    cause: str,
    lines: Mapping[Sku, int],
    reason: str,
    less: Money | None = None,
    shipping_too: bool = False,
    shipping_withheld: Money | None = None,
    has_left: bool = True,
) -> Money | None:
    """Refund units of an order; shipping, too, once all units of the order are cancelled, returned or lost.

    Nothing is refused. Units that were refunded before are not refunded again.

    Args:
        cause: the identifier of the cancellation, the receipt or the shipment, which counts once.
        lines: the units by SKU.
        less: what the shop keeps of what the units cost, such as a fee or a diminished value.
        shipping_too: refund what was paid for shipping in any case.
        shipping_withheld: the part of shipping that is not refunded.
        has_left: whether the units left; what is authorized for units that did not is never captured.

    Returns:
        What is refunded because of it, perhaps nothing; None if the cause counted before.

    Raises:
        NotYet: the invoice is not issued or not paid yet, or a capture is on its way.
    """
    with unit_of_work() as work:
        return known_invoice(work, order).refund_units(
            cause,
            lines,
            reason,
            less,
            shipping_too=shipping_too,
            shipping_withheld=shipping_withheld,
            has_left=has_left,
        )


def void_invoice(order: OrderNumber, reason: str, shipping_withheld: Money | None = None) -> None:
    """Void the invoice of a cancelled order, or refund what was paid.

    Args:
        shipping_withheld: the part of shipping that is not refunded.

    Raises:
        NotYet: the invoice is not issued yet.
    """
    with unit_of_work() as work:
        known_invoice(work, order).void(reason, shipping_withheld)


def known_invoice(work: UnitOfWork, order: OrderNumber) -> Invoice:
    """The invoice of an order; raises `NotYet` before it is issued."""
    invoice = work.find(Invoice, invoice_of(order))
    if invoice is None:
        raise NotYet(f"order {order} has no invoice yet")
    return invoice
