"""A refund returns a part or all of a payment; the provider issues it once."""

from typing import Any, ClassVar, Self

from django.db import models
from django.db.models import Q

from billing import events
from billing.models.invoice import Invoice
from billing.models.payment import Payment
from billing.models.provider import key_at_the_provider, one_row_a_reference
from integration.aggregates.aggregate import OfOneStory, applies
from integration.domain.identifiers import (
    InvoiceNumber,
    OrderNumber,
    PaymentId,
    RefundId,
    new_event_id,
)
from integration.domain.metadata import current_cause
from integration.domain.money import Money
from integration.domain.states import IGNORE, REFUSE, StateTable, by_state
from integration.storage.columns import CurrencyField, MinorUnitsField, money


class RefundStatus(models.TextChoices):
    """The states of a refund."""

    REQUESTED = "requested"
    PENDING = "pending"
    ISSUED = "issued"
    FAILED = "failed"
    BLOCKED = "blocked"
    SETTLED = "settled"


REQUESTED, PENDING, ISSUED, FAILED, BLOCKED, SETTLED = (status.value for status in RefundStatus)
_row = by_state(RefundStatus)

REFUND_LIFE = StateTable(
    RefundStatus,
    {
        # message                   requested  pending  issued   failed     blocked    settled
        # The provider decides, and a failure is its last word: days later a bank may send the money back.
        "settle":              _row(ISSUED,    ISSUED,  IGNORE,  IGNORE,    ISSUED,    IGNORE),
        "pend":                _row(PENDING,   IGNORE,  IGNORE,  IGNORE,    PENDING,   IGNORE),
        "fail":                _row(FAILED,    FAILED,  FAILED,  IGNORE,    FAILED,    IGNORE),
        "retry":               _row(REFUSE,    REFUSE,  REFUSE,  REQUESTED, REFUSE,    REFUSE),
        "block":               _row(BLOCKED,   IGNORE,  IGNORE,  IGNORE,    IGNORE,    IGNORE),
        "release":             _row(IGNORE,    IGNORE,  IGNORE,  IGNORE,    REQUESTED, IGNORE),
        "settle_by_dispute":   _row(SETTLED,   IGNORE,  IGNORE,  SETTLED,   SETTLED,   IGNORE),
    },
)  # fmt: skip


class Refund(OfOneStory):
    """Money that is returned to the payer of an invoice."""

    stream = "refund"
    life = REFUND_LIFE

    id = models.CharField(max_length=24, primary_key=True)
    invoice = models.ForeignKey(Invoice, on_delete=models.PROTECT, related_name="refunds")
    payment = models.ForeignKey(Payment, on_delete=models.PROTECT, related_name="refunds")
    order = models.CharField(max_length=20, db_index=True)
    status = models.CharField(max_length=10, choices=RefundStatus, default=RefundStatus.REQUESTED, db_index=True)
    currency = CurrencyField()
    amount_minor = MinorUnitsField()
    amount = money("amount_minor")
    reason = models.CharField(max_length=500, blank=True)
    reference = models.CharField("the provider's reference", max_length=80, blank=True)
    failure = models.CharField(max_length=200, default="", db_default="", blank=True)
    key = models.CharField(max_length=80, default="", db_default="", blank=True, editable=False)
    earlier_keys = models.JSONField(null=True, editable=False)  # the keys of the attempts that failed

    class Meta:
        ordering: ClassVar = ["-created_at"]
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(amount_minor__gt=0), name="refund_of_something"),
            models.CheckConstraint(condition=~Q(status="issued") | ~Q(reference=""), name="refund_has_a_reference"),
            one_row_a_reference("one_refund_a_reference"),
        ]

    def __str__(self) -> str:
        return f"refund {self.id}"

    @classmethod
    def request(
        cls,
        refund: RefundId,
        invoice: InvoiceNumber,
        payment: PaymentId,
        order: OrderNumber,
        amount: Money,
        reason: str,
    ) -> Self:
        """A new refund; the provider has not been asked to issue it yet."""
        requested = cls()
        key = key_at_the_provider(refund, current_cause().correlation_id)
        requested.record(
            events.RefundRequested(
                refund=refund, invoice=invoice, payment=payment, order=order, amount=amount, reason=reason, key=key
            )
        )
        return requested

    @property
    def idempotency_key(self) -> str:
        """The provider's key. A refund that older code requested goes on with its identifier as the key."""
        return self.key or self.id

    def settle(self, reference: str) -> None:
        """Record that the provider issued the refund; `reference` is the provider's identifier of the refund."""
        if self.accepts("settle"):
            self.record(
                events.RefundIssued(
                    refund=RefundId(self.id),
                    invoice=InvoiceNumber(self.invoice_id),
                    order=OrderNumber(self.order),
                    amount=self.amount,
                    reference=reference,
                )
            )

    def pend(self, reference: str) -> None:
        """Record that the provider accepted the refund and has not sent the money yet."""
        if self.accepts("pend"):
            self.record(
                events.RefundPended(
                    refund=RefundId(self.id), order=OrderNumber(self.order), amount=self.amount, reference=reference
                )
            )

    def fail(self, reference: str, reason: str) -> None:
        """Record that the refund failed, perhaps after it was issued; `reason` is the provider's code."""
        if self.accepts("fail"):
            self.record(
                events.RefundFailed(
                    refund=RefundId(self.id),
                    invoice=InvoiceNumber(self.invoice_id),
                    order=OrderNumber(self.order),
                    amount=self.amount,
                    reference=reference,
                    reason=reason,
                    was_issued=self.status == RefundStatus.ISSUED,
                )
            )

    def retry(self) -> None:
        """Request a failed refund again, under a new key; raises `NotAllowed` unless it failed."""
        if self.accepts("retry"):
            refund, key = RefundId(self.id), key_at_the_provider(RefundId(self.id), new_event_id())
            self.record(events.RefundRetried(refund=refund, order=OrderNumber(self.order), amount=self.amount, key=key))

    def block(self) -> None:
        """Wait for the end of a dispute."""
        if self.accepts("block"):
            self.record(events.RefundBlocked(**self._facts))

    def release(self) -> None:
        """Wait for no dispute any longer: the refund is requested again, under the key that it has."""
        if self.accepts("release"):
            self.record(events.RefundReleased(**self._facts))

    def settle_by_dispute(self) -> None:
        """Record that the buyer has the money by a dispute that was lost."""
        if self.accepts("settle_by_dispute"):
            self.record(events.RefundSettledByDispute(**self._facts, invoice=InvoiceNumber(self.invoice_id)))

    @property
    def _facts(self) -> dict[str, Any]:
        return {"refund": RefundId(self.id), "order": OrderNumber(self.order), "amount": self.amount}

    def has_key(self, key: str) -> bool:
        """Whether the provider knows this refund, or an attempt of it that failed, by this key."""
        return key == self.idempotency_key or key in (self.earlier_keys or ())

    @applies(events.RefundRequested)
    def _requested(self, event: events.RefundRequested) -> None:
        self.id, self.invoice_id, self.payment_id = event.refund, event.invoice, event.payment
        self.order, self.currency, self.amount = event.order, event.amount.currency, event.amount
        self.reason, self.key = event.reason, event.key

    @applies(events.RefundIssued)
    def _issued(self, event: events.RefundIssued) -> None:
        self.status, self.reference = RefundStatus.ISSUED, event.reference

    @applies(events.RefundPended)
    def _pended(self, event: events.RefundPended) -> None:
        self.status, self.reference = RefundStatus.PENDING, event.reference

    @applies(events.RefundFailed)
    def _failed(self, event: events.RefundFailed) -> None:
        self.status, self.reference, self.failure = RefundStatus.FAILED, event.reference, event.reason

    @applies(events.RefundRetried)
    def _retried(self, event: events.RefundRetried) -> None:
        self.earlier_keys = [*(self.earlier_keys or ()), self.idempotency_key]
        self.status, self.key, self.reference, self.failure = RefundStatus.REQUESTED, event.key, "", ""

    @applies(events.RefundBlocked)
    def _blocked(self, event: events.RefundBlocked) -> None:
        self.status = RefundStatus.BLOCKED

    @applies(events.RefundReleased)
    def _released(self, event: events.RefundReleased) -> None:
        self.status = RefundStatus.REQUESTED

    @applies(events.RefundSettledByDispute)
    def _settled_by_dispute(self, event: events.RefundSettledByDispute) -> None:
        self.status, self.failure = RefundStatus.SETTLED, ""
