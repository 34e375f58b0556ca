"""What happens in billing, in its own words; no other context hears these."""

from msgspec import Struct

from integration.domain.events import DomainEvent, domain_event
from integration.domain.identifiers import (
    BuyerId,
    InvoiceNumber,
    OrderNumber,
    PaymentId,
    RefundId,
    Sku,
)
from integration.domain.money import Money
from integration.domain.personal import PersonalPaymentMethod


class InvoicedLine(Struct, frozen=True):
    """So many of one sku, at this price."""

    sku: Sku
    name: str
    quantity: int
    unit_price: Money


# --- Invoice ---


@domain_event("billing.invoice_issued")
class InvoiceIssued(DomainEvent):
    invoice: InvoiceNumber
    order: OrderNumber
    payer: BuyerId
    payment_method: PersonalPaymentMethod
    lines: tuple[InvoicedLine, ...]
    discount: Money
    total: Money


@domain_event("billing.invoice_paid")
class InvoicePaid(DomainEvent):
    invoice: InvoiceNumber
    order: OrderNumber
    payment: PaymentId
    amount: Money


@domain_event("billing.invoice_voided")
class InvoiceVoided(DomainEvent):
    invoice: InvoiceNumber
    order: OrderNumber


@domain_event("billing.void_invoice_paid")
class VoidInvoicePaid(DomainEvent):
    """Money came in for an invoice that had been voided; it is given back."""

    invoice: InvoiceNumber
    order: OrderNumber
    payment: PaymentId
    amount: Money


@domain_event("billing.invoice_refund_owed")
class InvoiceRefundOwed(DomainEvent):
    """Some or all of what was paid is to be given back."""

    invoice: InvoiceNumber
    order: OrderNumber
    refund: RefundId
    payment: PaymentId
    amount: Money
    reason: str


@domain_event("billing.invoice_refund_granted")
class InvoiceRefundGranted(DomainEvent):
    """Somebody decided to give some of what was paid back, though the order stands; that much less is owed for it."""

    invoice: InvoiceNumber
    order: OrderNumber
    amount: Money
    reason: str


@domain_event("billing.invoice_refunded")
class InvoiceRefunded(DomainEvent):
    """Some or all of what was paid was given back; `refunded` is all of it so far."""

    invoice: InvoiceNumber
    order: OrderNumber
    refund: RefundId
    amount: Money
    refunded: Money


@domain_event("billing.invoice_anonymized")
class InvoiceAnonymized(DomainEvent):
    """Its payer was erased: how they meant to pay is forgotten, what they owed and paid is not."""

    invoice: InvoiceNumber
    order: OrderNumber


# --- Payment ---


@domain_event("billing.payment_requested")
class PaymentRequested(DomainEvent):
    payment: PaymentId
    invoice: InvoiceNumber
    order: OrderNumber
    amount: Money
    method: PersonalPaymentMethod


@domain_event("billing.payment_succeeded")
class PaymentSucceeded(DomainEvent):
    payment: PaymentId
    invoice: InvoiceNumber
    order: OrderNumber
    amount: Money
    reference: str


@domain_event("billing.payment_failed")
class PaymentFailed(DomainEvent):
    payment: PaymentId
    order: OrderNumber
    reason: str


@domain_event("billing.payment_outcome_lost")
class PaymentOutcomeLost(DomainEvent):
    """The line to the provider was cut: it may have taken the money or not, and is to be asked."""

    payment: PaymentId
    order: OrderNumber


@domain_event("billing.payment_abandoned")
class PaymentAbandoned(DomainEvent):
    """Its invoice was voided before the provider was asked for the money."""

    payment: PaymentId
    order: OrderNumber


@domain_event("billing.payment_anonymized")
class PaymentAnonymized(DomainEvent):
    """Its payer was erased: how they paid is forgotten, that they did is not."""

    payment: PaymentId
    order: OrderNumber


# --- Refund ---


@domain_event("billing.refund_requested")
class RefundRequested(DomainEvent):
    refund: RefundId
    invoice: InvoiceNumber
    payment: PaymentId
    order: OrderNumber
    amount: Money
    reason: str


@domain_event("billing.refund_issued")
class RefundIssued(DomainEvent):
    refund: RefundId
    invoice: InvoiceNumber
    order: OrderNumber
    amount: Money
    reference: str
