"""The domain events of orders whose payment waits for the buyer or their bank."""

from datetime import datetime

from integration.domain.events import DomainEvent, domain_event
from integration.domain.identifiers import BuyerId, OrderNumber, PaymentId
from integration.domain.money import Money
from integration.domain.personal import PersonalPaymentMethod


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


@domain_event(
    "ordering.order_payment_declined",
    says="the payment of order {order} failed ({reason}); another method can be tried until {retry_until}",
)
class OrderPaymentDeclined(DomainEvent, kw_only=True):
    """The payment failed or expired, and the order waits until `retry_until` for the buyer to choose another method."""

    order: OrderNumber
    payment: PaymentId
    reason: str
    retry_until: datetime


@domain_event("ordering.order_payment_retried", says="the buyer of order {order} chose another payment method")
class OrderPaymentRetried(DomainEvent, kw_only=True):
    """The buyer chose another payment method; `attempt` counts the payments from 1."""

    order: OrderNumber
    payment_method: PersonalPaymentMethod
    attempt: int


@domain_event("ordering.order_payment_overdue", says="the payment of order {order} is overdue, and billing was asked")
class OrderPaymentOverdue(DomainEvent, kw_only=True):
    """The deadline of a payment that waits has passed. Billing says whether the money comes."""

    order: OrderNumber


@domain_event(
    "ordering.order_authorization_changed",
    says="of the payment of order {order} were {authorized} authorized, {paid} captured and {released} released",
)
class OrderAuthorizationChanged(DomainEvent, kw_only=True):
    """Billing captured a part or all of an authorized payment, will never capture a part, or the authorization ended.

    The amounts are those of now. `spend` is by how much it lowers the buyer's lifetime spend. `sequence` is billing's.
    """

    order: OrderNumber
    buyer: BuyerId
    authorized: Money
    paid: Money
    released: Money
    spend: Money
    sequence: int
