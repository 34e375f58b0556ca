"""What happened to invoices."""

from datetime import datetime
from decimal import Decimal
from typing import Any

from msgspec import Struct

from integration.domain.events import DomainEvent, domain_event
from integration.domain.identifiers import (
    BuyerId,
    DocumentId,
    InvoiceNumber,
    OrderNumber,
    PaymentId,
    RefundId,
    Sku,
)
from integration.domain.money import Money
from integration.domain.personal import PersonalPaymentMethod
from integration.domain.plain_prices import plain_lines
from integration.domain.versions import upcast


class InvoicedLine(Struct, frozen=True):
    """One line of an invoice: a quantity of one SKU, at a unit price.

    Args:
        total: what is due for the line, after discounts and with tax.
        tax: the tax in `total`; None if it is not known.
        tax_rate: in percent; None if it is not known.
    """

    sku: Sku
    name: str
    quantity: int
    unit_price: Money
    total: Money
    tax: Money | None = None
    tax_rate: Decimal | None = None


class InvoicedTax(Struct, frozen=True):
    """The tax at one rate, in percent."""

    rate: Decimal
    amount: Money


class CreditedLine(Struct, frozen=True):
    """What is refunded of one line: so many units, and this amount of its money."""

    sku: Sku
    quantity: int
    amount: Money


class CreditNoteLine(Struct, frozen=True):
    """What a credit note takes back of one line; `tax` is the tax in `amount`, None if it is not known."""

    sku: Sku
    quantity: int
    amount: Money
    tax: Money | None
    tax_rate: Decimal | None


class CreditNoteContent(Struct, frozen=True):
    """What a credit note takes back of lines, and of shipping; `taxes` is the tax in both, by rate."""

    lines: tuple[CreditNoteLine, ...]
    shipping: Money
    taxes: tuple[InvoicedTax, ...]
    reason: str


@domain_event("billing.invoice_issued", version=2, says="invoice {invoice} of {total} was issued for order {order}")
class InvoiceIssued(DomainEvent, kw_only=True):
    """An invoice was issued; the totals of its lines and `shipping` add up to `total`.

    Args:
        taxes: the tax of lines and shipping by rate, without rates of zero.
        prices_include_tax: whether the unit prices contain the tax; None if the taxes are not known.
    """

    invoice: InvoiceNumber
    order: OrderNumber
    payer: BuyerId
    payment_method: PersonalPaymentMethod
    lines: tuple[InvoicedLine, ...]
    discount: Money
    shipping: Money
    total: Money
    taxes: tuple[InvoicedTax, ...] = ()
    prices_include_tax: bool | None = None


@upcast(InvoiceIssued, from_version=1)
def one_discount_for_the_whole_invoice(data: dict[str, Any]) -> dict[str, Any]:
    """Before version 2 an invoice had no shipping, and its discount was on no line."""
    zero = {"amount": "0", "currency": data["total"]["currency"]}
    return {**data, "lines": plain_lines(data["lines"], data["discount"]), "shipping": zero}


@domain_event("billing.invoice_paid", says="invoice {invoice} was paid with {amount}")
class InvoicePaid(DomainEvent, kw_only=True):
    """An invoice was paid.

    Args:
        document: the row of its own that states it, as older code recorded it.
        documented: whether the invoice itself waits for the next number of its series.
    """

    invoice: InvoiceNumber
    order: OrderNumber
    payment: PaymentId
    amount: Money
    document: DocumentId = DocumentId("")
    documented: bool = False


@domain_event("billing.invoice_numbered", says="invoice {invoice} became {number}")
class InvoiceNumbered(DomainEvent, kw_only=True):
    """A paid invoice got the next number of its series; `issued_at` is its date of issue."""

    invoice: InvoiceNumber
    order: OrderNumber
    number: str
    position: int
    issued_at: datetime


@domain_event("billing.invoice_settled_without_payment", says="nothing was to be paid for invoice {invoice}")
class InvoiceSettledWithoutPayment(DomainEvent, kw_only=True):
    """The goods of an order that costs nothing are reserved; its invoice counts as paid."""

    invoice: InvoiceNumber
    order: OrderNumber


@domain_event("billing.invoice_voided", says="invoice {invoice} was voided")
class InvoiceVoided(DomainEvent, kw_only=True):
    invoice: InvoiceNumber
    order: OrderNumber


@domain_event("billing.void_invoice_paid", says="{amount} arrived for invoice {invoice} after it was voided")
class VoidInvoicePaid(DomainEvent, kw_only=True):
    """A payment succeeded for an invoice that was already void; the whole amount is to be refunded."""

    invoice: InvoiceNumber
    order: OrderNumber
    payment: PaymentId
    amount: Money


@domain_event("billing.invoice_refund_owed", says="a refund of {amount} became owed for invoice {invoice} ({reason})")
class InvoiceRefundOwed(DomainEvent, kw_only=True):
    """A refund of a part or all of what was paid is owed."""

    invoice: InvoiceNumber
    order: OrderNumber
    refund: RefundId
    payment: PaymentId
    amount: Money
    reason: str


@domain_event(
    "billing.invoice_refund_granted", says="a refund of {amount} was granted for invoice {invoice} ({reason})"
)
class InvoiceRefundGranted(DomainEvent, kw_only=True):
    """An operator granted a refund without a cancellation; the order owes that much less."""

    invoice: InvoiceNumber
    order: OrderNumber
    amount: Money
    reason: str


@domain_event("billing.invoice_lines_credited", says="of invoice {invoice} were credited: {lines}")
class InvoiceLinesCredited(DomainEvent, kw_only=True):
    """Units or money of lines are credited; the refund of the sum is an event of its own."""

    invoice: InvoiceNumber
    order: OrderNumber
    lines: tuple[CreditedLine, ...]


@domain_event("billing.invoice_reduced", says="{amount} less is to pay for invoice {invoice} ({reason}, {cause})")
class InvoiceReduced(DomainEvent, kw_only=True):
    """Units of the order were cancelled, came back or were lost: the order owes that much less.

    Args:
        cause: the identifier of what happened, which counts once.
        units: the units that the order no longer has, by SKU.
        amount: what is refunded for them, sometimes with shipping; zero if nothing was left.
        withheld: what the shop keeps of what they cost.
    """

    invoice: InvoiceNumber
    order: OrderNumber
    cause: str
    units: dict[Sku, int]
    amount: Money
    withheld: Money
    reason: str


@domain_event(
    "billing.invoice_credit_note_owed", says="a credit note of {amount} became due for invoice {invoice} ({document})"
)
class InvoiceCreditNoteOwed(DomainEvent, kw_only=True):
    """A confirmed invoice was reduced, whether money is refunded for it or not."""

    invoice: InvoiceNumber
    order: OrderNumber
    document: DocumentId
    amount: Money
    content: CreditNoteContent


@domain_event("billing.invoice_refunded", says="{amount} of invoice {invoice} were refunded, {refunded} so far")
class InvoiceRefunded(DomainEvent, kw_only=True):
    """A refund was issued; `amount` is this refund, `refunded` the total of the invoice's refunds so far.

    `sequence` is higher with each change of `refunded`. Older code recorded none.
    """

    invoice: InvoiceNumber
    order: OrderNumber
    refund: RefundId
    amount: Money
    refunded: Money
    sequence: int = 0


@domain_event(
    "billing.invoice_refund_failed", says="{amount} of the refunds of invoice {invoice} came back, {refunded} are left"
)
class InvoiceRefundFailed(DomainEvent, kw_only=True):
    """A refund that was issued failed later; `refunded` is the total of the refunds that are issued now."""

    invoice: InvoiceNumber
    order: OrderNumber
    refund: RefundId
    amount: Money
    refunded: Money
    sequence: int


@domain_event("billing.invoice_funds_withdrawn", says="{amount} of invoice {invoice} were withdrawn ({dispute})")
class InvoiceFundsWithdrawn(DomainEvent, kw_only=True):
    invoice: InvoiceNumber
    order: OrderNumber
    dispute: str
    amount: Money


@domain_event("billing.invoice_dispute_closed", says="{returned} of invoice {invoice} came back ({dispute})")
class InvoiceDisputeClosed(DomainEvent, kw_only=True):
    """A dispute that had withdrawn `amount` ended, and gave `returned` back: all of it, or nothing."""

    invoice: InvoiceNumber
    order: OrderNumber
    dispute: str
    amount: Money
    returned: Money


@domain_event("billing.invoice_payer_changed", says="invoice {invoice} became that of payer {payer}")
class InvoicePayerChanged(DomainEvent, kw_only=True):
    """A buyer took over the order that they placed as a guest, and its invoice with it."""

    invoice: InvoiceNumber
    order: OrderNumber
    payer: BuyerId


@domain_event("billing.invoice_anonymized", says="invoice {invoice} was anonymized", erases=True)
class InvoiceAnonymized(DomainEvent, kw_only=True):
    """The payer was erased: the payment method is removed, the amounts stay."""

    invoice: InvoiceNumber
    order: OrderNumber
