"""Stripe's objects as entries of the port's books.

Sources: https://docs.stripe.com/payments/paymentintents/lifecycle, https://docs.stripe.com/refunds#failed-refunds,
https://docs.stripe.com/disputes/how-disputes-work and https://docs.stripe.com/currencies.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from billing.gateways import (
    ActionRequired,
    Authorized,
    Booked,
    Captured,
    Charged,
    Declined,
    Disputed,
    Expired,
    KnownMethod,
    Outcome,
    Pending,
    Refunded,
    RefundFailed,
    RefundPending,
    Voided,
)
from billing.gateways.stripe.client import Object
from integration.domain.money import Money

KEY, CAPTURE_KEY = "waybill_key", "waybill_capture"
"""The names of our keys in an object's metadata."""

VOID, AT_DEADLINE = "requested_by_customer", "abandoned"
"""The reasons that we give when an intent is cancelled, by which an authorization that was released is known later."""

ACTION_LASTS, INSTRUCTIONS_LAST = timedelta(hours=1), timedelta(days=7)
SETTLES_WITHIN = timedelta(days=14)
AUTHORIZATION_LASTS = timedelta(days=7)
"""How long a standing lasts if Stripe does not say."""

SCALED = {"ISK": 100, "UGX": 100}
"""Currencies without decimals that Stripe counts in hundredths even so."""

DELAYED = {
    "acss_debit",
    "au_becs_debit",
    "bacs_debit",
    "boleto",
    "customer_balance",
    "konbini",
    "multibanco",
    "oxxo",
    "sepa_debit",
    "us_bank_account",
}
"""The kinds of methods whose money takes days."""


def amount_of(money: Money) -> tuple[int, str]:
    """An amount and a currency as Stripe counts them."""
    return money.minor * SCALED.get(money.currency, 1), money.currency.lower()


def money_of(amount: int, currency: str) -> Money:
    """An amount of Stripe."""
    return Money.of_minor(amount // SCALED.get(currency.upper(), 1), currency.upper())


def key_of(thing: Object) -> str:
    """Our key in an object's metadata; empty if the object is not ours."""
    return str((thing.get("metadata") or {}).get(KEY, ""))


def capture_key_of(intent: Object) -> str:
    """The key under which we captured an intent; empty if we did not."""
    return str((intent.get("metadata") or {}).get(CAPTURE_KEY, ""))


def is_confirmed(intent: Object) -> bool:
    """Whether the intent was confirmed, so that something has come of it."""
    waits = intent["status"] in ("requires_payment_method", "requires_confirmation")
    return not waits or bool(intent.get("last_payment_error"))


def payment(intent: Object) -> Booked:
    """The entry of a confirmed intent, under the key of its payment."""
    amount = money_of(intent["amount"], intent["currency"])
    return Booked(key_of(intent) or intent["id"], _outcome(intent), amount)


def _outcome(intent: Object) -> Outcome:
    reference = intent["id"]
    created = moment(intent["created"])
    match intent["status"]:
        case "succeeded" if capture_key_of(intent):
            return Authorized(reference, _capture_before(intent))
        case "succeeded":
            return Charged(reference)
        case "requires_capture":
            return Authorized(reference, _capture_before(intent))
        case "requires_action":
            return _action(reference, intent.get("next_action") or {}, created)
        case "processing":
            return Pending(reference, created + SETTLES_WITHIN)
        case "canceled" if intent.get("cancellation_reason") == VOID:
            return Voided(reference)
        case "canceled":
            return Expired(reference)
    error = intent.get("last_payment_error") or {}
    return Declined(str(error.get("decline_code") or error.get("code") or "declined")[:120])


def capture(intent: Object) -> Booked | None:
    """The entry of what was captured of an intent, under the key of the capture; None if nothing was."""
    key = capture_key_of(intent)
    if not key or intent["status"] != "succeeded":
        return None
    taken = money_of(intent["amount_received"], intent["currency"])
    return Booked(key, Captured(_id(intent.get("latest_charge")) or intent["id"], intent["id"]), taken)


def of_intent(intent: Object) -> Iterator[Booked]:
    """The entries of an intent: its payment and its capture."""
    if is_confirmed(intent):
        yield payment(intent)
        if captured := capture(intent):
            yield captured


def refund(refund: Object) -> Booked:
    """The entry of a refund."""
    reference = refund["id"]
    outcome: Outcome = RefundPending(reference)
    if refund["status"] == "succeeded":
        outcome = Refunded(reference)
    elif refund["status"] in ("failed", "canceled"):
        outcome = RefundFailed(reference, str(refund.get("failure_reason") or refund["status"])[:120])
    return Booked(key_of(refund) or reference, outcome, money_of(refund["amount"], refund["currency"]))


def dispute(dispute: Object) -> Booked:
    """The entry of a dispute. An inquiry has a status that begins with `warning`; `prevented` withdraws nothing."""
    status = dispute["status"]
    amount = money_of(dispute["amount"], dispute["currency"])
    is_inquiry = status.startswith("warning") or status == "prevented"
    due_by = (dispute.get("evidence_details") or {}).get("due_by")
    is_open = status in ("warning_needs_response", "needs_response")
    outcome = Disputed(
        dispute["id"],
        _id(dispute.get("payment_intent")) or _id(dispute.get("charge")),
        amount,
        kind="inquiry" if is_inquiry else "chargeback",
        status={
            "won": "won",
            "prevented": "won",
            "warning_closed": "won",
            "lost": "lost",
            "warning_needs_response": "warning",
            "warning_under_review": "warning",
        }.get(status, "needs_response"),  # type: ignore[arg-type]  # the values are those of the port
        evidence_due=moment(due_by) if due_by and is_open else None,
    )
    return Booked(dispute["id"], outcome, amount)


def method(found: Object) -> KnownMethod:
    """What may be shown of a payment method."""
    kind = found["type"]
    details = found.get(kind) or {}
    expires = f"{details['exp_year']}-{details['exp_month']:02}" if details.get("exp_year") else ""
    return KnownMethod(
        kind, str(details.get("brand") or ""), str(details.get("last4") or ""), expires, is_delayed=kind in DELAYED
    )


def moment(seconds: int) -> datetime:
    """A moment of Stripe, which counts seconds since 1970."""
    return datetime.fromtimestamp(seconds, UTC)


def _capture_before(intent: Object) -> datetime:
    """When an authorization lapses. The charge says it if the response contains the charge."""
    charge = intent.get("latest_charge")
    details = ((charge.get("payment_method_details") or {}).get("card") or {}) if isinstance(charge, dict) else {}
    if details.get("capture_before"):
        return moment(details["capture_before"])
    return moment(charge["created"] if isinstance(charge, dict) else intent["created"]) + AUTHORIZATION_LASTS


def _action(reference: str, action: Object, created: datetime) -> ActionRequired:
    """What the buyer must do. Each kind of Stripe has its details under its own name."""
    kind = action.get("type", "")
    details = action.get(kind) or {}
    if kind == "redirect_to_url":
        return ActionRequired(reference, "redirect", created + ACTION_LASTS, url=details["url"])
    url = details.get("hosted_voucher_url") or details.get("hosted_instructions_url") or ""
    expires_at = details.get("expires_at") or details.get("expires_after")
    until = moment(expires_at) if expires_at else created + INSTRUCTIONS_LAST
    return ActionRequired(reference, "display_details", until, url=url, details=dict(_flat(details)))


def _flat(details: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """The texts of nested details, each under its own name; of several under one name the last."""
    if isinstance(details, dict):
        for each, value in details.items():
            yield from _flat(value, each)
    elif isinstance(details, list):
        for value in details:
            yield from _flat(value, name)
    elif isinstance(details, str | int) and not isinstance(details, bool):
        yield name[:40], str(details)[:500]


def _id(thing: Any) -> str:
    """The identifier of an object that Stripe may send whole or by its identifier."""
    return str(thing["id"] if isinstance(thing, dict) else thing or "")
