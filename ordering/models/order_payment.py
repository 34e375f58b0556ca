"""The part of an order that is about a payment that waits for the buyer or their bank.

An order and its row on the order board have the same column for it, which is empty if the payment never waited.
"""

from datetime import datetime
from typing import Any

from django.db import models

from integration.aggregates.aggregate import OfOneStory, applies
from integration.domain.identifiers import OrderNumber, PaymentId
from ordering import events

ACTION_REQUIRED, PENDING = "action_required", "pending"


class WithPayment(models.Model):
    """What an order and its row on the order board know about a payment that waits.

    `payment_progress`: the `payment`, its `status` (`action_required` or `pending`), and the `sequence` of that news.
    """

    payment_progress = models.JSONField(null=True, editable=False)

    class Meta:
        abstract = True

    @property
    def needs_action(self) -> bool:
        """Whether the buyer must do something, as far as the payment has not ended."""
        return (self.payment_progress or {}).get("status") == ACTION_REQUIRED

    def show_awaited(self, event: events.OrderPaymentAwaited) -> None:
        """Show what the payment waits for."""
        progress = {"payment": event.payment, "status": event.status, "sequence": event.sequence}
        self.payment_progress = progress


class OrderWithPayment(WithPayment, OfOneStory):
    """An order whose payment may wait; `payment_asked` while billing is to say whether the money comes."""

    number: Any
    payment_due_at: Any

    payment_asked = models.BooleanField(default=False, db_default=False, editable=False)

    class Meta:
        abstract = True

    def await_payment_until(self, payment: PaymentId, status: str, expires_at: datetime, sequence: int) -> None:
        """Record that the payment waits, and that the deadline is at least `expires_at`; older news is ignored.

        Args:
            payment: the identifier of the payment; one with a longer or higher identifier is a later one.
            status: `action_required` or `pending`.
            sequence: billing's number of the news of this payment; the highest counts.
        """
        known = self.payment_progress or {"payment": "", "sequence": 0}
        is_news = (len(payment), payment, sequence) > (len(known["payment"]), known["payment"], known["sequence"])
        if self.accepts("await_payment_until") and is_news:
            self.record(
                events.OrderPaymentAwaited(
                    order=OrderNumber(self.number),
                    payment=payment,
                    status=status,
                    expires_at=expires_at,
                    sequence=sequence,
                )
            )

    def ask_for_payment(self) -> None:
        """Ask billing whether the money comes, because the deadline has passed; once for each deadline."""
        if self.accepts("ask_for_payment") and not self.payment_asked:
            self.record(events.OrderPaymentOverdue(order=OrderNumber(self.number)))

    @applies(events.OrderPaymentAwaited)
    def _payment_awaited(self, event: events.OrderPaymentAwaited) -> None:
        self.show_awaited(event)
        if event.expires_at > self.payment_due_at:
            self.payment_due_at, self.payment_asked = event.expires_at, False

    @applies(events.OrderPaymentOverdue)
    def _payment_overdue(self, event: events.OrderPaymentOverdue) -> None:
        self.payment_asked = True
