"""The domain events of orders whose payment waits for the buyer or their bank."""

from datetime import datetime

from integration.domain.events import DomainEvent, domain_event
from integration.domain.identifiers import OrderNumber, PaymentId


@domain_event("ordering.order_payment_awaited", says="the payment of order {order} is {status} until {expires_at}")
class OrderPaymentAwaited(DomainEvent, kw_only=True):
    """The payment waits for the buyer (`action_required`) or their bank (`pending`); the deadline is not earlier.

    `sequence` numbers the news of one payment; the highest counts.
    """

    order: OrderNumber
    payment: PaymentId
    status: str
    expires_at: datetime
    sequence: int


@domain_event("ordering.order_payment_overdue", says="the payment of order {order} is overdue, and billing was asked")
class OrderPaymentOverdue(DomainEvent, kw_only=True):
    """The deadline of a payment that waits has passed. Billing says whether the money comes."""

    order: OrderNumber
