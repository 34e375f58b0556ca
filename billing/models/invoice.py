"""An invoice states what is owed for one order. At most what was paid can be refunded."""

from collections.abc import Sequence
from typing import Any, ClassVar, Self

from django.db import models
from django.db.models import F, Q

from billing import events
from billing.events import InvoicedLine
from billing.models.numbers import invoice_of, payment_of
from integration.aggregates.aggregate import OfOneStory, Part, applies
from integration.domain.errors import Refused
from integration.domain.identifiers import (
    BuyerId,
    InvoiceNumber,
    OrderNumber,
    PaymentId,
    PaymentMethodId,
    RefundId,
    Sku,
    sibling,
)
from integration.domain.money import Money
from integration.domain.plain_prices import plain_totals
from integration.domain.states import IGNORE, REFUSE, STAY, StateTable, by_state
from integration.storage.columns import CurrencyField, MinorUnitsField, money


class AmountMismatch(Refused):
    """The amount paid is not the amount that was due."""


class MoreThanIsLeft(Refused):
    """A refund must be more than zero, and at most what was paid and is not refunded yet."""


class InvoiceStatus(models.TextChoices):
    """The states of an invoice."""

    OPEN = "open"
    PAID = "paid"
    REFUNDED = "refunded"
    VOID = "void"


OPEN, PAID, REFUNDED, VOID = (status.value for status in InvoiceStatus)
_row = by_state(InvoiceStatus)

INVOICE_LIFE = StateTable(
    InvoiceStatus,
    {
        # message                      open    paid      refunded void
        "request_payment":        _row(STAY,   IGNORE,   IGNORE,  IGNORE),
        "settle_without_payment": _row(PAID,   IGNORE,   IGNORE,  IGNORE),
        "settle":                 _row(PAID,   IGNORE,   IGNORE,  STAY),
        "void":                   _row(VOID,   STAY,     IGNORE,  IGNORE),
        "refund_in_part":         _row(REFUSE, STAY,     REFUSE,  REFUSE),
        "record_refund":          _row(REFUSE, REFUNDED, REFUSE,  STAY),
    },
)  # fmt: skip


class Invoice(OfOneStory):
    """What the payer owes for one order.

    Each amount is stored in minor units of `currency`:

    * `shipping`: what is due for shipping, with its tax.
    * `total`: what is due for the lines and for shipping, after `discount`.
    * `paid`: what the payment brought, zero or `total`.
    * `refund_owed`: the sum of all refunds, whether they are issued yet or not.
    * `granted`: the part of `refund_owed` that operators granted without a cancellation.
    * `refunded`: the sum of the issued refunds.
    """

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
    shipping_minor = MinorUnitsField(default=0, db_default=0)
    total_minor = MinorUnitsField()
    paid_minor = MinorUnitsField(default=0)
    granted_minor = MinorUnitsField(default=0)
    refund_owed_minor = MinorUnitsField(default=0)
    refunded_minor = MinorUnitsField(default=0)
    refund_count = models.PositiveSmallIntegerField(default=0)
    discount, shipping, total = money("discount_minor"), money("shipping_minor"), money("total_minor")
    paid = money("paid_minor")
    granted, refund_owed, refunded = money("granted_minor"), money("refund_owed_minor"), money("refunded_minor")

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
            models.CheckConstraint(
                condition=Q(granted_minor__gte=0, granted_minor__lte=F("refund_owed_minor")),
                name="granted_at_most_owed_back",
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
        shipping: Money,
        total: Money,
    ) -> Self:
        """A new, open invoice for an order."""
        invoice = cls()
        invoice.record(
            events.InvoiceIssued(
                invoice=invoice_of(order),
                order=order,
                payer=payer,
                payment_method=payment_method,
                lines=tuple(lines),
                discount=discount,
                shipping=shipping,
                total=total,
            )
        )
        return invoice

    @property
    def _ids(self) -> dict[str, Any]:
        return {"invoice": InvoiceNumber(self.number), "order": OrderNumber(self.order)}

    def settle_without_payment(self) -> None:
        """Settle the invoice of an order that costs nothing; raises `AmountMismatch`."""
        if self.accepts("settle_without_payment"):
            self.require(not self.total, AmountMismatch)
            self.record(events.InvoiceSettledWithoutPayment(**self._ids))

    def settle(self, payment: PaymentId, amount: Money) -> None:
        """Record the payment, once; if the invoice is void, owe a refund of the whole. Raises `AmountMismatch`."""
        if not self.accepts("settle") or self.paid:
            return
        self.require(amount == self.total, AmountMismatch)
        if self.status == OPEN:
            self.record(events.InvoicePaid(**self._ids, payment=payment, amount=amount))
        else:
            self.record(events.VoidInvoicePaid(**self._ids, payment=payment, amount=amount))
            self.owe_refund(amount, payment, "paid after the order was cancelled")

    def void(self, reason: str) -> None:
        """Void an unpaid invoice because its order was cancelled; for a paid one, owe a refund of what is left."""
        if not self.accepts("void"):
            return
        if self.status == OPEN:
            self.record(events.InvoiceVoided(**self._ids))
        elif self.paid > self.refund_owed:
            self.owe_refund(self.paid - self.refund_owed, payment_of(OrderNumber(self.order)), reason)

    def refund_in_part(self, amount: Money, reason: str) -> None:
        """Grant a refund of a part of what was paid, by an operator's decision and without a cancellation.

        Raises:
            MoreThanIsLeft: the amount is not positive, or more than what was paid and is not owed back yet.
            NotAllowed: the invoice is not paid, or is refunded in full.
        """
        if self.accepts("refund_in_part"):
            self._require_left(amount)
            self.record(events.InvoiceRefundGranted(**self._ids, amount=amount, reason=reason))
            self.owe_refund(amount, payment_of(OrderNumber(self.order)), reason)

    def owe_refund(self, amount: Money, payment: PaymentId, reason: str) -> None:
        """Owe a refund of a part or all of what was paid; raises `MoreThanIsLeft`."""
        self._require_left(amount)
        refund = RefundId(sibling("F", OrderNumber(self.order), self.refund_count + 1))
        self.record(events.InvoiceRefundOwed(**self._ids, refund=refund, payment=payment, amount=amount, reason=reason))

    def record_refund(self, refund: RefundId, amount: Money) -> None:
        """Record an issued refund; once all that was paid is refunded, the invoice becomes `refunded`."""
        if self.accepts("record_refund"):
            self.record(
                events.InvoiceRefunded(**self._ids, refund=refund, amount=amount, refunded=self.refunded + amount)
            )

    def anonymize(self) -> None:
        """Remove the payment method, because the payer was erased."""
        if self.payment_method:
            self.record(events.InvoiceAnonymized(**self._ids))

    def _require_left(self, amount: Money) -> None:
        self.require(Money.zero(self.currency) < amount <= self.paid - self.refund_owed, MoreThanIsLeft)

    def line_totals(self) -> dict[Sku, Money]:
        """Return what is due for each line, by SKU. With `shipping` they add up to `total`."""
        plain = plain_totals(self.discount, [line.unit_price * line.quantity for line in self.lines])
        pairs = zip(self.lines, plain, strict=True)
        return {Sku(line.sku): total if line.total_minor is None else line.total for line, total in pairs}

    @applies(events.InvoiceIssued)
    def _issued(self, event: events.InvoiceIssued) -> None:
        self.number, self.order, self.payer = event.invoice, event.order, event.payer
        self.payment_method, self.currency = event.payment_method, event.total.currency
        self.discount, self.shipping, self.total = event.discount, event.shipping, event.total
        plain = plain_totals(event.discount, [line.unit_price * line.quantity for line in event.lines])
        is_plain = plain == [line.total for line in event.lines]
        self.lines = [
            InvoiceLine.of(
                self,
                sku=line.sku,
                name=line.name,
                quantity=line.quantity,
                currency=line.unit_price.currency,
                unit_price_minor=line.unit_price.minor,
                total_minor=None if is_plain else line.total.minor,
            )
            for line in event.lines
        ]

    @applies(events.InvoicePaid)
    def _paid(self, event: events.InvoicePaid) -> None:
        self.status, self.paid = InvoiceStatus.PAID, event.amount

    @applies(events.InvoiceSettledWithoutPayment)
    def _settled_without_payment(self, event: events.InvoiceSettledWithoutPayment) -> None:
        self.status = InvoiceStatus.PAID

    @applies(events.VoidInvoicePaid)
    def _void_paid(self, event: events.VoidInvoicePaid) -> None:
        self.paid = event.amount

    @applies(events.InvoiceVoided)
    def _voided(self, event: events.InvoiceVoided) -> None:
        self.status = InvoiceStatus.VOID

    @applies(events.InvoiceRefundGranted)
    def _refund_granted(self, event: events.InvoiceRefundGranted) -> None:
        self.granted += event.amount

    @applies(events.InvoiceRefundOwed)
    def _refund_owed(self, event: events.InvoiceRefundOwed) -> None:
        self.refund_owed += event.amount
        self.refund_count += 1

    @applies(events.InvoiceRefunded)
    def _refunded(self, event: events.InvoiceRefunded) -> None:
        self.refunded = event.refunded
        if self.status == PAID and self.refunded == self.paid:
            self.status = InvoiceStatus.REFUNDED

    @applies(events.InvoiceAnonymized)
    def _anonymized(self, event: events.InvoiceAnonymized) -> None:
        self.payment_method = ""


class InvoiceLine(Part):
    """One line of an invoice: a quantity of one SKU, at a unit price.

    `total_minor` is empty if the total is the subtotal less a share of the invoice's discount, as it is in all rows of
    older code. `Invoice.line_totals` knows it.
    """

    invoice = models.ForeignKey(Invoice, on_delete=models.CASCADE, related_name="line_rows", db_index=False)
    sku = models.CharField(max_length=40)
    name = models.CharField(max_length=200)
    quantity = models.PositiveIntegerField()
    currency = CurrencyField()
    unit_price_minor = MinorUnitsField()
    unit_price = money("unit_price_minor")
    total_minor = MinorUnitsField(null=True)
    total = money("total_minor")

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["invoice", "sku"], name="one_invoice_line_a_sku"),
            models.CheckConstraint(condition=Q(quantity__gte=1), name="invoice_line_of_something"),
        ]

    def __str__(self) -> str:
        return f"{self.quantity} × {self.sku}"
