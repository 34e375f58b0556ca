"""Stripe's callbacks: which kinds of events say something about our books, and which are ignored knowingly.

An event holds its object as it was at that moment. Events arrive in any order, twice and late: an entry of a payment,
a refund or a dispute says how far it has come, and billing never goes back. Source: https://docs.stripe.com/webhooks.
"""

import logging
from collections.abc import Callable, Mapping

import msgspec

from billing.gateways import Booked, CallBack, UnreadableCallBack
from billing.gateways.stripe import entries
from billing.gateways.stripe.client import Object
from integration.domain.money import NotMoney

log = logging.getLogger(__name__)

Reader = Callable[[Object], Booked | None]


def _payment(intent: Object) -> Booked | None:
    """The capture of an intent or else its payment; None if it is not ours or was not confirmed yet."""
    if not entries.key_of(intent) or not entries.is_confirmed(intent):
        return None
    return entries.capture(intent) or entries.payment(intent)


def _refund(refund: Object) -> Booked | None:
    return entries.refund(refund) if entries.key_of(refund) else None


def _ignore(_: Object) -> None:
    return None


EVENTS: Mapping[str, Reader] = {
    # What becomes of a payment.
    "payment_intent.succeeded": _payment,
    "payment_intent.payment_failed": _payment,
    "payment_intent.requires_action": _payment,
    "payment_intent.processing": _payment,
    "payment_intent.canceled": _payment,
    "payment_intent.amount_capturable_updated": _payment,
    "payment_intent.partially_funded": _payment,
    # What becomes of a refund. `charge.refund.updated` says of some methods what `refund.updated` says of others.
    "refund.created": _refund,
    "refund.updated": _refund,
    "refund.failed": _refund,
    "charge.refund.updated": _refund,
    # What becomes of a dispute.
    "charge.dispute.created": entries.dispute,
    "charge.dispute.updated": entries.dispute,
    "charge.dispute.closed": entries.dispute,
    "charge.dispute.funds_withdrawn": entries.dispute,
    "charge.dispute.funds_reinstated": entries.dispute,
    # The events of the intent say the same.
    "payment_intent.created": _ignore,
    "charge.succeeded": _ignore,
    "charge.failed": _ignore,
    "charge.pending": _ignore,
    "charge.captured": _ignore,
    "charge.expired": _ignore,
    "charge.updated": _ignore,
    # The events of the refund say the same.
    "charge.refunded": _ignore,
    # Payment methods are looked up when they are used.
    "payment_method.attached": _ignore,
    "payment_method.detached": _ignore,
    "payment_method.updated": _ignore,
    "payment_method.automatically_updated": _ignore,
    "customer.created": _ignore,
    "customer.updated": _ignore,
    "customer.deleted": _ignore,
    # What Stripe pays out is compared in Stripe's dashboard.
    "balance.available": _ignore,
    "payout.created": _ignore,
    "payout.paid": _ignore,
    "payout.failed": _ignore,
    # Warnings before a dispute, for people.
    "radar.early_fraud_warning.created": _ignore,
    "review.opened": _ignore,
    "review.closed": _ignore,
}
"""The kinds of events that we know."""


def read(event: Object, is_live: bool) -> CallBack:
    """The callback that an event is.

    Args:
        event: the event, as its JSON says.
        is_live: whether our keys are live ones.

    Raises:
        UnreadableCallBack: it is not an event of Stripe, or one of the other mode.
    """
    try:
        kind, thing = str(event["type"]), event["data"]["object"]
        if bool(event["livemode"]) != is_live:
            raise UnreadableCallBack("the event is of the other mode: test or live", pointer="/livemode")
        if kind not in EVENTS:
            log.warning("Stripe sent an event of the kind %s, which is ignored: the endpoint needs none of it", kind)
        call_back = CallBack(str(event["id"]), kind[:40], EVENTS.get(kind, _ignore)(thing))
        return msgspec.convert(msgspec.to_builtins(call_back), CallBack)  # refuses what the columns cannot hold
    except (
        LookupError,
        TypeError,
        AttributeError,
        ValueError,
        OverflowError,
        NotMoney,
        msgspec.ValidationError,
    ) as error:
        raise UnreadableCallBack(f"it is not an event of Stripe: {error!r}"[:200]) from None
