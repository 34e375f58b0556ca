"""The part of an order that is about a payment that waits for the buyer or their bank, failed, or is authorized first.

An order and its row on the order board have the same columns for it, which are empty for any other payment.
"""

from datetime import datetime
from typing import Any

from django.db import models

from integration.aggregates.aggregate import OfOneStory, applies
from integration.domain.errors import Refused
from integration.domain.identifiers import BuyerId, OrderNumber, PaymentId, PaymentMethodId
from integration.domain.money import Money
from integration.storage.columns import MinorUnitsField
from ordering import events

ACTION_REQUIRED, PENDING, DECLINED, RETRIED = "action_required", "pending", "declined", "retried"

ENDED = (DECLINED, RETRIED)
"""The states of `payment_progress` in which its payment has ended."""

LAST = 2**31 - 1
"""The sequence of the last news of a payment: it has ended."""


class NothingToRetry(Refused):
    """Another payment method can be chosen only after the payment failed, and until the order's deadline."""


class WithPayment(models.Model):
    """What an order and its row on the order board know about a payment that waits or failed.

    * `payment_progress`: the `payment`, its `status`, the `sequence` of that news, and the `attempt`, if it is not the
      first. The status is `action_required`, `pending`, `declined` (with the `reason` and `retry_until`) or `retried`.
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

    @property
    def needs_another_payment(self) -> bool:
        """Whether the last payment failed, and the buyer may choose another method."""
        return (self.payment_progress or {}).get("status") == DECLINED

    @property
    def decline_reason(self) -> str:
        """Why the last payment failed, in the provider's words; empty if none did."""
        return str((self.payment_progress or {}).get("reason", ""))

    @property
    def retry_until(self) -> datetime | None:
        """Until when the buyer may choose another method; None if the last payment has not failed."""
        until = (self.payment_progress or {}).get("retry_until")
        return datetime.fromisoformat(until) if until else None

    @property
    def attempt(self) -> int:
        """The ordinal of the last payment, from 1."""
        return int((self.payment_progress or {}).get("attempt", 1))

    def show_awaited(self, event: events.OrderPaymentAwaited) -> None:
        """Show what the payment waits for."""
        self._show(payment=event.payment, status=event.status, sequence=event.sequence)

    def show_declined(self, event: events.OrderPaymentDeclined) -> None:
        """Show that the payment failed, and until when another method can be chosen."""
        until = event.retry_until.isoformat()
        self._show(payment=event.payment, status=DECLINED, sequence=LAST, reason=event.reason, retry_until=until)

    def show_retried(self, event: events.OrderPaymentRetried) -> None:
        """Show that the payment ended, and another one is on its way."""
        ended = (self.payment_progress or {}).get("payment", "")
        self.payment_progress = {"payment": ended, "status": RETRIED, "sequence": LAST, "attempt": event.attempt}

    def _show(self, **progress: Any) -> None:
        self.payment_progress = {**progress, "attempt": self.attempt} if self.attempt > 1 else progress


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
    payment_method: Any

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

    def has_ended(self, payment: PaymentId) -> bool:
        """Whether it is known that this payment has ended, so that later news of it changes nothing."""
        known = self.payment_progress or {"payment": "", "status": ""}
        later = (len(known["payment"]), known["payment"]) > (len(payment), payment)
        return later or (known["payment"] == payment and known["status"] in ENDED)

    def await_another_payment(self, payment: PaymentId, reason: str, retry_until: datetime) -> bool:
        """Wait for another payment method, because the payment failed; returns False if the order is to be cancelled.

        It is once the deadline has passed and billing was asked. News of a payment that ended before changes nothing.

        Args:
            payment: the payment that failed.
            reason: the provider's, such as `insufficient_funds`.
            retry_until: the order waits until then at least, counted from its first payment that failed.

        Raises:
            NotYet: the goods are not reserved yet.
        """
        if not self.accepts("await_another_payment") or self.has_ended(payment):
            return True
        if self.payment_asked:
            return False
        until = max(retry_until, self.payment_due_at) if self.attempt == 1 else self.payment_due_at
        declined = {"payment": payment, "reason": reason, "retry_until": until}
        self.record(events.OrderPaymentDeclined(order=OrderNumber(self.number), **declined))
        return True

    def try_another_payment(self, method: PaymentMethodId, moment: datetime) -> None:
        """Pay with another method.

        Raises:
            NotAllowed: the order does not wait for a payment.
            NothingToRetry: the payment has not failed, or the deadline has passed.
        """
        if self.accepts("try_another_payment"):
            may_try = self.needs_another_payment and moment < self.payment_due_at
            self.require(may_try, NothingToRetry)
            self.record(
                events.OrderPaymentRetried(
                    order=OrderNumber(self.number), payment_method=method, attempt=self.attempt + 1
                )
            )

    @applies(events.OrderPaymentDeclined)
    def _payment_declined(self, event: events.OrderPaymentDeclined) -> None:
        self.show_declined(event)
        self.payment_due_at = event.retry_until

    @applies(events.OrderPaymentRetried)
    def _payment_retried(self, event: events.OrderPaymentRetried) -> None:
        self.show_retried(event)
        self.payment_method = event.payment_method

    @applies(events.OrderPaymentAwaited)
    def _payment_awaited(self, event: events.OrderPaymentAwaited) -> None:
        self.show_awaited(event)
        if event.expires_at > self.payment_due_at:
            self.payment_due_at, self.payment_asked = event.expires_at, False

    @applies(events.OrderPaymentOverdue)
    def _payment_overdue(self, event: events.OrderPaymentOverdue) -> None:
        self.payment_asked = True
