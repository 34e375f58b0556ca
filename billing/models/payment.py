"""A payment is one attempt to collect the money for an invoice; the provider decides whether it succeeded."""

from typing import ClassVar, Self

from django.db import models
from django.db.models import Q

from billing import events
from billing.models.invoice import Invoice
from billing.models.numbers import payment_of
from billing.models.provider import key_at_the_provider, one_row_a_reference
from integration.aggregates.aggregate import OfOneStory, applies
from integration.domain.identifiers import (
    InvoiceNumber,
    OrderNumber,
    PaymentId,
    PaymentMethodId,
)
from integration.domain.states import IGNORE, StateTable, by_state
from integration.storage.columns import CurrencyField, MinorUnitsField, money


class PaymentStatus(models.TextChoices):
    """The states of a payment."""

    REQUESTED = "requested"
    UNKNOWN = "unknown"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    ABANDONED = "abandoned"


REQUESTED, UNKNOWN, SUCCEEDED, FAILED, ABANDONED = (status.value for status in PaymentStatus)
_row = by_state(PaymentStatus)

PAYMENT_LIFE = StateTable(
    PaymentStatus,
    {
        # message             requested  unknown    succeeded  failed     abandoned
        # The provider decides: if it reports a charge, the payment succeeded, even after another outcome was recorded.
        "succeed":      _row(SUCCEEDED,  SUCCEEDED, IGNORE,    SUCCEEDED, SUCCEEDED),
        "fail":         _row(FAILED,     FAILED,    IGNORE,    IGNORE,    IGNORE),
        "lose_outcome": _row(UNKNOWN,    IGNORE,    IGNORE,    IGNORE,    IGNORE),
        "abandon":      _row(ABANDONED,  ABANDONED, IGNORE,    IGNORE,    IGNORE),
    },
)  # fmt: skip


class Payment(OfOneStory):
    """One attempt to collect the money for an invoice."""

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
    failure = models.CharField(max_length=200, blank=True)
    key = models.CharField(max_length=80, default="", db_default="", blank=True, editable=False)

    class Meta:
        ordering: ClassVar = ["-created_at"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["invoice"], condition=Q(status="succeeded"), name="one_successful_payment_an_invoice"
            ),
            models.CheckConstraint(condition=~Q(status="succeeded") | ~Q(reference=""), name="success_has_a_reference"),
            one_row_a_reference("one_payment_a_charge"),
        ]

    def __str__(self) -> str:
        return f"payment {self.id}"

    @classmethod
    def request(cls, invoice: Invoice) -> Self:
        """A new payment of the invoice's total; the provider has not been asked for the money yet."""
        payment = cls()
        payment.record(
            events.PaymentRequested(
                payment=payment_of(OrderNumber(invoice.order)),
                invoice=InvoiceNumber(invoice.number),
                order=OrderNumber(invoice.order),
                amount=invoice.total,
                method=PaymentMethodId(invoice.payment_method),
                key=key_at_the_provider(payment_of(OrderNumber(invoice.order)), invoice.correlation_id),
            )
        )
        return payment

    @property
    def idempotency_key(self) -> str:
        """The provider's key. A payment that older code requested goes on with its identifier as the key."""
        return self.key or self.id

    def succeed(self, reference: str) -> None:
        """Record that the provider took the money; `reference` is the provider's identifier of the charge."""
        if self.accepts("succeed"):
            self.record(
                events.PaymentSucceeded(
                    payment=PaymentId(self.id),
                    invoice=InvoiceNumber(self.invoice_id),
                    order=OrderNumber(self.order),
                    amount=self.amount,
                    reference=reference,
                )
            )

    def fail(self, reason: str) -> None:
        """Record that the provider declined the charge; `reason` is its decline code."""
        if self.accepts("fail"):
            self.record(events.PaymentFailed(payment=PaymentId(self.id), order=OrderNumber(self.order), reason=reason))

    def lose_outcome(self) -> None:
        """Record that the provider did not respond, so that the outcome is unknown."""
        if self.accepts("lose_outcome"):
            self.record(events.PaymentOutcomeLost(payment=PaymentId(self.id), order=OrderNumber(self.order)))

    def abandon(self) -> None:
        """Abandon the payment: its invoice is void, and the provider never took the money."""
        if self.accepts("abandon"):
            self.record(events.PaymentAbandoned(payment=PaymentId(self.id), order=OrderNumber(self.order)))

    def anonymize(self) -> None:
        """Remove the payment method, because the payer was erased."""
        if self.method:
            self.record(events.PaymentAnonymized(payment=PaymentId(self.id), order=OrderNumber(self.order)))

    @applies(events.PaymentRequested)
    def _requested(self, event: events.PaymentRequested) -> None:
        self.id, self.invoice_id, self.order = event.payment, event.invoice, event.order
        self.method, self.currency, self.amount = event.method, event.amount.currency, event.amount
        self.key = event.key

    @applies(events.PaymentSucceeded)
    def _succeeded(self, event: events.PaymentSucceeded) -> None:
        self.status, self.reference = PaymentStatus.SUCCEEDED, event.reference

    @applies(events.PaymentFailed)
    def _failed(self, event: events.PaymentFailed) -> None:
        self.status, self.failure = PaymentStatus.FAILED, event.reason

    @applies(events.PaymentOutcomeLost)
    def _outcome_lost(self, event: events.PaymentOutcomeLost) -> None:
        self.status = PaymentStatus.UNKNOWN

    @applies(events.PaymentAbandoned)
    def _abandoned(self, event: events.PaymentAbandoned) -> None:
        self.status = PaymentStatus.ABANDONED

    @applies(events.PaymentAnonymized)
    def _anonymized(self, event: events.PaymentAnonymized) -> None:
        self.method = ""
