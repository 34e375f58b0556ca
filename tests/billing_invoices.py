"""Paid invoices for tests of refunds."""

from collections.abc import Mapping
from decimal import Decimal

from billing import events
from billing.events import InvoicedLine
from billing.models import Invoice, payment_of
from integration.domain.identifiers import BuyerId, OrderNumber, PaymentMethodId, Sku
from integration.domain.money import Money
from integration.domain.plain_prices import plain_totals

ORDER = OrderNumber("R-1")
MUG, LAMP, ATLAS = Sku("MUG"), Sku("LAMP"), Sku("ATLAS")


def paid(
    lines: Mapping[Sku, tuple[int, int]],
    discount: int = 0,
    currency: str = "USD",
    tax: int = 0,
    shipping: int = 0,
    rate: Decimal = Decimal(0),
) -> Invoice:
    """A settled invoice of lines with these quantities and unit prices, in minor units.

    On top of each line come `tax`, and `rate` percent of what the line costs after its part of the discount.
    """
    plain = plain_totals(
        Money.of_minor(discount, currency),
        [Money.of_minor(quantity * price, currency) for quantity, price in lines.values()],
    )
    totals = [total + total.percent(rate, half_up=True) + Money.of_minor(tax, currency) for total in plain]
    total = sum(each.minor for each in totals) + shipping
    invoice = Invoice.issue(
        ORDER,
        payer=BuyerId("B-1"),
        payment_method=PaymentMethodId("pm_card_visa"),
        lines=[
            InvoicedLine(sku, sku.title(), quantity, Money.of_minor(price, currency), due)
            for (sku, (quantity, price)), due in zip(lines.items(), totals, strict=True)
        ],
        discount=Money.of_minor(discount, currency),
        shipping=Money.of_minor(shipping, currency),
        total=Money.of_minor(total, currency),
    )
    if invoice.total:
        invoice.settle(payment_of(ORDER), invoice.total)
    else:
        invoice.settle_without_payment()
    return invoice


def refunds_of(invoice: Invoice) -> list[int]:
    """The amounts of all refunds, in minor units."""
    owed = (recorded.event for recorded in invoice.recorded_events)
    return [event.amount.minor for event in owed if isinstance(event, events.InvoiceRefundOwed)]
