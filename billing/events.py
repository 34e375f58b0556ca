"""Billing's domain events. They stay inside billing; `policies/saga.py` publishes contracts for other contexts."""

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
    """One line of an invoice: a quantity of one SKU, at a unit price."""

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
    """A payment succeeded for an invoice that was already void; the whole amount is to be refunded."""

    invoice: InvoiceNumber
    order: OrderNumber
    payment: PaymentId
    amount: Money


@domain_event("billing.invoice_refund_owed")
class InvoiceRefundOwed(DomainEvent):
    """A refund of a part or all of what was paid is owed."""

    invoice: InvoiceNumber
    order: OrderNumber
    refund: RefundId
    payment: PaymentId
    amount: Money
    reason: str


@domain_event("billing.invoice_refund_granted")
class InvoiceRefundGranted(DomainEvent):
    """An operator granted a refund without a cancellation; the order owes that much less."""

    invoice: InvoiceNumber
    order: OrderNumber
    amount: Money
    reason: str


@domain_event("billing.invoice_refunded")
class InvoiceRefunded(DomainEvent):
    """A refund was issued; `amount` is this refund, `refunded` the total of the invoice's refunds so far."""

    invoice: InvoiceNumber
    order: OrderNumber
    refund: RefundId
    amount: Money
    refunded: Money


@domain_event("billing.invoice_anonymized")
class InvoiceAnonymized(DomainEvent):
    """The payer was erased: the payment method is removed, the amounts stay."""

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
    key: str = ""


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
    """The provider did not respond to a charge: it may have taken the money or not, and must be asked."""

    payment: PaymentId
    order: OrderNumber


@domain_event("billing.payment_abandoned")
class PaymentAbandoned(DomainEvent):
    """The invoice was voided, and the provider never took the money."""

    payment: PaymentId
    order: OrderNumber


@domain_event("billing.payment_anonymized")
class PaymentAnonymized(DomainEvent):
    """The payer was erased: the payment method is removed, the payment stays."""

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
    key: str = ""


@domain_event("billing.refund_issued")
class RefundIssued(DomainEvent):
    refund: RefundId
    invoice: InvoiceNumber
    order: OrderNumber
    amount: Money
    reference: str
