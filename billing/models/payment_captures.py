"""The part of a payment that is about an authorization: how much of it is captured, and how it ends."""

from datetime import datetime
from typing import Any

from django.db import models

from billing import events
from billing.models.payment_states import HELD, SUCCEEDED, PaymentStatus
from integration.aggregates.aggregate import OfOneStory, applies
from integration.domain.identifiers import CaptureId, InvoiceNumber
from integration.domain.money import Money
from integration.storage.columns import MinorUnitsField


class CapturablePayment(OfOneStory):
    """A payment that may be authorized, and captured later.

    * `at_dispatch`: whether a card is to be authorized only; empty if it is to be charged at once.
    * `captured_minor`: what was captured of an authorization; empty if the payment never was one.

    While it is authorized, `expires_at` is when the authorization ends.
    """

    id: Any
    invoice_id: Any
    amount: Any
    currency: Any
    status: Any
    expires_at: Any
    next_action: Any
    reference: Any

    at_dispatch = models.BooleanField(null=True, editable=False)
    captured_minor = MinorUnitsField(null=True, editable=False)

    class Meta:
        abstract = True

    @property
    def _ids(self) -> dict[str, Any]:
        raise NotImplementedError

    @property
    def captured(self) -> Money:
        """What was captured of an authorization; zero, too, for a payment that is none."""
        return Money.of_minor(self.captured_minor or 0, self.currency)

    @property
    def is_authorization(self) -> bool:
        """Whether the provider held the money before it took any."""
        return self.captured_minor is not None

    def authorize(self, reference: str, capture_before: datetime) -> None:
        """Record that the provider holds the money, once.

        Args:
            reference: the provider's identifier of the charge.
            capture_before: when the authorization ends.
        """
        if not self.is_authorization and self.accepts("authorize"):
            self.record(
                events.PaymentAuthorized(
                    **self._ids,
                    invoice=InvoiceNumber(self.invoice_id),
                    amount=self.amount,
                    reference=reference,
                    capture_before=capture_before,
                )
            )

    def record_capture(self, capture: CaptureId, amount: Money) -> None:
        """Record that a part or all of the authorization was captured; raises `NotYet` before the authorization."""
        if self.accepts("record_capture"):
            captured = self.captured + amount
            self.record(events.PaymentCaptured(**self._ids, capture=capture, amount=amount, captured=captured))

    def lapse(self) -> None:
        """Record that the authorization ends soon, or has ended, before all was captured."""
        if self.accepts("lapse"):
            self.record(events.PaymentLapsed(**self._ids, invoice=InvoiceNumber(self.invoice_id)))

    def close(self, how: str) -> None:
        """Record that nothing can be captured any more.

        Args:
            how: `voided` if we released the authorization, `expired` if its time ran out. If anything was captured, the
                payment succeeded.
        """
        if self.is_authorization and self._may_close(how):
            self.record(events.PaymentClosed(**self._ids, status=SUCCEEDED if self.captured else how))

    def _may_close(self, how: str) -> bool:
        if self.captured:
            return self.accepts("close_captured")
        return self.accepts("close_voided") if how == PaymentStatus.VOIDED else self.accepts("close_expired")

    def end_authorization(self, how: str) -> None:
        """Record that the provider ended the authorization, perhaps before we expected it; `how` as in `close`."""
        if self.status in HELD:
            self.lapse()
            self.close(how)

    @applies(events.PaymentAuthorized)
    def _authorized(self, event: events.PaymentAuthorized) -> None:
        self.status, self.reference = PaymentStatus.AUTHORIZED, event.reference
        self.expires_at, self.next_action, self.captured_minor = event.capture_before, None, 0

    @applies(events.PaymentCaptured)
    def _captured(self, event: events.PaymentCaptured) -> None:
        self.captured_minor = event.captured.minor

    @applies(events.PaymentLapsed)
    def _lapsed(self, event: events.PaymentLapsed) -> None:
        self.status = PaymentStatus.LAPSED

    @applies(events.PaymentClosed)
    def _closed(self, event: events.PaymentClosed) -> None:
        self.status, self.expires_at = PaymentStatus(event.status), None
