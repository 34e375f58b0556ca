"""A payment is one attempt to collect the money for an invoice; the provider decides whether it succeeded."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, ClassVar, Self

from django.db import models
from django.db.models import Q

from billing import events
from billing.models.invoice import Invoice
from billing.models.payment_captures import CapturablePayment
from billing.models.payment_states import PAYMENT_LIFE, PaymentStatus
from billing.models.provider import key_at_the_provider, one_row_a_reference
from integration.aggregates.aggregate import applies
from integration.domain.identifiers import (
    InvoiceNumber,
    OrderNumber,
    PaymentId,
    PaymentMethodId,
)
from integration.storage.columns import CurrencyField, MinorUnitsField, money


class Payment(CapturablePayment):
    """One attempt to collect the money for an invoice.

    `expires_at` is until when the provider waits for the buyer or for the money, or holds the money. `next_action` is
    what the buyer is to do: its `type`, and an `url` or `details`. Both are empty unless the payment waits.
    """

    stream = "payment"
    life = PAYMENT_LIFE

    id = models.CharField(max_length=24, primary_key=True)
    invoice = models.ForeignKey(Invoice, on_delete=models.PROTECT, related_name="payments")
    order = models.CharField(max_length=20, db_index=True)
    method = models.CharField(max_length=80)
    status = models.CharField(max_length=10, choices=PaymentStatus, default=PaymentStatus.REQUESTED, db_index=True)
    currency = CurrencyField()
    amount_minor = MinorUnitsField()
    amount = money("amount_minor")
    reference = models.CharField("the provider's reference", max_length=80, blank=True)
    expires_at = models.DateTimeField(null=True, blank=True)
    next_action = models.JSONField(null=True, blank=True)
    failure = models.CharField(max_length=200, blank=True)
    key = models.CharField(max_length=80, default="", db_default="", blank=True, editable=False)

    class Meta:
        ordering: ClassVar = ["-created_at"]
        constraints: ClassVar = [
            models.CheckConstraint(condition=~Q(status="succeeded") | ~Q(reference=""), name="success_has_a_reference"),
            one_row_a_reference("one_payment_a_charge"),
        ]
        indexes: ClassVar = [
            models.Index(fields=["expires_at"], name="authorizations_to_lapse", condition=Q(status="authorized"))
        ]

    def __str__(self) -> str:
        return f"payment {self.id}"

    @classmethod
    def request(cls, invoice: Invoice, *, at_dispatch: bool = False) -> Self:
        """A new payment of the invoice's total; the provider has not been asked for the money yet.

        Args:
            at_dispatch: whether a card is authorized only, and charged once goods leave.
        """
        payment = cls()
        payment.record(
            events.PaymentRequested(
                payment=invoice.current_payment,
                invoice=InvoiceNumber(invoice.number),
                order=OrderNumber(invoice.order),
                amount=invoice.total,
                method=PaymentMethodId(invoice.payment_method),
                key=key_at_the_provider(invoice.current_payment, invoice.correlation_id),
                at_dispatch=at_dispatch,
            )
        )
        return payment

    @property
    def _ids(self) -> dict[str, Any]:
        return {"payment": PaymentId(self.id), "order": OrderNumber(self.order)}

    @property
    def idempotency_key(self) -> str:
        """The provider's key. A payment that older code requested goes on with its identifier as the key."""
        return self.key or self.id

    def succeed(self, reference: str) -> None:
        """Record that the provider took the money; `reference` is the provider's identifier of the charge."""
        if self.accepts("succeed"):
            self.record(
                events.PaymentSucceeded(
                    **self._ids, invoice=InvoiceNumber(self.invoice_id), amount=self.amount, reference=reference
                )
            )

    def fail(self, reason: str) -> None:
        """Record that the provider declined the charge; `reason` is its decline code."""
        if self.accepts("fail"):
            self.record(events.PaymentFailed(**self._ids, reason=reason))

    def lose_outcome(self) -> None:
        """Record that the provider did not respond, so that the outcome is unknown."""
        if self.accepts("lose_outcome"):
            self.record(events.PaymentOutcomeLost(**self._ids))

    def require_action(
        self, reference: str, kind: str, expires_at: datetime, url: str = "", details: Mapping[str, str] | None = None
    ) -> None:
        """Record what the buyer must do before the provider takes the money.

        Args:
            reference: the provider's identifier of the charge.
            kind: `redirect` or `display_details`.
            expires_at: until when the provider waits.
            url: where the buyer goes.
            details: what to show to the buyer, by name.
        """
        known = {"type": kind, "url": url, "details": dict(details or {})}
        if self.accepts("require_action") and (self.next_action, self.expires_at) != (known, expires_at):
            self.record(
                events.PaymentActionRequired(
                    **self._ids,
                    reference=reference,
                    kind=kind,
                    expires_at=expires_at,
                    url=url,
                    details=dict(details or {}),
                    sequence=self.version + 1,
                )
            )

    def await_money(self, reference: str, expires_at: datetime) -> None:
        """Record that the money is on its way, and arrives or fails by `expires_at`; an earlier moment is ignored."""
        if self.accepts("await_money") and (self.status != PaymentStatus.PENDING or _is_later(expires_at, self)):
            news: dict[str, Any] = {"reference": reference, "expires_at": expires_at, "sequence": self.version + 1}
            self.record(events.PaymentPending(**self._ids, **news))

    def expire(self) -> None:
        """Record that the provider took no money and will not take any."""
        if self.accepts("expire"):
            self.record(events.PaymentExpired(**self._ids))

    def abandon(self) -> None:
        """Abandon the payment: its invoice is void, and the provider never took the money."""
        if self.accepts("abandon"):
            self.record(events.PaymentAbandoned(**self._ids))

    def anonymize(self) -> None:
        """Remove the payment method, because the payer was erased."""
        if self.method:
            self.record(events.PaymentAnonymized(**self._ids))

    @applies(events.PaymentRequested)
    def _requested(self, event: events.PaymentRequested) -> None:
        self.id, self.invoice_id, self.order = event.payment, event.invoice, event.order
        self.method, self.currency, self.amount = event.method, event.amount.currency, event.amount
        self.key, self.at_dispatch = event.key, event.at_dispatch or None

    @applies(events.PaymentSucceeded)
    def _succeeded(self, event: events.PaymentSucceeded) -> None:
        self._end(PaymentStatus.SUCCEEDED)
        self.reference = event.reference

    @applies(events.PaymentFailed)
    def _failed(self, event: events.PaymentFailed) -> None:
        self._end(PaymentStatus.FAILED)
        self.failure = event.reason

    @applies(events.PaymentOutcomeLost)
    def _outcome_lost(self, event: events.PaymentOutcomeLost) -> None:
        self.status = PaymentStatus.UNKNOWN

    @applies(events.PaymentActionRequired)
    def _action_required(self, event: events.PaymentActionRequired) -> None:
        self.status, self.reference = PaymentStatus.ACTION_REQUIRED, event.reference
        self.expires_at = event.expires_at
        self.next_action = {"type": event.kind, "url": event.url, "details": event.details}

    @applies(events.PaymentPending)
    def _pending(self, event: events.PaymentPending) -> None:
        self._end(PaymentStatus.PENDING)
        self.reference, self.expires_at = event.reference, event.expires_at

    @applies(events.PaymentExpired)
    def _expired(self, event: events.PaymentExpired) -> None:
        self._end(PaymentStatus.EXPIRED)

    @applies(events.PaymentAbandoned)
    def _abandoned(self, event: events.PaymentAbandoned) -> None:
        self._end(PaymentStatus.ABANDONED)

    @applies(events.PaymentAnonymized)
    def _anonymized(self, event: events.PaymentAnonymized) -> None:
        self.method = ""

    def _end(self, status: PaymentStatus) -> None:
        """Enter a state in which the buyer has nothing to do."""
        self.status, self.expires_at, self.next_action = status, None, None


def _is_later(moment: datetime, payment: Payment) -> bool:
    return payment.expires_at is None or moment > payment.expires_at
