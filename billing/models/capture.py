"""A capture takes a part or all of an authorized payment, because goods have left; the provider makes it once."""

from typing import Any, ClassVar, Self

from django.db import models
from django.db.models import Q

from billing import events
from billing.models.invoice import Invoice
from billing.models.payment import Payment
from billing.models.provider import key_at_the_provider, one_row_a_reference
from integration.aggregates.aggregate import OfOneStory, applies
from integration.domain.identifiers import CaptureId, InvoiceNumber, OrderNumber, PaymentId, ShipmentId
from integration.domain.metadata import current_cause
from integration.domain.states import IGNORE, StateTable, by_state
from integration.storage.columns import CurrencyField, MinorUnitsField, money


class CaptureStatus(models.TextChoices):
    """The states of a capture."""

    REQUESTED = "requested"
    CAPTURED = "captured"
    FAILED = "failed"


REQUESTED, CAPTURED, FAILED = (status.value for status in CaptureStatus)
_row = by_state(CaptureStatus)

CAPTURE_LIFE = StateTable(
    CaptureStatus,
    {
        # message         requested  captured  failed
        # If the provider reports a capture, it succeeded, even after a failure was recorded.
        "settle":    _row(CAPTURED,  IGNORE,   CAPTURED),
        "fail":      _row(FAILED,    IGNORE,   IGNORE),
    },
)  # fmt: skip


class Capture(OfOneStory):
    """Money of an authorized payment that is taken because goods left in a shipment."""

    stream = "capture"
    life = CAPTURE_LIFE

    id = models.CharField(max_length=24, primary_key=True)
    payment = models.ForeignKey(Payment, on_delete=models.PROTECT, related_name="captures")
    invoice = models.ForeignKey(Invoice, on_delete=models.PROTECT, related_name="captures")
    order = models.CharField(max_length=20, db_index=True)
    shipment = models.CharField(max_length=30)
    status = models.CharField(max_length=10, choices=CaptureStatus, default=CaptureStatus.REQUESTED, db_index=True)
    currency = CurrencyField()
    amount_minor = MinorUnitsField()
    amount = money("amount_minor")
    reference = models.CharField("the provider's reference", max_length=80, blank=True)
    failure = models.CharField(max_length=200, blank=True)
    key = models.CharField(max_length=80, editable=False)

    class Meta:
        ordering: ClassVar = ["-created_at"]
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(amount_minor__gt=0), name="capture_of_something"),
            models.CheckConstraint(condition=~Q(status="captured") | ~Q(reference=""), name="capture_has_a_reference"),
            one_row_a_reference("one_capture_a_reference"),
        ]

    def __str__(self) -> str:
        return f"capture {self.id}"

    @classmethod
    def request(cls, owed: events.InvoiceCaptureOwed) -> Self:
        """A new capture; the provider has not been asked for the money yet."""
        requested = cls()
        requested.record(
            events.CaptureRequested(
                capture=owed.capture,
                payment=owed.payment,
                invoice=owed.invoice,
                order=owed.order,
                shipment=owed.shipment,
                amount=owed.amount,
                key=key_at_the_provider(owed.capture, current_cause().correlation_id),
            )
        )
        return requested

    @property
    def idempotency_key(self) -> str:
        """The provider's key."""
        return self.key

    def settle(self, reference: str) -> None:
        """Record that the provider took the money; `reference` is the provider's identifier of the capture."""
        if self.accepts("settle"):
            was_failed = self.status == CaptureStatus.FAILED
            self.record(
                events.CaptureSettled(
                    **self._ids,
                    amount=self.amount,
                    reference=reference,
                    was_failed=was_failed,
                )
            )

    def fail(self, reason: str) -> None:
        """Record that the provider did not take the money; `reason` is the provider's code."""
        if self.accepts("fail"):
            shipment = ShipmentId(self.shipment)
            self.record(events.CaptureFailed(**self._ids, shipment=shipment, amount=self.amount, reason=reason))

    @property
    def _ids(self) -> dict[str, Any]:
        return {
            "capture": CaptureId(self.id),
            "payment": PaymentId(self.payment_id),
            "invoice": InvoiceNumber(self.invoice_id),
            "order": OrderNumber(self.order),
        }

    @applies(events.CaptureRequested)
    def _requested(self, event: events.CaptureRequested) -> None:
        self.id, self.payment_id, self.invoice_id = event.capture, event.payment, event.invoice
        self.order, self.shipment, self.key = event.order, event.shipment, event.key
        self.currency, self.amount = event.amount.currency, event.amount

    @applies(events.CaptureSettled)
    def _settled(self, event: events.CaptureSettled) -> None:
        self.status, self.reference, self.failure = CaptureStatus.CAPTURED, event.reference, ""

    @applies(events.CaptureFailed)
    def _failed(self, event: events.CaptureFailed) -> None:
        self.status, self.failure = CaptureStatus.FAILED, event.reason
