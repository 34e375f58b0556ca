"""The contracts that billing publishes."""

from integration.contracts.contract import IntegrationEvent, contract
from integration.domain.identifiers import OrderNumber, PaymentId, RefundId
from integration.domain.money import Money

TEST_METHODS = frozenset(
    {
        "pm_card_visa",
        "pm_card_mastercard",
        "pm_card_amex",
        "pm_card_chargeDeclined",
        "pm_card_chargeDeclinedInsufficientFunds",
        "pm_card_chargeDeclinedLostCard",
        "pm_card_chargeDeclinedStolenCard",
        "pm_card_chargeDeclinedExpiredCard",
        "pm_card_chargeDeclinedIncorrectCvc",
        "pm_card_chargeDeclinedProcessingError",
    }
)
"""The payment methods that an order may name directly while the sandbox is the provider.

Source: Stripe's test names.
"""


@contract("billing.payment-requested")
class PaymentRequested(IntegrationEvent):
    """The order's goods are reserved and its invoice is open: the payment is to be collected now."""

    order: OrderNumber
    payment: PaymentId
    amount: Money


@contract("billing.payment-succeeded")
class PaymentSucceeded(IntegrationEvent):
    """The order's payment was collected."""

    order: OrderNumber
    payment: PaymentId
    amount: Money


@contract("billing.payment-failed")
class PaymentFailed(IntegrationEvent):
    """The order's payment was declined and cannot be collected."""

    order: OrderNumber
    payment: PaymentId
    reason: str


@contract("billing.refund-requested")
class RefundRequested(IntegrationEvent):
    """A payment that was collected for the order is to be refunded now."""

    order: OrderNumber
    refund: RefundId
    amount: Money


@contract("billing.refund-issued")
class RefundIssued(IntegrationEvent):
    """A refund was issued for the order: `amount` this time, `refunded` in total so far."""

    order: OrderNumber
    refund: RefundId
    amount: Money
    refunded: Money
