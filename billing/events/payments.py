"""What happened to payments."""

from datetime import datetime

from integration.domain.events import DomainEvent, domain_event
from integration.domain.identifiers import (
    InvoiceNumber,
    OrderNumber,
    PaymentId,
)
from integration.domain.money import Money
from integration.domain.personal import PersonalDetails, PersonalPaymentMethod, PersonalText


@domain_event("billing.payment_requested", says="a payment of {amount} was requested for order {order}")
class PaymentRequested(DomainEvent, kw_only=True, omit_defaults=True):
    """The money is to be collected; `at_dispatch` if a card is to be authorized now, and charged once goods leave."""

    payment: PaymentId
    invoice: InvoiceNumber
    order: OrderNumber
    amount: Money
    method: PersonalPaymentMethod
    key: str = ""
    at_dispatch: bool = False


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


@domain_event(
    "billing.payment_action_required", says="the buyer is to act until {expires_at}, to pay for order {order} ({kind})"
)
class PaymentActionRequired(DomainEvent, kw_only=True):
    """The provider takes the money once the buyer did something.

    Args:
        reference: the provider's identifier of the charge.
        kind: `redirect`, and the buyer opens `url`; or `display_details`, and the buyer sends the money to the account
            in `details`.
        expires_at: until when the provider waits.
        sequence: numbers the news of one payment; the highest counts.
    """

    payment: PaymentId
    order: OrderNumber
    reference: str
    kind: str
    expires_at: datetime
    url: PersonalText
    details: PersonalDetails
    sequence: int


@domain_event(
    "billing.payment_pending", says="the money for order {order} is on its way, and arrives or fails by {expires_at}"
)
class PaymentPending(DomainEvent, kw_only=True):
    """The buyer did all that is to be done. The money takes hours or days to arrive."""

    payment: PaymentId
    order: OrderNumber
    reference: str
    expires_at: datetime
    sequence: int


@domain_event("billing.payment_expired", says="no money arrived for order {order} in time")
class PaymentExpired(DomainEvent, kw_only=True):
    """The provider took no money, and will not take any under the key of this payment."""

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
