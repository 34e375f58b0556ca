"""The adapter that puts Stripe behind billing's port.

Each method may be called again after a lost response or a killed process. What was requested under a key is found by
the id that was committed, or repeated under the same key; an old key is first looked for in Stripe's lists.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Literal
from urllib.parse import quote

import stripe

from billing.gateways import (
    Booked,
    CallBack,
    Declined,
    Expired,
    KnownMethod,
    OutcomeUnknown,
    RefundFailed,
    UnreadableCallBack,
)
from billing.gateways.stripe import call_backs, entries, requests
from billing.gateways.stripe.client import Object, ask, listed
from billing.gateways.stripe.configuration import configuration
from billing.gateways.stripe.models import Request
from integration.domain.identifiers import PaymentMethodId
from integration.domain.money import Money
from integration.gateways import signatures
from integration.rest.parsers import parse_json

SIGNATURE_HEADER = "Stripe-Signature"
WITH_CHARGE = ["latest_charge"]


class StripeProvider:
    """Stripe as a `PaymentProvider`. Every method but `read_call_back` raises `OutcomeUnknown`."""

    captures: Literal["once", "many"] = "once"

    kinds: Sequence[str] = ("card",)

    @property
    def publishable_key(self) -> str:
        """What a buyer's browser needs to make a payment method."""
        return configuration().publishable_key

    def find_method(self, method: PaymentMethodId) -> KnownMethod | None:
        """What may be shown of a payment method; None if Stripe knows none of this name."""
        try:
            return entries.method(ask("get", f"payment_methods/{quote(method, safe='')}"))
        except stripe.InvalidRequestError:
            return None

    def charge(self, key: str, method: PaymentMethodId, amount: Money, *, capture: bool = True) -> Booked:
        """Charge or authorize a payment method, once for each key."""
        row = requests.begin(key)
        try:
            intent = self._intent(row, method, amount, capture)
            if requests.is_cancelled(row):
                return self._cancelled(intent)
            return entries.payment(intent if entries.is_confirmed(intent) else self._confirm(row, intent))
        except (stripe.CardError, stripe.InvalidRequestError) as error:
            return Booked(key, Declined(_code(error)), amount)

    def _intent(self, row: Request, method: PaymentMethodId, amount: Money, capture: bool) -> Object:
        """The intent of a payment; a new one is not confirmed yet."""
        if row.object:
            return _retrieve(row.object)
        total, currency = entries.amount_of(amount)

        def look() -> Object | None:
            return _with_key(row.key, listed("payment_intents", created={"gte": int(row.sent_at.timestamp()) - 3_600}))

        def create(idempotency_key: str) -> Object:
            options = {} if capture else {"payment_method_options": {"card": {"capture_method": "manual"}}}
            return ask(
                "post",
                "payment_intents",
                idempotency_key,
                amount=total,
                currency=currency,
                payment_method=method,
                automatic_payment_methods={"enabled": "true", "allow_redirects": "always"},
                metadata={entries.KEY: row.key},
                **options,
            )

        return requests.make(row, look, create)

    def _confirm(self, row: Request, intent: Object) -> Object:
        """Confirm an intent; Stripe does it once, however often it is requested."""
        try:
            return ask(
                "post",
                f"payment_intents/{intent['id']}/confirm",
                f"{requests.idempotency_key(row)}-confirm",
                return_url=configuration().return_url,
                expand=WITH_CHARGE,
            )
        except (stripe.CardError, stripe.InvalidRequestError):
            # Whatever the response says, the intent decides: another process may have confirmed it.
            now = _retrieve(intent["id"])
            if not entries.is_confirmed(now):
                raise
            return now

    def find_charge(self, key: str) -> Booked | None:
        """The entry of the payment with this key. An intent without a committed id was never confirmed."""
        row = requests.find(key)
        intent = _retrieve(row.object) if row and row.object else None
        return entries.payment(intent) if intent and entries.is_confirmed(intent) else None

    def cancel(self, key: str) -> Booked | None:
        """Cancel the intent of a payment whose deadline has passed, and confirm none under this key from now on."""
        row = requests.cancel(key)
        return self._cancelled(_retrieve(row.object)) if row.object else None

    def _cancelled(self, intent: Object) -> Booked:
        if intent["status"] not in ("succeeded", "requires_capture", "canceled"):
            intent = _end(intent, entries.AT_DEADLINE)
        booked = entries.payment(intent)
        is_declined = isinstance(booked.outcome, Declined)
        return Booked(booked.key, Expired(intent["id"]), booked.amount) if is_declined else booked

    def capture(self, key: str, charge: str, amount: Money) -> Booked:
        """Take a part or all of an authorization, once; Stripe releases the rest."""
        row = requests.begin(key)
        intent = _retrieve(charge)
        if intent["status"] == "requires_capture":
            try:
                intent = ask(
                    "post",
                    f"payment_intents/{charge}/capture",
                    requests.idempotency_key(row),
                    amount_to_capture=entries.amount_of(amount)[0],
                    metadata={entries.CAPTURE_KEY: key},
                    expand=WITH_CHARGE,
                )
            except (stripe.CardError, stripe.InvalidRequestError) as error:
                intent = _retrieve(charge)
                if intent["status"] == "requires_capture":
                    return Booked(key, Declined(_code(error)), amount)
        booked = entries.capture(intent)
        if booked and booked.key == key:
            return booked
        return Booked(key, Declined("already_captured" if booked else "authorization_expired"), amount)

    def find_capture(self, key: str, charge: str) -> Booked | None:
        """The entry of the capture with this key; None if the intent was not captured under it."""
        booked = entries.capture(_retrieve(charge))
        return booked if booked and booked.key == key else None

    def void(self, key: str, charge: str) -> Booked:
        """Release an authorization. What a capture left was released with it."""
        intent = _retrieve(charge)
        if intent["status"] == "requires_capture":
            intent = _end(intent, entries.VOID)
        return entries.payment(intent)

    def refund(self, key: str, charge: str, amount: Money) -> Booked:
        """Refund a part or all of a payment, once for each key."""
        row = requests.begin(key, about=charge)
        if row.object:
            return entries.refund(ask("get", f"refunds/{row.object}"))

        def look() -> Object | None:
            return _with_key(key, listed("refunds", payment_intent=charge))

        def create(idempotency_key: str) -> Object:
            total, _ = entries.amount_of(amount)
            metadata = {entries.KEY: key}
            return ask("post", "refunds", idempotency_key, payment_intent=charge, amount=total, metadata=metadata)

        try:
            return entries.refund(requests.make(row, look, create))
        except (stripe.CardError, stripe.InvalidRequestError) as error:
            # Stripe made no refund. The key names what failed, because Stripe has no object for it.
            found = look()
            return entries.refund(found) if found else Booked(key, RefundFailed(key, _code(error)), amount)

    def find_refund(self, key: str) -> Booked | None:
        """The entry of the refund with this key; None if Stripe has none."""
        row = requests.find(key)
        if row is None:
            return None
        if row.object:
            return entries.refund(ask("get", f"refunds/{row.object}"))
        found = _with_key(key, listed("refunds", payment_intent=row.about))
        return entries.refund(found) if found else None

    def books(self, since: datetime) -> Iterator[Booked]:
        """Stripe's payments, captures, refunds and disputes that were created since a moment."""
        created = {"gte": int(since.timestamp())}
        for intent in listed("payment_intents", created=created, expand=["data.latest_charge"]):
            yield from entries.of_intent(intent)
        yield from map(entries.refund, listed("refunds", created=created))
        yield from map(entries.dispute, listed("disputes", created=created))

    def read_call_back(self, body: bytes, headers: Mapping[str, str]) -> CallBack:
        """Check the signature of an event and decode it.

        Raises:
            ForgedCallBack: the signature is wrong.
            ParseError, UnacceptableInput: the body is not strict JSON.
            UnreadableCallBack: the body is not an event of Stripe, or of the other mode.
        """
        ours = configuration()
        signatures.check(body, headers.get(SIGNATURE_HEADER, ""), ours.webhook_secrets)
        event = parse_json(body)
        if not isinstance(event, dict):
            raise UnreadableCallBack("it is not an event of Stripe")
        return call_backs.read(event, ours.is_live)


def _retrieve(intent: str) -> Object:
    return ask("get", f"payment_intents/{quote(intent, safe='')}", expand=WITH_CHARGE)


def _end(intent: Object, reason: str) -> Object:
    """Cancel an intent; if that is too late, what has become of it."""
    path = f"payment_intents/{intent['id']}"
    try:
        return ask("post", f"{path}/cancel", cancellation_reason=reason, expand=WITH_CHARGE)
    except stripe.InvalidRequestError:
        now = _retrieve(intent["id"])
        if now["status"] == intent["status"] and not entries.is_confirmed(now):
            raise OutcomeUnknown("Stripe did not cancel the intent") from None
        return now


def _with_key(key: str, things: Iterator[Object]) -> Object | None:
    return next((thing for thing in things if entries.key_of(thing) == key), None)


def _code(error: Any) -> str:
    """Why Stripe refused a request."""
    decline = getattr(error.error, "decline_code", None) if error.error else None
    return str(decline or error.code or "refused")[:120]


adapter = StripeProvider()
