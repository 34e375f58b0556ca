"""What a payment provider says became of a request: the outcomes of the port.

Each outcome is one entry in the provider's books. An entry may change there until it is final: an authorization is
captured or expires, and a pending transfer settles. A payment, a refund and a dispute keep their reference meanwhile.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Literal

from msgspec import Meta, Struct

from integration.domain.money import Money

_STORABLE = r"\A[^\x00\ud800-\udfff]+\Z"
Short = Annotated[str, Meta(max_length=40, pattern=_STORABLE)]
Reference = Annotated[str, Meta(max_length=80, pattern=_STORABLE)]
Long = Annotated[str, Meta(max_length=120, pattern=_STORABLE)]
"""Text that a provider may send: not empty, no longer than its column, without what a database cannot store."""
Address = Annotated[str, Meta(max_length=2_000, pattern=r"\A(https?://[^\x00-\x20\ud800-\udfff]+)?\Z")]
Detail = Annotated[str, Meta(max_length=500, pattern=r"\A[^\x00\ud800-\udfff]*\Z")]
Moment = Annotated[datetime, Meta(tz=True)]


# --- Payments ---


class Charged(Struct, frozen=True, tag="charged"):
    """The provider took the money; `reference` is the provider's identifier of the charge."""

    reference: Reference


class Declined(Struct, frozen=True, tag="declined"):
    """The provider declined the charge; `code` is its reason, such as `insufficient_funds`. It is final."""

    code: Long


class Authorized(Struct, frozen=True, tag="authorized"):
    """The provider holds the money for us. It is taken by captures, which have entries of their own.

    Args:
        reference: the provider's identifier of the charge.
        capture_before: when the authorization lapses.
    """

    reference: Reference
    capture_before: Moment


class ActionRequired(Struct, frozen=True, tag="action_required"):
    """The buyer must do something before the provider takes the money.

    Args:
        reference: the provider's identifier of the charge.
        kind: `redirect`, for 3-D Secure: the buyer opens `url`. `display_details`, for a bank transfer: the buyer
            sends the money to the account in `details`.
        expires_at: until when the provider waits.
        url: where the buyer goes; empty unless `kind` is `redirect`.
        details: what to show to the buyer, by name.
    """

    reference: Reference
    kind: Literal["redirect", "display_details"]
    expires_at: Moment
    url: Address = ""
    details: Mapping[Short, Detail] = {}


class Pending(Struct, frozen=True, tag="pending"):
    """The money is on its way, which takes hours or days; until `expires_at` it arrives or fails."""

    reference: Reference
    expires_at: Moment


class Expired(Struct, frozen=True, tag="expired"):
    """The provider took no money and will not take any: the payment was cancelled, or its time or its authorization ran
    out."""

    reference: Reference


class Captured(Struct, frozen=True, tag="captured"):
    """A part or all of an authorization was taken, under a key of its own.

    Args:
        reference: the provider's identifier of the capture.
        charge: the reference of the authorization.
    """

    reference: Reference
    charge: Reference


class Voided(Struct, frozen=True, tag="voided"):
    """An authorization was released before anything of it was captured."""

    reference: Reference


# --- Refunds ---


class Refunded(Struct, frozen=True, tag="refunded"):
    """The provider refunded money; `reference` is the provider's identifier of the refund.

    It may still become `RefundFailed` days later, if the buyer's bank sends the money back.
    """

    reference: Reference


class RefundPending(Struct, frozen=True, tag="refund_pending"):
    """The provider accepted the refund, and has not sent the money yet."""

    reference: Reference


class RefundFailed(Struct, frozen=True, tag="refund_failed"):
    """The refund failed, and the money is with us again; `code` is the provider's reason. It is final."""

    reference: Reference
    code: Long


# --- Disputes ---


class Disputed(Struct, frozen=True, tag="disputed"):
    """A buyer disputes a charge at their bank.

    Args:
        reference: the provider's identifier of the dispute, which is the key of its entry, too.
        charge: the reference of the charge.
        amount: what is disputed, which may be less than the charge.
        kind: a `chargeback` withdraws the amount at once and gives it back if it is won. An `inquiry` withdraws
            nothing.
        status: `warning` while an inquiry is open; `needs_response` while a chargeback is. `won` and `lost` are final.
            An inquiry that is closed is `won`; one that becomes a chargeback is `needs_response` from then on.
        evidence_due: until when evidence counts; None if none is accepted anymore.
    """

    reference: Reference
    charge: Reference
    amount: Money
    kind: Literal["chargeback", "inquiry"]
    status: Literal["warning", "needs_response", "won", "lost"]
    evidence_due: Moment | None = None


PaymentOutcome = Charged | Declined | Authorized | ActionRequired | Pending | Expired | Voided
"""What may become of a payment, under the key with which it was requested."""

RefundOutcome = Refunded | RefundPending | RefundFailed
"""What may become of a refund, under the key with which it was requested."""

Outcome = PaymentOutcome | RefundOutcome | Captured | Disputed


class Booked(Struct, frozen=True):
    """An entry in the provider's books: the outcome of the request with the idempotency key `key`."""

    key: Reference
    outcome: Outcome
    amount: Money


class CallBack(Struct, frozen=True):
    """A notification that the provider sends. It may arrive any number of times and in any order.

    `booked` is None if it says nothing that billing needs.
    """

    id: Long
    kind: Short
    booked: Booked | None = None


class KnownMethod(Struct, frozen=True):
    """What may be shown of a payment method.

    Args:
        kind: such as `card` or `bank_transfer`.
        brand: such as `visa`; empty if the kind has none.
        last4: the last four digits of its number; empty if the kind has none.
        expires: the last month in which it can be used, as `2030-12`; empty if it never expires.
        is_delayed: whether the money takes hours or days to arrive.
    """

    kind: Short
    brand: str = ""
    last4: str = ""
    expires: str = ""
    is_delayed: bool = False
