"""The amounts of an invoice: what was due, paid, credited and refunded, and the tax in it."""

from decimal import Decimal
from typing import Any

from django.db import models

from billing.events import InvoicedTax
from billing.models.invoice_line import InvoiceLine
from billing.models.numbers import INVOICES, numbered, payment_of
from integration.aggregates.aggregate import OfOneStory
from integration.domain.identifiers import InvoiceNumber, OrderNumber, PaymentId, Sku
from integration.domain.money import Money
from integration.domain.plain_prices import plain_totals
from integration.storage.columns import CurrencyField, MinorUnitsField, money


class InvoiceStatus(models.TextChoices):
    """The states of an invoice."""

    OPEN = "open"
    PAID = "paid"
    REFUNDED = "refunded"
    VOID = "void"
    AUTHORIZED = "authorized"


class InvoiceAmounts(OfOneStory):
    """What an invoice says, as amounts.

    Each amount is stored in minor units of `currency`:

    * `shipping`: what is due for shipping, with its tax.
    * `total`: what is due for the lines and for shipping, after `discount`.
    * `paid`: what the payment brought: zero or `total`, or what is captured by now if it was authorized first.
    * `refund_owed`: the sum of all refunds, whether they are issued yet or not.
    * `granted`: the part of `refund_owed` by which the order owes less, although it is not cancelled: operators granted
      it, or some units were cancelled, came back or were lost.
    * `refunded`: the sum of the issued refunds.
    * `noted`: the sum of all credit notes, whether they have a number yet or not.
    * `withdrawn`: what disputes took away and did not return; `disputed` is the part of those that are open.
    * `withheld`: what the shop keeps of what returned units cost.
    * `surplus`: what payments brought after the one that settled the invoice, and is not refunded yet.

    `attempts` counts the payments that were requested. `settled_by` is the payment that settled the invoice, if it is
    not the first.

    `documented` says whether its documents have numbers without gaps. If so, `position` is its place in the series
    `SI`: 0 until it gets one, and empty if a `Document` of older code has its number. `issued_at` is the date of issue.
    """

    lines: "list[InvoiceLine]"

    number = models.CharField(max_length=20, primary_key=True)
    order = models.CharField(max_length=20, unique=True)
    currency = CurrencyField()
    discount_minor = MinorUnitsField()
    shipping_minor = MinorUnitsField(default=0, db_default=0)
    total_minor = MinorUnitsField()
    paid_minor = MinorUnitsField(default=0)
    granted_minor = MinorUnitsField(default=0)
    refund_owed_minor = MinorUnitsField(default=0)
    refunded_minor = MinorUnitsField(default=0)
    withheld_minor = MinorUnitsField(default=0, db_default=0)
    noted_minor = MinorUnitsField(default=0, db_default=0)
    note_count = models.IntegerField(default=0, db_default=0)
    documented = models.BooleanField(default=False, db_default=False)
    position = models.IntegerField(null=True)
    issued_at = models.DateTimeField(null=True)
    taxes = models.JSONField(null=True, editable=False)  # by rate, in minor units; null if they are not known
    prices_include_tax = models.BooleanField(null=True)  # null if the taxes are not known
    withdrawn_minor = MinorUnitsField(default=0, db_default=0)
    disputed_minor = MinorUnitsField(default=0, db_default=0)
    surplus_minor = MinorUnitsField(default=0, db_default=0)
    attempts = models.SmallIntegerField(default=1, db_default=1)
    settled_by = models.CharField(max_length=24, default="", db_default="", blank=True, editable=False)
    refund_count = models.PositiveSmallIntegerField(default=0)
    causes = models.JSONField(null=True, editable=False)  # the identifiers of what reduced the invoice, if anything did
    discount, shipping, total = money("discount_minor"), money("shipping_minor"), money("total_minor")
    paid = money("paid_minor")
    granted, refund_owed, refunded = money("granted_minor"), money("refund_owed_minor"), money("refunded_minor")
    withheld, noted = money("withheld_minor"), money("noted_minor")
    surplus = money("surplus_minor")
    withdrawn, disputed = money("withdrawn_minor"), money("disputed_minor")

    class Meta:
        abstract = True

    @property
    def paying(self) -> PaymentId:
        """The payment that settled the invoice; all refunds of what the order does not owe any longer are of it."""
        return PaymentId(self.settled_by or payment_of(OrderNumber(self.order)))

    def settle_by(self, payment: PaymentId) -> None:
        """Remember which payment settles the invoice."""
        self.settled_by = "" if payment == payment_of(OrderNumber(self.order)) else payment

    @property
    def current_payment(self) -> PaymentId:
        """The payment that was requested last."""
        return payment_of(OrderNumber(self.order), self.attempts)

    @property
    def printed_number(self) -> str:
        """The number without gaps in its own series; empty before it has one, and if a `Document` has it."""
        return numbered(INVOICES, self.position) if self.position else ""

    @property
    def _ids(self) -> dict[str, Any]:
        return {"invoice": InvoiceNumber(self.number), "order": OrderNumber(self.order)}

    def line_totals(self) -> dict[Sku, Money]:
        """What is due for each line, by SKU. With `shipping` they add up to `total`."""
        plain = plain_totals(self.discount, [line.subtotal for line in self.lines])
        pairs = zip(self.lines, plain, strict=True)
        return {Sku(line.sku): total if line.total_minor is None else line.total for line, total in pairs}

    def taxes_by_rate(self) -> list[InvoicedTax] | None:
        """The tax of lines and shipping by rate, without rates of zero; None if it is not known."""
        if self.taxes is None:
            return None
        return [InvoicedTax(Decimal(rate), Money.of_minor(tax, self.currency)) for rate, tax in self.taxes.items()]
