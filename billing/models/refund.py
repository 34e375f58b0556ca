"""A refund returns a part or all of a payment; the provider issues it once."""

from typing import ClassVar, Self

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
)
from integration.domain.metadata import current_cause
from integration.domain.money import Money
from integration.domain.states import IGNORE, StateTable, by_state
from integration.storage.columns import CurrencyField, MinorUnitsField, money


class RefundStatus(models.TextChoices):
    """The states of a refund."""

    REQUESTED = "requested"
    ISSUED = "issued"


_row = by_state(RefundStatus)

REFUND_LIFE = StateTable(
    RefundStatus,
    {
        # message             requested  issued
        "settle": _row(RefundStatus.ISSUED.value, IGNORE),
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
    key = models.CharField(max_length=80, default="", db_default="", blank=True, editable=False)

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

    @applies(events.RefundRequested)
    def _requested(self, event: events.RefundRequested) -> None:
        self.id, self.invoice_id, self.payment_id = event.refund, event.invoice, event.payment
        self.order, self.currency, self.amount = event.order, event.amount.currency, event.amount
        self.reason, self.key = event.reason, event.key

    @applies(events.RefundIssued)
    def _issued(self, event: events.RefundIssued) -> None:
        self.status, self.reference = RefundStatus.ISSUED, event.reference
