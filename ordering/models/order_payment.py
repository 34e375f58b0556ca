"""The part of an order that is about a payment that waits for the buyer or their bank, or is authorized first.

An order and its row on the order board have the same columns for it, which are empty for any other payment.
"""

from datetime import datetime
from typing import Any

from django.db import models

from integration.aggregates.aggregate import OfOneStory, applies
from integration.domain.identifiers import BuyerId, OrderNumber, PaymentId
from integration.domain.money import Money
from integration.storage.columns import MinorUnitsField
from ordering import events

ACTION_REQUIRED, PENDING = "action_required", "pending"


class WithPayment(models.Model):
    """What an order and its row on the order board know about a payment that waits.

    * `payment_progress`: the `payment`, its `status` (`action_required` or `pending`), and the `sequence` of that news.
    * `authorized_minor`: what is authorized and not captured yet; empty if the payment was not authorized first.
    """

    currency: Any

    payment_progress = models.JSONField(null=True, editable=False)
    authorized_minor = MinorUnitsField(null=True, editable=False)

    class Meta:
        abstract = True

    @property
    def authorized(self) -> Money:
        """What is authorized and can be captured; zero, too, if the payment was not authorized first."""
        return Money.of_minor(self.authorized_minor or 0, self.currency)

    @property
    def needs_action(self) -> bool:
        """Whether the buyer must do something, as far as the payment has not ended. Once it is authorized, it has."""
        return self.authorized_minor is None and (self.payment_progress or {}).get("status") == ACTION_REQUIRED

    def show_awaited(self, event: events.OrderPaymentAwaited) -> None:
        """Show what the payment waits for."""
        progress = {"payment": event.payment, "status": event.status, "sequence": event.sequence}
        self.payment_progress = progress


class OrderWithPayment(WithPayment, OfOneStory):
    """An order whose payment may wait, or may be authorized first.

    * `payment_asked`: while billing is to say whether the money comes.
    * `released_minor`: what was authorized and will never be captured.
    * `authorization_sequence`: billing's number of the last news of the authorization. Both are empty without one.
    """

    number: Any
    buyer_id: Any
    status: Any
    paid: Any
    spend_refunded: Any
    payment_due_at: Any

    payment_asked = models.BooleanField(default=False, db_default=False, editable=False)
    released_minor = MinorUnitsField(null=True, editable=False)
    authorization_sequence = models.IntegerField(null=True, editable=False)

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

    @property
    def is_authorized(self) -> bool:
        """Whether its payment was authorized first."""
        return self.authorized_minor is not None

    def record_authorization(
        self, authorized: Money, captured: Money, released: Money, sequence: int, *, is_confirmed: bool
    ) -> None:
        """Record what of an authorized payment is held, captured and released now; older news is ignored.

        Args:
            sequence: billing's number of the news; the highest counts.
            is_confirmed: whether the order counts in its buyer's lifetime spend.

        Raises:
            NotYet: the order is neither confirmed nor cancelled.
        """
        if self.accepts("record_authorization") and sequence > (self.authorization_sequence or 0):
            more = released - Money.of_minor(self.released_minor or 0, self.currency)
            self.record(
                events.OrderAuthorizationChanged(
                    order=OrderNumber(self.number),
                    buyer=BuyerId(self.buyer_id),
                    authorized=authorized,
                    paid=captured,
                    released=released,
                    spend=more if is_confirmed else Money.zero(self.currency),
                    sequence=sequence,
                )
            )

    @applies(events.OrderAuthorizationChanged)
    def _authorization_changed(self, event: events.OrderAuthorizationChanged) -> None:
        self.authorized_minor, self.paid = event.authorized.minor, event.paid
        self.released_minor, self.authorization_sequence = event.released.minor, event.sequence
        self.spend_refunded += event.spend

    @applies(events.OrderPaymentAwaited)
    def _payment_awaited(self, event: events.OrderPaymentAwaited) -> None:
        self.show_awaited(event)
        if event.expires_at > self.payment_due_at:
            self.payment_due_at, self.payment_asked = event.expires_at, False

    @applies(events.OrderPaymentOverdue)
    def _payment_overdue(self, event: events.OrderPaymentOverdue) -> None:
        self.payment_asked = True
