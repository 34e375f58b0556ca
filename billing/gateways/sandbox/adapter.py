"""The adapter that puts the sandbox behind billing's port.

It responds as Stripe does to the same test payment methods. Settings add a latency, a rate of lost responses, and a
real network.
Sources: Stripe's documentation of test payment methods, decline codes and idempotent requests.
"""

import random
import time
from collections.abc import Iterator, Mapping
from contextlib import nullcontext
from datetime import datetime

import msgspec
from django.conf import settings
from django.db import IntegrityError, connection, transaction
from django.db.models import Sum

from billing.gateways import (
    Booked,
    CallBack,
    Charged,
    Declined,
    OutcomeUnknown,
    Refunded,
    UnreadableCallBack,
)
from billing.gateways.sandbox.models import Transaction
from integration.domain import clock
from integration.domain.identifiers import PaymentMethodId, new_event_id
from integration.domain.money import Money
from integration.gateways import signatures
from integration.gateways.http import NoResponse, request
from integration.rest.parsers import parse_json
from integration.storage.pages import pages
from integration.storage.rows import values_of
from integration.storage.writing import Insert, write

SIGNATURE_HEADER = "Sandbox-Signature"

DECLINES = {
    "pm_card_chargeDeclined": "generic_decline",
    "pm_card_chargeDeclinedInsufficientFunds": "insufficient_funds",
    "pm_card_chargeDeclinedLostCard": "lost_card",
    "pm_card_chargeDeclinedStolenCard": "stolen_card",
    "pm_card_chargeDeclinedExpiredCard": "expired_card",
    "pm_card_chargeDeclinedIncorrectCvc": "incorrect_cvc",
    "pm_card_chargeDeclinedProcessingError": "processing_error",
}


class KeyReused(Exception):
    """An idempotency key was used again for a different request."""


class RefundTooHigh(Exception):
    """The refund is higher than what is left of the charge."""


class SandboxProvider:
    """The sandbox as a `PaymentProvider`: it stores records, responds after a latency, and loses some responses."""

    def charge(self, key: str, method: PaymentMethodId, amount: Money) -> Booked:
        """Charge a payment method, once for each key; raises `KeyReused`, `OutcomeUnknown`."""
        self._travel()
        fingerprint = f"charge {method} {amount}"
        decline = DECLINES.get(method, "")
        entry = self._enter(key, fingerprint, Transaction(reference=_reference("ch"), decline_code=decline), amount)
        self._travel()
        return _booked(entry)

    def find_charge(self, key: str) -> Booked | None:
        """The entry of the charge with this key, if there is one; raises `OutcomeUnknown`."""
        return self._find(key, is_refund=False)

    def find_refund(self, key: str) -> Booked | None:
        """The entry of the refund with this key, if there is one; raises `OutcomeUnknown`."""
        return self._find(key, is_refund=True)

    def _find(self, key: str, is_refund: bool) -> Booked | None:
        self._travel()
        entry = Transaction.objects.filter(pk=key, charge__isnull=not is_refund).first()
        return _booked(entry) if entry else None

    def refund(self, key: str, charge: str, amount: Money) -> Booked:
        """Refund a part or all of a charge, once for each key; returns the entry of the refund.

        Raises:
            Transaction.DoesNotExist: no successful charge has this reference.
            KeyReused: the key was used for a different request.
            RefundTooHigh: less than `amount` is left of the charge.
            OutcomeUnknown: the request or its response was lost.
        """
        self._travel()
        with transaction.atomic():
            charged = Transaction.objects.select_for_update().get(reference=charge, decline_code="")
            entry = Transaction(reference=_reference("re"), charge=charged)
            entry = self._enter(key, f"refund {charge} {amount}", entry, amount)
            if (charged.refunds.aggregate(Sum("amount_minor"))["amount_minor__sum"] or 0) > charged.amount_minor:
                raise RefundTooHigh(RefundTooHigh.__doc__)
        self._travel()
        return _booked(entry)

    def books(self, since: datetime) -> Iterator[Booked]:
        """The sandbox's records since a moment; raises `OutcomeUnknown`."""
        self._travel()
        for page in pages(Transaction.objects.filter(created_at__gte=since)):
            yield from map(_booked, page)

    def read_call_back(self, body: bytes, headers: Mapping[str, str]) -> CallBack:
        """Check the signature of a callback and decode it.

        Raises:
            ForgedCallBack: the signature is wrong.
            ParseError, UnacceptableInput: the body is not strict JSON.
            UnreadableCallBack: the body is not a callback.
        """
        signatures.check(body, headers.get(SIGNATURE_HEADER, ""), settings.SANDBOX_WEBHOOK_SECRETS)
        try:
            return msgspec.convert(parse_json(body), CallBack)
        except msgspec.ValidationError as error:
            reason, _, place = str(error).partition(" - at `$")
            raise UnreadableCallBack(reason, pointer=place.rstrip("`").replace(".", "/")) from None

    def call_back(self, key: str) -> tuple[bytes, dict[str, str]]:
        """The body and the headers of a callback with the outcome of a key. The sandbox does not send it by itself."""
        booked = _booked(Transaction.objects.get(pk=key))
        kind = type(booked.outcome).__name__.lower()
        body = msgspec.json.encode(CallBack(f"evt_{key}_{kind}", kind, booked))
        moment = int(clock.now().timestamp())
        return body, {SIGNATURE_HEADER: signatures.sign(body, settings.SANDBOX_WEBHOOK_SECRETS[0], moment)}

    def _enter(self, key: str, fingerprint: str, entry: Transaction, amount: Money) -> Transaction:
        """Insert the entry under its key, or return the entry that the same request inserted before."""
        entry.key, entry.fingerprint = key, fingerprint
        entry.currency, entry.amount = amount.currency, amount
        try:
            # Without an open transaction the INSERT commits itself: one round trip instead of three.
            with transaction.atomic() if connection.in_atomic_block else nullcontext():
                write({Insert(Transaction): [values_of(entry)]})
        except IntegrityError:
            entry = Transaction.objects.get(pk=key)
            if entry.fingerprint != fingerprint:
                raise KeyReused(f"{key} was used for: {entry.fingerprint}") from None
        return entry

    def _travel(self) -> None:
        """Go one way over the network: wait half the latency, and fail at half the failure rate.

        With `settings.SANDBOX_URL` the way is a real HTTP request, whose response says whether it succeeds.
        """
        if settings.SANDBOX_URL:
            _send_over_http()
        if settings.SANDBOX_LATENCY:
            time.sleep(settings.SANDBOX_LATENCY.total_seconds() / 2)
        if random.random() < settings.SANDBOX_FAILURE_RATE / 2:  # noqa: S311 - not used for a secret
            raise OutcomeUnknown


def _send_over_http() -> None:
    try:
        response = request("POST", settings.SANDBOX_URL, timeout=settings.SANDBOX_TIMEOUT)
    except NoResponse as error:
        raise OutcomeUnknown(str(error), getattr(error, "retry_after", None)) from error
    if response.status >= 400:
        raise OutcomeUnknown(f"HTTP {response.status}")


def _booked(entry: Transaction) -> Booked:
    outcome = Refunded(entry.reference) if entry.charge_id else _outcome(entry)
    return Booked(entry.key, outcome, entry.amount)


def _outcome(entry: Transaction) -> Charged | Declined:
    return Declined(entry.decline_code) if entry.decline_code else Charged(entry.reference)


def _reference(kind: str) -> str:
    return f"{kind}_{new_event_id().hex}"


adapter = SandboxProvider()
