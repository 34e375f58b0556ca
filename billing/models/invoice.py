"""An invoice states what is owed for one order. At most what was paid can be refunded."""

from collections.abc import Sequence
from typing import ClassVar, Self

from django.db import models
from django.db.models import F, Q

from billing import events
from billing.events import InvoicedLine, InvoicedTax
from billing.models.invoice_captures import AmountMismatch as AmountMismatch
from billing.models.invoice_disputes import DisputableInvoice
from billing.models.invoice_line import THOUSANDTHS, InvoiceLine
from billing.models.invoice_refunds import InvoiceStatus
from billing.models.numbers import INVOICES, invoice_of, numbered
from integration.aggregates.aggregate import applies
from integration.domain import clock
from integration.domain.identifiers import (
    BuyerId,
    OrderNumber,
    PaymentId,
    PaymentMethodId,
)
from integration.domain.money import Money
from integration.domain.plain_prices import plain_totals
from integration.domain.states import IGNORE, NOT_YET, REFUSE, STAY, StateTable, by_state

OPEN, PAID, REFUNDED, VOID, AUTHORIZED = (status.value for status in InvoiceStatus)
_row = by_state(InvoiceStatus)

INVOICE_LIFE = StateTable(
    InvoiceStatus,
    {
        # message                      open        paid      refunded void    authorized
        "request_payment":        _row(STAY,       IGNORE,   IGNORE,  IGNORE, IGNORE),
        "settle_without_payment": _row(PAID,       IGNORE,   IGNORE,  IGNORE, IGNORE),
        "settle":                 _row(PAID,       STAY,     STAY,    STAY,   STAY),
        "void":                   _row(VOID,       STAY,     IGNORE,  IGNORE, VOID),
        "void_in_part":           _row(IGNORE,     STAY,     IGNORE,  IGNORE, STAY),
        "refund_in_part":         _row(REFUSE,     STAY,     REFUSE,  REFUSE, STAY),
        "refund_units":           _row(NOT_YET,    STAY,     STAY,    IGNORE, STAY),
        "record_refund":          _row(REFUSE,     REFUNDED, REFUSE,  STAY,   STAY),
        "take_back_refund":       _row(REFUSE,     STAY,     PAID,    STAY,   STAY),
        # What is authorized is captured as goods leave, and what is cancelled before never is.
        "authorize":              _row(AUTHORIZED, IGNORE,   IGNORE,  STAY,   IGNORE),
        "capture":                _row(NOT_YET,    IGNORE,   IGNORE,  IGNORE, STAY),
        "record_capture":         _row(REFUSE,     STAY,     STAY,    STAY,   STAY),
        "fail_capture":           _row(REFUSE,     IGNORE,   IGNORE,  IGNORE, STAY),
        "complete_capture":       _row(IGNORE,     IGNORE,   IGNORE,  IGNORE, PAID),
        "lapse":                  _row(IGNORE,     IGNORE,   IGNORE,  IGNORE, STAY),
        "assign_number":          _row(IGNORE,     STAY,     STAY,    STAY,   STAY),
        "retry_payment":          _row(STAY,       IGNORE,   IGNORE,  IGNORE, IGNORE),
        "return_surplus":         _row(REFUSE,     STAY,     STAY,    STAY,   STAY),
        "take_back_surplus":      _row(REFUSE,     STAY,     STAY,    STAY,   STAY),
    },
)  # fmt: skip


class Invoice(DisputableInvoice):
    """What the payer owes for one order."""

    stream = "invoice"
    parts: ClassVar = {"lines": "line_rows"}
    life = INVOICE_LIFE

    payer = models.CharField(max_length=40, db_index=True)
    payment_method = models.CharField(max_length=80)
    status = models.CharField(max_length=10, choices=InvoiceStatus, default=InvoiceStatus.OPEN, db_index=True)

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
                condition=Q(granted_minor__gte=0)
                & (
                    Q(granted_minor__lte=F("refund_owed_minor"))
                    | Q(granted_minor__lte=F("refund_owed_minor") + F("released_minor"), released_minor__isnull=False)
                ),
                name="granted_at_most_owed_back_or_released",
            ),
            models.CheckConstraint(
                condition=Q(paid_minor__in=[0, F("total_minor")])
                | Q(
                    authorized_minor__isnull=False,
                    paid_minor__gte=0,
                    released_minor__gte=0,
                    capturing_minor__gte=0,
                    authorized_minor__gte=F("paid_minor") + F("released_minor") + F("capturing_minor"),
                ),
                name="captured_at_most_authorized",
            ),
            models.UniqueConstraint(fields=["position"], name="one_invoice_a_number", condition=Q(position__gte=1)),
        ]

        indexes: ClassVar = [
            models.Index(
                fields=["number"],
                name="invoices_lacking_credit_notes",
                condition=Q(documented=True) & ~Q(noted_minor=F("refund_owed_minor")),
            ),
            models.Index(fields=["updated_at"], name="invoices_to_number", condition=Q(position=0)),
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
        taxes: Sequence[InvoicedTax] = (),
        prices_include_tax: bool | None = None,
    ) -> Self:
        """A new, open invoice for an order; its taxes are not known if `prices_include_tax` is None."""
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
                taxes=tuple(taxes),
                prices_include_tax=prices_include_tax,
            )
        )
        return invoice

    def settle_without_payment(self) -> None:
        """Settle the invoice of an order that costs nothing; raises `AmountMismatch`."""
        if self.accepts("settle_without_payment"):
            self.require(not self.total, AmountMismatch)
            self.record(events.InvoiceSettledWithoutPayment(**self._ids))

    def settle(self, payment: PaymentId, amount: Money) -> None:
        """Record a payment, once. If the invoice is void, or paid by another payment, owe a refund of the whole.

        Raises `AmountMismatch`.
        """
        if not self.accepts("settle") or (self.paid and payment == self.paying):
            return
        self.require(amount == self.total, AmountMismatch)
        if self.paid or self.status == AUTHORIZED:
            self.receive_surplus(payment, amount)
        elif self.status == OPEN:
            self.record(events.InvoicePaid(**self._ids, payment=payment, amount=amount, documented=True))
        else:
            self.record(events.VoidInvoicePaid(**self._ids, payment=payment, amount=amount))
            self.owe_refund(amount, payment, "paid after the order was cancelled")

    def retry_payment(self, method: PaymentMethodId, attempt: int) -> bool:
        """Request another payment, with another method, unless it was requested before; returns whether it was not.

        Args:
            method: how the buyer wants to pay now.
            attempt: the ordinal of the payment, from 1.
        """
        if not self.accepts("retry_payment") or attempt <= self.attempts:
            return False
        self.record(events.InvoicePaymentRetried(**self._ids, method=method, attempt=attempt))
        return True

    def void(self, reason: str, shipping_withheld: Money | None = None) -> None:
        """Void an unpaid invoice because its order was cancelled; for a paid one, owe a refund of what is left.

        Args:
            shipping_withheld: what the shop keeps of what was paid for shipping.
        """
        if not self.accepts("void_in_part" if self.paid else "void"):
            return
        if self.status == AUTHORIZED:
            self._void_authorization(reason)
            return
        if self.status == OPEN:
            self.record(events.InvoiceVoided(**self._ids))
            return
        if shipping_withheld:
            self.withhold_shipping(shipping_withheld, reason)
        if left := self.paid - self.refund_owed - self.withheld:
            self.credit_the_rest(left, reason)
            self.owe_refund(left, self.paying, reason)

    def assign_number(self, position: int) -> None:
        """Give the invoice its place in its series, once; this is its date of issue."""
        if self.accepts("assign_number") and self.position == 0:
            number = numbered(INVOICES, position)
            self.record(events.InvoiceNumbered(**self._ids, number=number, position=position, issued_at=clock.now()))

    def _void_authorization(self, reason: str) -> None:
        """Never capture what is left; refund what is captured. If nothing is, the invoice is void."""
        amount = self.creditable - self.withheld
        released = self.to_release(amount, has_left=False)
        payment = self.paying
        self.credit_the_rest(amount, reason)
        self.release(released, {})
        if not self.paid:
            self.record(events.InvoiceVoided(**self._ids))
            return
        if amount - released:
            self.owe_refund(amount - released, payment, reason)
        self.complete_capture(payment)

    def change_payer(self, payer: BuyerId) -> None:
        """Become the invoice of another buyer, who took over its order; do nothing if it is theirs."""
        if payer != self.payer:
            self.record(events.InvoicePayerChanged(**self._ids, payer=payer))

    def anonymize(self) -> None:
        """Remove the payment method, because the payer was erased."""
        if self.payment_method:
            self.record(events.InvoiceAnonymized(**self._ids))

    @applies(events.InvoiceIssued)
    def _issued(self, event: events.InvoiceIssued) -> None:
        self.number, self.order, self.payer = event.invoice, event.order, event.payer
        self.payment_method, self.currency = event.payment_method, event.total.currency
        self.discount, self.shipping, self.total = event.discount, event.shipping, event.total
        if event.prices_include_tax is not None:
            self.prices_include_tax = event.prices_include_tax
            self.taxes = {str(tax.rate): tax.amount.minor for tax in event.taxes}
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
                tax_minor=line.tax.minor if line.tax else None,
                tax_rate_thousandths=int(line.tax_rate * THOUSANDTHS) if line.tax and line.tax_rate else None,
            )
            for line in event.lines
        ]

    @applies(events.InvoicePaid)
    def _paid(self, event: events.InvoicePaid) -> None:
        self.status = InvoiceStatus.PAID
        self._settled(event)
        self.documented = event.documented or bool(event.document)
        self.position = 0 if event.documented else None

    @applies(events.InvoiceNumbered)
    def _numbered(self, event: events.InvoiceNumbered) -> None:
        self.position, self.issued_at = event.position, event.issued_at

    @applies(events.InvoiceSettledWithoutPayment)
    def _settled_without_payment(self, event: events.InvoiceSettledWithoutPayment) -> None:
        self.status = InvoiceStatus.PAID

    @applies(events.VoidInvoicePaid)
    def _void_paid(self, event: events.VoidInvoicePaid) -> None:
        self._settled(event)

    def _settled(self, event: events.InvoicePaid | events.VoidInvoicePaid) -> None:
        self.paid = event.amount
        self.settle_by(event.payment)

    @applies(events.InvoicePaymentRetried)
    def _payment_retried(self, event: events.InvoicePaymentRetried) -> None:
        self.attempts, self.payment_method = event.attempt, event.method

    @applies(events.InvoiceVoided)
    def _voided(self, event: events.InvoiceVoided) -> None:
        self.status = InvoiceStatus.VOID

    @applies(events.InvoicePayerChanged)
    def _payer_changed(self, event: events.InvoicePayerChanged) -> None:
        self.payer = event.payer

    @applies(events.InvoiceAnonymized)
    def _anonymized(self, event: events.InvoiceAnonymized) -> None:
        self.payment_method = ""
