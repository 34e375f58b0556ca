"""What happened to authorized money: it is captured as goods leave, or never."""

from datetime import datetime

from integration.domain.events import DomainEvent, domain_event
from integration.domain.identifiers import (
    CaptureId,
    InvoiceNumber,
    OrderNumber,
    PaymentId,
    ShipmentId,
    Sku,
)
from integration.domain.money import Money

# --- Payments ---


@domain_event("billing.payment_authorized", says="{amount} were authorized for order {order}, until {capture_before}")
class PaymentAuthorized(DomainEvent, kw_only=True):
    """The provider holds the money for us until `capture_before`, and has taken nothing of it."""

    payment: PaymentId
    invoice: InvoiceNumber
    order: OrderNumber
    amount: Money
    reference: str
    capture_before: datetime


@domain_event(
    "billing.payment_captured", says="{amount} of the payment for order {order} were captured, {captured} so far"
)
class PaymentCaptured(DomainEvent, kw_only=True):
    """A part or all of what was authorized was taken; `captured` is the total of this payment so far."""

    payment: PaymentId
    order: OrderNumber
    capture: CaptureId
    amount: Money
    captured: Money


@domain_event("billing.payment_lapsed", says="the authorization of the payment for order {order} ends soon, or has")
class PaymentLapsed(DomainEvent, kw_only=True):
    """The authorization ends within a day, or has ended: nothing more should leave before the buyer pays again."""

    payment: PaymentId
    invoice: InvoiceNumber
    order: OrderNumber


@domain_event("billing.payment_closed", says="the authorization of the payment for order {order} is over: {status}")
class PaymentClosed(DomainEvent, kw_only=True):
    """Nothing can be captured any more. `status` is `succeeded` if anything was, or else `voided` or `expired`."""

    payment: PaymentId
    order: OrderNumber
    status: str


# --- Captures ---


@domain_event("billing.capture_requested", says="a capture of {amount} was requested for order {order}, for {shipment}")
class CaptureRequested(DomainEvent, kw_only=True):
    """Goods left in a shipment, and the provider is to take their money now."""

    capture: CaptureId
    payment: PaymentId
    invoice: InvoiceNumber
    order: OrderNumber
    shipment: ShipmentId
    amount: Money
    key: str


@domain_event("billing.capture_settled", says="{amount} were captured for order {order} ({capture})")
class CaptureSettled(DomainEvent, kw_only=True):
    """The provider took the money; `was_failed` if it said before that it could not."""

    capture: CaptureId
    payment: PaymentId
    invoice: InvoiceNumber
    order: OrderNumber
    amount: Money
    reference: str
    was_failed: bool


@domain_event("billing.capture_failed", says="{amount} could not be captured for order {order} ({reason})")
class CaptureFailed(DomainEvent, kw_only=True):
    """The provider did not take the money, although the goods have left: they are owed."""

    capture: CaptureId
    payment: PaymentId
    invoice: InvoiceNumber
    order: OrderNumber
    shipment: ShipmentId
    amount: Money
    reason: str


# --- Invoices ---


@domain_event("billing.invoice_authorized", says="{amount} were authorized for invoice {invoice}")
class InvoiceAuthorized(DomainEvent, kw_only=True):
    """The money for an open invoice is authorized, so that its order is confirmed.

    The invoice waits for the next number of its series.
    """

    invoice: InvoiceNumber
    order: OrderNumber
    payment: PaymentId
    amount: Money
    sequence: int


@domain_event(
    "billing.void_invoice_authorized", says="{amount} were authorized for invoice {invoice} after it was voided"
)
class VoidInvoiceAuthorized(DomainEvent, kw_only=True):
    """An authorization came for an invoice that was already void; it is to be released."""

    invoice: InvoiceNumber
    order: OrderNumber
    payment: PaymentId
    amount: Money


@domain_event("billing.invoice_goods_left", says="{units} of invoice {invoice} left in {shipment}")
class InvoiceGoodsLeft(DomainEvent, kw_only=True):
    """Goods of an invoice left whose money is authorized and not captured yet."""

    invoice: InvoiceNumber
    order: OrderNumber
    shipment: ShipmentId
    units: dict[Sku, int]


@domain_event("billing.invoice_capture_owed", says="a capture of {amount} became due for invoice {invoice}")
class InvoiceCaptureOwed(DomainEvent, kw_only=True):
    """A part or all of what is authorized is to be captured now."""

    invoice: InvoiceNumber
    order: OrderNumber
    payment: PaymentId
    capture: CaptureId
    shipment: ShipmentId
    amount: Money


@domain_event("billing.invoice_captured", says="{amount} of invoice {invoice} were captured, {paid} so far")
class InvoiceCaptured(DomainEvent, kw_only=True):
    """A capture succeeded; `was_failed` if it counted as failed before."""

    invoice: InvoiceNumber
    order: OrderNumber
    capture: CaptureId
    amount: Money
    paid: Money
    was_failed: bool


@domain_event("billing.invoice_capture_failed", says="{amount} of invoice {invoice} could not be captured")
class InvoiceCaptureFailed(DomainEvent, kw_only=True):
    invoice: InvoiceNumber
    order: OrderNumber
    capture: CaptureId
    amount: Money


@domain_event("billing.invoice_authorization_reduced", says="{amount} less are to be captured for invoice {invoice}")
class InvoiceAuthorizationReduced(DomainEvent, kw_only=True):
    """A part or all of what is authorized will never be captured: the order owes that much less.

    Args:
        units: the units that were cancelled before they left, by SKU.
        amount: negative if a capture succeeded after all, whose money is then refunded.
    """

    invoice: InvoiceNumber
    order: OrderNumber
    units: dict[Sku, int]
    amount: Money


@domain_event("billing.invoice_authorization_lapsed", says="the authorization of {amount} for invoice {invoice} lapsed")
class InvoiceAuthorizationLapsed(DomainEvent, kw_only=True):
    """The authorization ends although `amount` is not captured; `sequence` as in the contracts about it."""

    invoice: InvoiceNumber
    order: OrderNumber
    payment: PaymentId
    amount: Money
    sequence: int


@domain_event("billing.invoice_capture_completed", says="all that is to be captured for invoice {invoice} is: {paid}")
class InvoiceCaptureCompleted(DomainEvent, kw_only=True):
    """Nothing of the invoice is left to capture, so it counts as paid; what else is authorized is to be released."""

    invoice: InvoiceNumber
    order: OrderNumber
    payment: PaymentId
    paid: Money
