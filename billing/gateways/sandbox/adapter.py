"""The adapter that puts the sandbox behind billing's port.

It responds as Stripe does to the same test payment methods. Settings add a latency, a rate of lost responses, and a
real network.
Sources: Stripe's documentation of test payment methods, decline codes and idempotent requests.
"""

import random
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from datetime import datetime, timedelta
from typing import Literal

import msgspec
from django.conf import settings
from django.db import IntegrityError, connection, transaction
from django.db.models import QuerySet

from billing.gateways import (
    Booked,
    CallBack,
    Declined,
    Disputed,
    Expired,
    KnownMethod,
    OutcomeUnknown,
    UnreadableCallBack,
)
from billing.gateways.sandbox import courses
from billing.gateways.sandbox.courses import booked, fingerprint_of
from billing.gateways.sandbox.methods import AUTHENTICATION, DISPUTED, METHODS, REFUND_FAILS, TRANSFER
from billing.gateways.sandbox.methods import DECLINES as DECLINES
from billing.gateways.sandbox.models import Course, Kind, Standing, Transaction
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


class KeyReused(Exception):
    """An idempotency key was used again for a different request."""


class RefundTooHigh(Exception):
    """The refund is higher than what is left of the charge."""


class CaptureTooHigh(Exception):
    """The capture is higher than what is left of the authorization."""


class SandboxProvider:
    """The sandbox as a `PaymentProvider`: it stores records, responds after a latency, and loses some responses."""

    captures: Literal["once", "many"] = "many"
    publishable_key = ""
    kinds: Sequence[str] = ("card", "bank_transfer")
    remote: Mapping[PaymentMethodId, str] = {
        PaymentMethodId(TRANSFER): "bank transfer: the buyer sends the money",
        PaymentMethodId(AUTHENTICATION): "payment link: the buyer opens the provider's page",
    }

    def find_method(self, method: PaymentMethodId) -> KnownMethod | None:
        """What may be shown of a test payment method; raises `OutcomeUnknown`."""
        self._travel()
        return METHODS.get(method)

    def charge(self, key: str, method: PaymentMethodId, amount: Money, *, capture: bool = True) -> Booked:
        """Charge or authorize a payment method, once for each key; raises `KeyReused`, `OutcomeUnknown`."""
        self._travel()
        what = "charge" if capture or method == TRANSFER else "authorize"
        entry = Transaction(reference=_reference("ch"), decline_code=DECLINES.get(method, ""))
        is_settled = what == "charge" and method not in (AUTHENTICATION, TRANSFER, DISPUTED)
        with nullcontext() if is_settled or entry.decline_code else transaction.atomic():
            stored = self._enter(key, fingerprint_of(what, method, amount), entry, amount)
            if stored.kind == Kind.CANCELLED:
                return Booked(key, Expired(stored.reference), amount)
            if stored is entry:
                courses.begin_charge(entry, method)
        self._travel()
        return booked(stored)

    def find_charge(self, key: str) -> Booked | None:
        """The entry of the charge with this key, if there is one; raises `OutcomeUnknown`."""
        return self._find(key, charge__isnull=True, kind="")

    def find_refund(self, key: str) -> Booked | None:
        """The entry of the refund with this key, if there is one; raises `OutcomeUnknown`."""
        return self._find(key, charge__isnull=False, kind="")

    def find_capture(self, key: str, charge: str) -> Booked | None:
        """The entry of the capture with this key, if there is one; raises `OutcomeUnknown`."""
        return self._find(key, charge__reference=charge, kind=Kind.CAPTURE)

    def _find(self, key: str, **of: object) -> Booked | None:
        self._travel()
        entry = _rows().filter(pk=key, **of).first()
        return booked(entry) if entry else None

    def cancel(self, key: str) -> Booked | None:
        """Let the charge with this key expire, or see to it that none is made under it; raises `OutcomeUnknown`."""
        self._travel()
        with transaction.atomic():
            never = Transaction(reference=_reference("ch"), kind=Kind.CANCELLED)
            entry = self._enter(key, Kind.CANCELLED, never, Money.of_minor(1, settings.SHOP_CURRENCY), of_any=True)
            if entry.kind != Kind.CANCELLED:
                entry = _locked(pk=key)
                courses.cancel(entry)
        self._travel()
        return None if entry.kind == Kind.CANCELLED else booked(entry)

    def capture(self, key: str, charge: str, amount: Money) -> Booked:
        """Take a part or all of an authorization, once for each key; returns the entry of the capture.

        Raises:
            Transaction.DoesNotExist: no charge has this reference.
            KeyReused: the key was used for a different request.
            CaptureTooHigh: less than `amount` is left of the authorization.
            OutcomeUnknown: the request or its response was lost.
        """
        self._travel()
        with transaction.atomic():
            charged = _locked(reference=charge)
            if known := _rows().filter(pk=key, kind=Kind.CAPTURE).first():
                entry = self._enter(key, f"capture {charge} {amount}", known, amount)
            elif refusal := self._refusal(charged):
                return Booked(key, Declined(refusal), amount)
            else:
                entry = Transaction(reference=_reference("ca"), charge=charged, kind=Kind.CAPTURE)
                entry = self._enter(key, f"capture {charge} {amount}", entry, amount)
                if courses.captured_of(charged) > charged.amount_minor:
                    raise CaptureTooHigh(CaptureTooHigh.__doc__)
        self._travel()
        return booked(entry)

    def _refusal(self, charged: Transaction) -> str:
        """Why nothing can be captured of a charge; empty if something can."""
        course = courses.course_of(charged)
        if course is None or course.standing != Standing.AUTHORIZED:
            return f"charge_is_{course.standing}" if course else "charge_is_charged"
        if course.due_at and course.due_at <= clock.now():
            return "authorization_expired"
        return "already_captured" if self.captures == "once" and courses.captured_of(charged) else ""

    def void(self, key: str, charge: str) -> Booked:
        """Release what is not captured of an authorization; returns its entry.

        Raises:
            Transaction.DoesNotExist: no charge has this reference.
            OutcomeUnknown: the request or its response was lost.
        """
        self._travel()
        with transaction.atomic():
            entry = _locked(reference=charge)
            courses.void(entry)
        self._travel()
        return booked(entry)

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
            charged = _locked(reference=charge, decline_code="")
            entry = Transaction(reference=_reference("re"), charge=charged)
            stored = self._enter(key, f"refund {charge} {amount}", entry, amount)
            moved = courses.moved_of(charged)
            if stored is entry and moved.disputed:
                courses.begin(entry, Standing.REFUND_FAILED, timedelta(), "charge_disputed")
            elif moved.refunded > (moved.captured if courses.is_authorization(charged) else charged.amount_minor):
                raise RefundTooHigh(RefundTooHigh.__doc__)
            elif stored is entry and courses.method_of(charged) == REFUND_FAILS:
                courses.begin(entry, Standing.REFUNDED, courses.REFUND_FAILS_AFTER)
        self._travel()
        return booked(stored)

    def books(self, since: datetime) -> Iterator[Booked]:
        """The sandbox's records since a moment; raises `OutcomeUnknown`."""
        self._travel()
        for page in pages(_rows().filter(created_at__gte=since).exclude(kind=Kind.CANCELLED)):
            yield from map(booked, page)

    def play(self, key: str, what: courses.Play) -> Booked:
        """Do to the charge, or to the refund, with this key what in life the bank or the buyer does.

        Returns:
            The entry that changed. Its callback is to be sent.

        Raises:
            Transaction.DoesNotExist: there is no such charge or refund.
            courses.CannotPlay: it cannot happen as things stand.
        """
        with transaction.atomic():
            return booked(courses.play(_locked(pk=key, kind=""), what))

    def due_call_backs(self, at_most: int) -> list[str]:
        """The keys of entries that have changed by themselves and whose callback was not sent yet, oldest first."""
        due = Course.objects.filter(is_played=False, due_at__lte=clock.now()).order_by("due_at")
        return list(due.values_list("pk", flat=True)[:at_most])

    def note_played(self, key: str) -> None:
        """Record that the callback about an entry that has changed by itself was sent."""
        Course.objects.filter(pk=key).update(is_played=True)

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
        entry = booked(_rows().get(pk=key))
        kind = type(entry.outcome).__name__.lower()
        if isinstance(entry.outcome, Disputed):
            kind = f"{kind}_{entry.outcome.status}"
        body = msgspec.json.encode(CallBack(f"evt_{key}_{kind}", kind, entry))
        moment = int(clock.now().timestamp())
        return body, {SIGNATURE_HEADER: signatures.sign(body, settings.SANDBOX_WEBHOOK_SECRETS[0], moment)}

    def _enter(
        self, key: str, fingerprint: str, entry: Transaction, amount: Money, *, of_any: bool = False
    ) -> Transaction:
        """Insert the entry under its key, or return the entry that the same request, or any, inserted before."""
        entry.key, entry.fingerprint = key, fingerprint
        entry.currency, entry.amount = amount.currency, amount
        try:
            # Without an open transaction the INSERT commits itself: one round trip instead of three.
            with transaction.atomic() if connection.in_atomic_block else nullcontext():
                write({Insert(Transaction): [values_of(entry)]})
            entry._state.fields_cache.setdefault("course", None)  # a new row has none; this saves the query for it
        except IntegrityError:
            entry = _rows().get(pk=key)
            if not of_any and entry.fingerprint != fingerprint and entry.kind != Kind.CANCELLED:
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


def _rows() -> QuerySet[Transaction]:
    """The transactions with what is needed to book them."""
    return Transaction.objects.select_related("course", "charge")


def _locked(**of: object) -> Transaction:
    """A transaction, locked until the database transaction ends; raises `Transaction.DoesNotExist`."""
    return _rows().select_for_update(of=("self",)).get(**of)


def _reference(kind: str) -> str:
    return f"{kind}_{new_event_id().hex}"


adapter = SandboxProvider()
