"""Billing's aggregates and their rules: each cent is owed, paid or given back, and none of it twice."""

from collections.abc import Sequence
from typing import Any, ClassVar, Self

from django.db import models
from django.db.models import F, Q

from billing import events
from billing.events import InvoicedLine
from integration.domain.aggregate import OfOneStory, Part, applies
from integration.domain.columns import CurrencyField, MinorUnitsField, money
from integration.domain.errors import Refused
from integration.domain.history import HistoryEntry
from integration.domain.identifiers import (
    BuyerId,
    InvoiceNumber,
    OrderNumber,
    PaymentId,
    PaymentMethodId,
    RefundId,
    sibling,
)
from integration.domain.money import Money
from integration.domain.states import IGNORE, REFUSE, StateTable


class AmountMismatch(Refused):
    """What was paid is not what the invoice says."""


class MoreThanIsLeft(Refused):
    """No more can be given back than was paid and not given back yet."""


class History(HistoryEntry):
    """Every domain event of billing."""


def _by_state(states: type[models.TextChoices]) -> Any:
    def row(*answers: Any) -> dict[str, Any]:
        return dict(zip((state.value for state in states), answers, strict=True))

    return row


class InvoiceStatus(models.TextChoices):
    """How far an invoice has come."""

    OPEN = "open"
    PAID = "paid"
    REFUNDED = "refunded"
    VOID = "void"


OPEN, PAID, REFUNDED, VOID = (status.value for status in InvoiceStatus)
_row = _by_state(InvoiceStatus)

INVOICE_LIFE = StateTable(
    InvoiceStatus,
    {
        # message              open    paid      refunded  void
        "ask_for_money":  _row(OPEN,   IGNORE,   IGNORE,   IGNORE),
        "be_paid":        _row(PAID,   IGNORE,   IGNORE,   VOID),
        "be_called_off":  _row(VOID,   PAID,     IGNORE,   IGNORE),
        "be_refunded":    _row(REFUSE, REFUNDED, REFUSE,   VOID),
    },
)  # fmt: skip


class Invoice(OfOneStory):
    """What the payer owes for one order."""

    stream = "invoice"
    parts: ClassVar = {"lines": "line_rows"}
    life = INVOICE_LIFE
    lines: "list[InvoiceLine]"

    number = models.CharField(max_length=20, primary_key=True)
    order = models.CharField(max_length=20, unique=True)
    payer = models.CharField(max_length=40, db_index=True)
    payment_method = models.CharField(max_length=80)
    status = models.CharField(max_length=10, choices=InvoiceStatus, default=InvoiceStatus.OPEN, db_index=True)
    currency = CurrencyField()
    discount_minor = MinorUnitsField()
    total_minor = MinorUnitsField()
    paid_minor = MinorUnitsField(default=0)
    refund_owed_minor = MinorUnitsField(default=0)
    refunded_minor = MinorUnitsField(default=0)
    refund_count = models.PositiveSmallIntegerField(default=0)
    discount, total, paid = money("discount_minor"), money("total_minor"), money("paid_minor")
    refund_owed, refunded = money("refund_owed_minor"), money("refunded_minor")

    class Meta:
        ordering: ClassVar = ["-created_at"]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(
                    refunded_minor__gte=0,
                    refunded_minor__lte=F("refund_owed_minor"),
                    refund_owed_minor__lte=F("paid_minor"),
                ),
                name="refunded_at_most_owed_at_most_paid",
            ),
            models.CheckConstraint(condition=Q(paid_minor__in=[0, F("total_minor")]), name="paid_in_full_or_not"),
        ]

    def __str__(self) -> str:
        return f"invoice {self.number}"

    @classmethod
    def issue(
        cls,
        order: OrderNumber,
        *,
        payer: BuyerId,
        payment_method: PaymentMethodId,
        lines: Sequence[InvoicedLine],
        discount: Money,
        total: Money,
    ) -> Self:
        """An order's invoice, open."""
        invoice = cls()
        invoice.record(
            events.InvoiceIssued(
                invoice=invoice_of(order),
                order=order,
                payer=payer,
                payment_method=payment_method,
                lines=tuple(lines),
                discount=discount,
                total=total,
            )
        )
        return invoice

    @property
    def _ids(self) -> tuple[InvoiceNumber, OrderNumber]:
        return InvoiceNumber(self.number), OrderNumber(self.order)

    def be_paid(self, payment: PaymentId, amount: Money) -> None:
        """Its money came in; if it is void by now, all of that is owed back. Raises `AmountMismatch`."""
        if not self.accepts("be_paid") or self.paid:
            return
        self.require(amount == self.total, AmountMismatch)
        if self.status == OPEN:
            self.record(events.InvoicePaid(*self._ids, payment, amount))
        else:
            self.record(events.VoidInvoicePaid(*self._ids, payment, amount))
            self.owe_back(amount, payment, "paid after the order was cancelled")

    def be_called_off(self, reason: str) -> None:
        """Its order is cancelled: nothing is owed any more, and what was paid is owed back."""
        if not self.accepts("be_called_off"):
            return
        if self.status == OPEN:
            self.record(events.InvoiceVoided(*self._ids))
        elif self.paid > self.refund_owed:
            self.owe_back(self.paid - self.refund_owed, payment_of(OrderNumber(self.order)), reason)

    def owe_back(self, amount: Money, payment: PaymentId, reason: str) -> None:
        """Have some of what was paid given back; raises `MoreThanIsLeft`."""
        self.require(Money.zero(self.currency) < amount <= self.paid - self.refund_owed, MoreThanIsLeft)
        refund = RefundId(sibling("F", OrderNumber(self.order), self.refund_count + 1))
        self.record(events.InvoiceRefundOwed(*self._ids, refund, payment, amount, reason))

    def be_refunded(self, refund: RefundId, amount: Money) -> None:
        """Some of what was paid was given back; once it is all, the invoice is refunded."""
        if self.accepts("be_refunded"):
            self.record(events.InvoiceRefunded(*self._ids, refund, amount, self.refunded + amount))

    @applies(events.InvoiceIssued)
    def _issued(self, event: events.InvoiceIssued) -> None:
        self.number, self.order, self.payer = event.invoice, event.order, event.payer
        self.payment_method, self.currency = event.payment_method, event.total.currency
        self.discount, self.total = event.discount, event.total
        self.lines = [
            InvoiceLine(
                invoice=self,
                sku=line.sku,
                name=line.name,
                quantity=line.quantity,
                currency=line.unit_price.currency,
                unit_price_minor=line.unit_price.minor,
            )
            for line in event.lines
        ]

    @applies(events.InvoicePaid)
    def _paid(self, event: events.InvoicePaid) -> None:
        self.status, self.paid = InvoiceStatus.PAID, event.amount

    @applies(events.VoidInvoicePaid)
    def _void_paid(self, event: events.VoidInvoicePaid) -> None:
        self.paid = event.amount

    @applies(events.InvoiceVoided)
    def _voided(self, event: events.InvoiceVoided) -> None:
        self.status = InvoiceStatus.VOID

    @applies(events.InvoiceRefundOwed)
    def _refund_owed(self, event: events.InvoiceRefundOwed) -> None:
        self.refund_owed += event.amount
        self.refund_count += 1

    @applies(events.InvoiceRefunded)
    def _refunded(self, event: events.InvoiceRefunded) -> None:
        self.refunded = event.refunded
        if self.status == PAID and self.refunded == self.paid:
            self.status = InvoiceStatus.REFUNDED


class InvoiceLine(Part):
    """So many of one sku on an invoice."""

    invoice = models.ForeignKey(Invoice, on_delete=models.CASCADE, related_name="line_rows")
    sku = models.CharField(max_length=40)
    name = models.CharField(max_length=200)
    quantity = models.PositiveIntegerField()
    currency = CurrencyField()
    unit_price_minor = MinorUnitsField()
    unit_price = money("unit_price_minor")

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["invoice", "sku"], name="one_invoice_line_a_sku"),
            models.CheckConstraint(condition=Q(quantity__gte=1), name="invoice_line_of_something"),
        ]

    def __str__(self) -> str:
        return f"{self.quantity} × {self.sku}"


class PaymentStatus(models.TextChoices):
    """How far a payment has come."""

    REQUESTED = "requested"
    UNKNOWN = "unknown"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    ABANDONED = "abandoned"


REQUESTED, UNKNOWN, SUCCEEDED, FAILED, ABANDONED = (status.value for status in PaymentStatus)
_row = _by_state(PaymentStatus)

PAYMENT_LIFE = StateTable(
    PaymentStatus,
    {
        # message             requested  unknown    succeeded  failed     abandoned
        # The provider has the last word: money it says it took was taken, whatever we thought.
        "succeed":      _row(SUCCEEDED,  SUCCEEDED, IGNORE,    SUCCEEDED, SUCCEEDED),
        "fail":         _row(FAILED,     FAILED,    IGNORE,    IGNORE,    IGNORE),
        "lose_outcome": _row(UNKNOWN,    IGNORE,    IGNORE,    IGNORE,    IGNORE),
        "abandon":      _row(ABANDONED,  ABANDONED, IGNORE,    IGNORE,    IGNORE),
    },
)  # fmt: skip


class Payment(OfOneStory):
    """One attempt to collect an invoice's money."""

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

    class Meta:
        ordering: ClassVar = ["-created_at"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["invoice"], condition=Q(status="succeeded"), name="one_successful_payment_an_invoice"
            ),
            models.CheckConstraint(condition=~Q(status="succeeded") | ~Q(reference=""), name="success_has_a_reference"),
        ]

    def __str__(self) -> str:
        return f"payment {self.id}"

    @classmethod
    def request(cls, invoice: Invoice) -> Self:
        """Ask for an invoice's money."""
        payment = cls()
        payment.record(
            events.PaymentRequested(
                payment=payment_of(OrderNumber(invoice.order)),
                invoice=InvoiceNumber(invoice.number),
                order=OrderNumber(invoice.order),
                amount=invoice.total,
                method=PaymentMethodId(invoice.payment_method),
            )
        )
        return payment

    def succeed(self, reference: str) -> None:
        """The provider took the money."""
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
        """The provider will not take the money."""
        if self.accepts("fail"):
            self.record(events.PaymentFailed(PaymentId(self.id), OrderNumber(self.order), reason))

    def lose_outcome(self) -> None:
        """The line to the provider was cut."""
        if self.accepts("lose_outcome"):
            self.record(events.PaymentOutcomeLost(PaymentId(self.id), OrderNumber(self.order)))

    def abandon(self) -> None:
        """The money is no longer wanted, and the provider never took it."""
        if self.accepts("abandon"):
            self.record(events.PaymentAbandoned(PaymentId(self.id), OrderNumber(self.order)))

    @applies(events.PaymentRequested)
    def _requested(self, event: events.PaymentRequested) -> None:
        self.id, self.invoice_id, self.order = event.payment, event.invoice, event.order
        self.method, self.currency, self.amount = event.method, event.amount.currency, event.amount

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


class RefundStatus(models.TextChoices):
    """How far a refund has come."""

    REQUESTED = "requested"
    ISSUED = "issued"


_row = _by_state(RefundStatus)

REFUND_LIFE = StateTable(
    RefundStatus,
    {
        # message             requested  issued
        "be_issued": _row(RefundStatus.ISSUED.value, IGNORE),
    },
)  # fmt: skip


class Refund(OfOneStory):
    """Money given back for an invoice."""

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

    class Meta:
        ordering: ClassVar = ["-created_at"]
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(amount_minor__gt=0), name="refund_of_something"),
            models.CheckConstraint(condition=~Q(status="issued") | ~Q(reference=""), name="refund_has_a_reference"),
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
        """Have money given back."""
        requested = cls()
        requested.record(events.RefundRequested(refund, invoice, payment, order, amount, reason))
        return requested

    def be_issued(self, reference: str) -> None:
        """The provider gave the money back."""
        if self.accepts("be_issued"):
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
        self.reason = event.reason

    @applies(events.RefundIssued)
    def _issued(self, event: events.RefundIssued) -> None:
        self.status, self.reference = RefundStatus.ISSUED, event.reference


class ProviderEvent(models.Model):
    """A call-back of a payment provider that was acted upon; the provider may send it any number of times."""

    id = models.CharField(max_length=120, primary_key=True)
    provider = models.CharField(max_length=20)
    kind = models.CharField(max_length=40)
    received_at = models.DateTimeField()

    class Meta:
        ordering: ClassVar = ["-received_at"]

    def __str__(self) -> str:
        return f"{self.kind} {self.id}"


class Discrepancy(models.Model):
    """Our books and the provider's differ in a way no program may mend: somebody has to look at it."""

    subject = models.CharField(max_length=80, primary_key=True)
    finding = models.CharField(max_length=300)
    found_at = models.DateTimeField()
    settled_at = models.DateTimeField(null=True, blank=True)
    settlement = models.CharField(max_length=300, blank=True)

    class Meta:
        ordering: ClassVar = ["-found_at"]
        verbose_name_plural = "discrepancies"
        indexes: ClassVar = [
            models.Index(fields=["found_at"], name="open_discrepancies", condition=Q(settled_at__isnull=True))
        ]

    def __str__(self) -> str:
        return f"{self.subject}: {self.finding}"


def invoice_of(order: OrderNumber) -> InvoiceNumber:
    """The number of an order's one invoice."""
    return InvoiceNumber(sibling("I", order))


def payment_of(order: OrderNumber) -> PaymentId:
    """The identifier of an order's one payment."""
    return PaymentId(sibling("P", order, 1))
