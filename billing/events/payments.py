"""What happened to payments."""

from integration.domain.events import DomainEvent, domain_event
from integration.domain.identifiers import (
    InvoiceNumber,
    OrderNumber,
    PaymentId,
)
from integration.domain.money import Money
from integration.domain.personal import PersonalPaymentMethod


@domain_event("billing.payment_requested", says="a payment of {amount} was requested for order {order}")
class PaymentRequested(DomainEvent, kw_only=True):
    payment: PaymentId
    invoice: InvoiceNumber
    order: OrderNumber
    amount: Money
    method: PersonalPaymentMethod
    key: str = ""


@domain_event("billing.payment_succeeded", says="the payment of {amount} for order {order} succeeded")
class PaymentSucceeded(DomainEvent, kw_only=True):
    payment: PaymentId
    invoice: InvoiceNumber
    order: OrderNumber
    amount: Money
    reference: str


@domain_event("billing.payment_failed", says="the payment for order {order} failed ({reason})")
class PaymentFailed(DomainEvent, kw_only=True):
    payment: PaymentId
    order: OrderNumber
    reason: str


@domain_event(
    "billing.payment_outcome_lost", says="the provider did not say whether it took the payment for order {order}"
)
class PaymentOutcomeLost(DomainEvent, kw_only=True):
    """The provider did not respond to a charge: it may have taken the money or not, and must be asked."""

    payment: PaymentId
    order: OrderNumber


@domain_event("billing.payment_abandoned", says="the payment for order {order} was abandoned")
class PaymentAbandoned(DomainEvent, kw_only=True):
    """The invoice was voided, and the provider never took the money."""

    payment: PaymentId
    order: OrderNumber


@domain_event("billing.payment_anonymized", says="the payment for order {order} was anonymized", erases=True)
class PaymentAnonymized(DomainEvent, kw_only=True):
    """The payer was erased: the payment method is removed, the payment stays."""

    payment: PaymentId
    order: OrderNumber
