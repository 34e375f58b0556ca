"""The contracts that billing publishes."""

from datetime import datetime
from typing import Any

from integration.contracts.contract import IntegrationEvent, contract
from integration.domain.identifiers import CaptureId, OrderNumber, PaymentId, ReceiptId, RefundId, ReturnId
from integration.domain.money import Money
from integration.domain.versions import upcast

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
        "pm_card_authenticationRequired",
        "pm_bank_transfer",
        "pm_card_createDispute",
        "pm_card_refundFail",
    }
)
"""The payment methods that an order may name directly while the sandbox is the provider.

Source: Stripe's test names.
"""

WAITING_METHODS = frozenset({"pm_card_authenticationRequired", "pm_bank_transfer"})
"""Those of `TEST_METHODS` whose payment waits for the buyer or their bank."""

TROUBLED_METHODS = frozenset({"pm_card_createDispute", "pm_card_refundFail"})
"""Those of `TEST_METHODS` that are charged, and make trouble later: a dispute, a refund that fails."""


@contract("billing.payment-requested", version=2)
class PaymentRequested(IntegrationEvent, kw_only=True):
    """The order's goods are reserved and its invoice is open: the payment is to be collected now.

    Since version 2 it is collected under the key that is stored with the payment. Code that knows only version 1 would
    use the payment's identifier instead.
    """

    order: OrderNumber
    payment: PaymentId
    amount: Money


@upcast(PaymentRequested, from_version=1)
def _same_fields(data: dict[str, Any]) -> dict[str, Any]:
    return data


@contract("billing.payment-succeeded")
class PaymentSucceeded(IntegrationEvent, kw_only=True):
    """The order's payment was collected."""

    order: OrderNumber
    payment: PaymentId
    amount: Money


@contract("billing.payment-authorized")
class PaymentAuthorized(IntegrationEvent, kw_only=True):
    """The order's payment is authorized: its money is held, and captured as its goods leave.

    `sequence` numbers what billing says about the money of an authorized order: the highest counts.
    """

    order: OrderNumber
    payment: PaymentId
    amount: Money
    sequence: int


@contract("billing.authorization-changed")
class AuthorizationChanged(IntegrationEvent, kw_only=True):
    """What is held, captured and released of the order's authorized payment now; `sequence` as in PaymentAuthorized.

    Args:
        authorized: what is still held and can be captured.
        captured: what was captured so far.
        released: what will never be captured, because goods were cancelled before they left.
    """

    order: OrderNumber
    payment: PaymentId
    authorized: Money
    captured: Money
    released: Money
    sequence: int


@contract("billing.authorization-lapsed")
class AuthorizationLapsed(IntegrationEvent, kw_only=True):
    """The authorization of the order's payment ends within a day, or has ended, and `amount` is not captured.

    Nothing more should leave before the buyer has paid again. `sequence` is as in PaymentAuthorized.
    """

    order: OrderNumber
    payment: PaymentId
    amount: Money
    sequence: int


@contract("billing.capture-requested")
class CaptureRequested(IntegrationEvent, kw_only=True):
    """A part or all of the order's authorized payment is to be captured now."""

    order: OrderNumber
    capture: CaptureId
    amount: Money


@contract("billing.authorization-release-requested")
class AuthorizationReleaseRequested(IntegrationEvent, kw_only=True):
    """Nothing is left to capture of the order's authorized payment: what else is held is to be released now."""

    order: OrderNumber


@contract("billing.payment-not-required")
class PaymentNotRequired(IntegrationEvent, kw_only=True):
    """The order's goods are reserved, and its total is zero: there is no payment."""

    order: OrderNumber


@contract("billing.payment-failed")
class PaymentFailed(IntegrationEvent, kw_only=True):
    """The order's payment was declined and cannot be collected."""

    order: OrderNumber
    payment: PaymentId
    reason: str


@contract("billing.payment-action-required")
class PaymentActionRequired(IntegrationEvent, kw_only=True):
    """The buyer must do something until `expires_at`; then the order's payment is collected, or on its way.

    What they must do is theirs alone to see, so it is not in here. `sequence` numbers the news of one payment: the
    highest counts.
    """

    order: OrderNumber
    payment: PaymentId
    kind: str
    expires_at: datetime
    sequence: int


@contract("billing.payment-pending")
class PaymentPending(IntegrationEvent, kw_only=True):
    """The order's payment is on its way, and arrives or fails by `expires_at`.

    `sequence` is as in PaymentActionRequired.
    """

    order: OrderNumber
    payment: PaymentId
    expires_at: datetime
    sequence: int


@contract("billing.payment-expired")
class PaymentExpired(IntegrationEvent, kw_only=True):
    """The order's payment was not collected in time, and will not be."""

    order: OrderNumber
    payment: PaymentId


@contract("billing.payment-cancellation-requested")
class PaymentCancellationRequested(IntegrationEvent, kw_only=True):
    """The order was cancelled while its payment waited for the buyer or their bank: the payment is to be cancelled."""

    order: OrderNumber
    payment: PaymentId


@contract("billing.refund-requested", version=2)
class RefundRequested(IntegrationEvent, kw_only=True):
    """A payment that was collected for the order is to be refunded now.

    Since version 2 it is refunded under the key that is stored with the refund, as a payment is collected.
    """

    order: OrderNumber
    refund: RefundId
    amount: Money


upcast(RefundRequested, from_version=1)(_same_fields)


@contract("billing.refund-issued")
class RefundIssued(IntegrationEvent, kw_only=True):
    """A refund was issued for the order: `amount` this time, `refunded` in total so far.

    The highest `sequence` of an order has the total of now. Older code published none: then the highest total counts.
    """

    order: OrderNumber
    refund: RefundId
    amount: Money
    refunded: Money
    sequence: int = 0


@contract("billing.refund-failed")
class RefundFailed(IntegrationEvent, kw_only=True):
    """A refund that was issued failed later: `refunded` is the total that is refunded now; `sequence` as there."""

    order: OrderNumber
    refund: RefundId
    amount: Money
    refunded: Money
    sequence: int


@contract("billing.return-settled")
class ReturnSettled(IntegrationEvent, kw_only=True):
    """Billing decided what is refunded for a receipt of a return: `amount`, which may be nothing."""

    order: OrderNumber
    return_: ReturnId
    receipt: ReceiptId
    amount: Money


@contract("billing.dispute-opened")
class DisputeOpened(IntegrationEvent, kw_only=True):
    """The buyer asked their bank for the money of a payment; `kind` is `chargeback` or `inquiry`."""

    order: OrderNumber
    dispute: str
    payment: PaymentId
    amount: Money
    kind: str


@contract("billing.dispute-closed")
class DisputeClosed(IntegrationEvent, kw_only=True):
    """The bank decided about a dispute. It may arrive before its DisputeOpened.

    `amount` is what was disputed if we won, and what the buyer keeps if we lost.
    """

    order: OrderNumber
    dispute: str
    amount: Money
    is_won: bool
