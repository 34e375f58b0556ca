"""Refunds that operators grant without a cancellation: of an amount, or of units of lines."""

from collections.abc import Collection, Mapping

from billing.models import Invoice
from integration.aggregates.unit_of_work import unit_of_work
from integration.domain.identifiers import InvoiceNumber, Sku
from integration.domain.money import Money


def refund_in_part(
    number: InvoiceNumber, amount: Money, reason: str, if_version: Collection[int] | None = None
) -> Invoice:
    """Refund a part of what was paid for an invoice, without cancelling the order. Each call adds a refund.

    The amount is shared out over what remains of the lines.

    Args:
        if_version: the versions of the invoice that the caller accepts; None accepts any.

    Returns:
        The changed invoice.

    Raises:
        NotFound: there is no such invoice.
        NotAllowed: the invoice is not paid, or is refunded in full.
        MoreThanIsLeft: the amount is not positive, or more than what was paid and is not owed back yet.
        CurrencyMismatch: the invoice is in another currency.
        StaleVersion: the invoice is in none of the versions in `if_version`.
    """
    with unit_of_work() as work:
        invoice = work.get(Invoice, number)
        invoice.expect_version(if_version)
        invoice.refund_in_part(amount, reason)
    return invoice


def refund_lines(
    number: InvoiceNumber, units: Mapping[Sku, int], reason: str, if_version: Collection[int] | None = None
) -> Invoice:
    """Refund units of an invoice's lines, without cancelling the order. Each call adds a refund.

    Args:
        units: how many units to refund, by SKU.
        if_version: the versions of the invoice that the caller accepts; None accepts any.

    Returns:
        The changed invoice.

    Raises:
        NotFound, NotAllowed, StaleVersion: as `refund_in_part` does.
        NotInvoiced: a SKU is not on the invoice.
        MoreThanIsLeft: fewer units are left, or nothing of what was paid for them.
    """
    with unit_of_work() as work:
        invoice = work.get(Invoice, number)
        invoice.expect_version(if_version)
        invoice.refund_lines(units, reason)
    return invoice
