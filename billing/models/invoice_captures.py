"""What of an invoice is authorized, captured as its goods leave, or never captured.

A capture takes what all goods cost that have left, and shipping. So what is left to capture is what cancelling all
other goods would credit, and no sequence of parcels and cancellations leaves a cent over.
"""

from collections.abc import Mapping
from typing import Any

from django.db import models

from billing import events
from billing.models.invoice_amounts import InvoiceAmounts, InvoiceStatus
from billing.models.invoice_line import credit_gone_units
from billing.models.numbers import capture_of
from integration.aggregates.aggregate import applies
from integration.domain.errors import NotYet, Refused
from integration.domain.identifiers import CaptureId, OrderNumber, PaymentId, ShipmentId, Sku
from integration.domain.money import Money
from integration.storage.columns import MinorUnitsField


class AmountMismatch(Refused):
    """The amount paid is not the amount that was due."""


class CapturableInvoice(InvoiceAmounts):
    """An invoice whose money may be authorized first. These columns are empty if it never was.

    * `authorized_minor`: what was authorized, which is the total.
    * `released_minor`: the part of it that is never captured, because goods were cancelled before they left.
    * `capturing_minor`: the part whose capture was requested, and whose outcome the provider has not said yet.
    * `capture_count`: how many captures were requested.
    * `units_settled`: by SKU the units that left, or were cancelled before they did.
    * `lapsed`: whether the authorization has ended, or is about to.
    """

    status: Any

    authorized_minor = MinorUnitsField(null=True, editable=False)
    released_minor = MinorUnitsField(null=True, editable=False)
    capturing_minor = MinorUnitsField(null=True, editable=False)
    capture_count = models.SmallIntegerField(null=True, editable=False)
    units_settled = models.JSONField(null=True, editable=False)
    lapsed = models.BooleanField(null=True, editable=False)

    class Meta:
        abstract = True

    @property
    def is_authorized(self) -> bool:
        """Whether its money was authorized first."""
        return self.authorized_minor is not None

    @property
    def released(self) -> Money:
        """What is authorized and never captured."""
        return Money.of_minor(self.released_minor or 0, self.currency)

    @property
    def to_capture(self) -> Money:
        """What is still to be captured, whether goods have left for it or not, without what is being captured."""
        if self.authorized_minor is None:
            return Money.zero(self.currency)
        return Money.of_minor(self.authorized_minor, self.currency) - self.paid - self.released - self._asked

    @property
    def _asked(self) -> Money:
        return Money.of_minor(self.capturing_minor or 0, self.currency)

    @property
    def creditable(self) -> Money:
        """What is paid, or authorized, and by which the invoice was not reduced yet."""
        return (self.total if self.is_authorized else self.paid) - self.released - self.refund_owed

    @property
    def held(self) -> Money:
        """What the buyer sees as authorized: what is to be captured, or is being captured, unless it has lapsed."""
        return Money.zero(self.currency) if self.lapsed else self.to_capture + self._asked

    def authorize(self, payment: PaymentId, amount: Money) -> None:
        """Record that the money is authorized, once; raises `AmountMismatch`."""
        if not self.accepts("authorize") or self.is_authorized:
            return
        self.require(amount == self.total, AmountMismatch)
        if self.status == InvoiceStatus.OPEN:
            facts: dict[str, Any] = {"payment": payment, "amount": amount, "sequence": self.version + 1}
            self.record(events.InvoiceAuthorized(**self._ids, **facts))
        else:
            self.record(events.VoidInvoiceAuthorized(**self._ids, payment=payment, amount=amount))

    def capture(self, payment: PaymentId, shipment: ShipmentId, units: Mapping[Sku, int], *, all_of_it: bool) -> None:
        """Owe a capture because goods have left; each shipment counts once, and may need none.

        Args:
            payment: the payment that is authorized.
            shipment: the shipment.
            units: the units in it, by SKU.
            all_of_it: capture what the other goods cost, too, because only one capture is possible.

        Raises:
            NotYet: the money is not authorized yet.
        """
        if not self.accepts("capture") or f"left in {shipment}" in (self.causes or ()):
            return
        self.record(events.InvoiceGoodsLeft(**self._ids, shipment=shipment, units=dict(units)))
        amount = self.to_capture if all_of_it else self.to_capture - self._worth_of_open()
        if amount.minor > 0:
            capture = capture_of(OrderNumber(self.order), (self.capture_count or 0) + 1)
            self.record(
                events.InvoiceCaptureOwed(
                    **self._ids, payment=payment, capture=capture, shipment=shipment, amount=amount
                )
            )
        self.complete_capture(payment)

    def _worth_of_open(self) -> Money:
        """What cancelling all units would credit that have neither left nor are cancelled."""
        settled = self.units_settled or {}
        gone = {Sku(line.sku): left for line in self.lines if (left := line.quantity - settled.get(line.sku, 0))}
        credited = credit_gone_units(self.lines, self.line_totals(), gone, self.creditable)
        return Money.sum((line.amount for line in credited), self.currency)

    def record_capture(self, payment: PaymentId, capture: CaptureId, amount: Money, *, was_failed: bool) -> None:
        """Record that a capture succeeded.

        Args:
            was_failed: whether it counted as failed. What was released meanwhile of its money is to be refunded.
        """
        if self.accepts("record_capture"):
            facts: dict[str, Any] = {"capture": capture, "amount": amount, "was_failed": was_failed}
            self.record(events.InvoiceCaptured(**self._ids, **facts, paid=self.paid + amount))
            surplus = min(-self.to_capture, self.released)
            if surplus.minor > 0:
                self.record(events.InvoiceAuthorizationReduced(**self._ids, units={}, amount=-surplus))
                self.owe_refund(surplus, payment, "captured after it was released")
            self.complete_capture(payment)

    def owe_refund(self, amount: Money, payment: PaymentId, reason: str) -> None:
        """Owe a refund of a part or all of what was paid."""
        raise NotImplementedError

    def fail_capture(self, capture: CaptureId, amount: Money) -> None:
        """Record that a capture failed: its money is still to be captured, or a receivable."""
        if self.accepts("fail_capture"):
            self.record(events.InvoiceCaptureFailed(**self._ids, capture=capture, amount=amount))

    def to_release(self, amount: Money, *, has_left: bool) -> Money:
        """How much of a reduction is never captured; the rest is to be refunded.

        Args:
            amount: by how much the invoice is reduced.
            has_left: whether it is about goods that have left. They are refunded first, as far as they are captured.

        Raises:
            NotYet: more is to be refunded than is captured by now.
        """
        if not self.is_authorized:
            return Money.zero(self.currency)
        refundable = self.paid - self.refund_owed
        least = max(amount - refundable, Money.zero(self.currency))
        released = least if has_left else min(amount, self.to_capture)
        wait = NotYet(f"a capture of {self.number} is on its way")
        self.require(least <= released <= self.to_capture, wait)
        return released

    def release(self, amount: Money, units: Mapping[Sku, int]) -> None:
        """Never capture this much; `units` are those that were cancelled before they left, by SKU."""
        if amount or units:
            self.record(events.InvoiceAuthorizationReduced(**self._ids, units=dict(units), amount=amount))

    def complete_capture(self, payment: PaymentId) -> None:
        """Count as paid once nothing is left to capture; what else is authorized is then to be released."""
        is_done = self.is_authorized and not self.to_capture and not self._asked
        if is_done and self.accepts("complete_capture"):
            self.record(events.InvoiceCaptureCompleted(**self._ids, payment=payment, paid=self.paid))

    def lapse(self, payment: PaymentId) -> None:
        """Record that the authorization ends, unless nothing is left to capture."""
        left, sequence = self.held, self.version + 1
        if self.accepts("lapse") and left:
            self.record(events.InvoiceAuthorizationLapsed(**self._ids, payment=payment, amount=left, sequence=sequence))

    @applies(events.InvoiceAuthorized)
    def _authorized(self, event: events.InvoiceAuthorized) -> None:
        self.status, self.documented, self.position = InvoiceStatus.AUTHORIZED, True, 0
        self.authorized_minor, self.released_minor, self.capturing_minor = event.amount.minor, 0, 0
        self.capture_count = 0
        self.settle_by(event.payment)

    @applies(events.VoidInvoiceAuthorized)
    def _void_authorized(self, event: events.VoidInvoiceAuthorized) -> None:
        self.authorized_minor = self.released_minor = event.amount.minor
        self.capturing_minor = self.capture_count = 0
        self.settle_by(event.payment)

    @applies(events.InvoiceGoodsLeft)
    def _goods_left(self, event: events.InvoiceGoodsLeft) -> None:
        self.causes = [*(self.causes or ()), f"left in {event.shipment}"]
        self._settle_units(event.units)

    def _settle_units(self, units: Mapping[Sku, int]) -> None:
        settled = {**(self.units_settled or {})}
        for sku, some in sorted(units.items()):
            settled[sku] = settled.get(sku, 0) + some
        self.units_settled = dict(sorted(settled.items()))

    @applies(events.InvoiceCaptureOwed)
    def _capture_owed(self, event: events.InvoiceCaptureOwed) -> None:
        self.capturing_minor = (self.capturing_minor or 0) + event.amount.minor
        self.capture_count = (self.capture_count or 0) + 1

    @applies(events.InvoiceCaptured)
    def _captured(self, event: events.InvoiceCaptured) -> None:
        self.paid = event.paid
        if not event.was_failed:
            self.capturing_minor = (self.capturing_minor or 0) - event.amount.minor

    @applies(events.InvoiceCaptureFailed)
    def _capture_failed(self, event: events.InvoiceCaptureFailed) -> None:
        self.capturing_minor = (self.capturing_minor or 0) - event.amount.minor

    @applies(events.InvoiceAuthorizationReduced)
    def _authorization_reduced(self, event: events.InvoiceAuthorizationReduced) -> None:
        self.released_minor = (self.released_minor or 0) + event.amount.minor
        self._settle_units(event.units)

    @applies(events.InvoiceAuthorizationLapsed)
    def _authorization_lapsed(self, event: events.InvoiceAuthorizationLapsed) -> None:
        self.lapsed = True

    @applies(events.InvoiceCaptureCompleted)
    def _capture_completed(self, event: events.InvoiceCaptureCompleted) -> None:
        is_refunded = bool(self.paid) and self.refunded == self.paid
        self.status = InvoiceStatus.REFUNDED if is_refunded else InvoiceStatus.PAID
