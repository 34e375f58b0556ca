"""What of an invoice is refunded: amounts and units of lines that operators grant.

Every refund is on the lines, so that refunding everything refunds what was paid.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from django.db import models
from msgspec.structs import replace

from billing import events
from billing.events import CreditedLine
from billing.models.invoice_line import (
    InvoiceLine,
    MoreThanIsLeft,
    credit_gone_units,
    credit_units,
    shipping_left,
    spread,
)
from billing.models.numbers import payment_of
from integration.aggregates.aggregate import OfOneStory, applies
from integration.domain.identifiers import (
    InvoiceNumber,
    OrderNumber,
    PaymentId,
    RefundId,
    Sku,
    sibling,
)
from integration.domain.money import Money
from integration.domain.plain_prices import plain_totals
from integration.storage.columns import CurrencyField, MinorUnitsField, money


class InvoiceStatus(models.TextChoices):
    """The states of an invoice."""

    OPEN = "open"
    PAID = "paid"
    REFUNDED = "refunded"
    VOID = "void"


class RefundableInvoice(OfOneStory):
    """The amounts of an invoice, and all that is refunded of them.

    Each amount is stored in minor units of `currency`:

    * `shipping`: what is due for shipping, with its tax.
    * `total`: what is due for the lines and for shipping, after `discount`.
    * `paid`: what the payment brought, zero or `total`.
    * `refund_owed`: the sum of all refunds, whether they are issued yet or not.
    * `granted`: the part of `refund_owed` by which the order owes less, although it is not cancelled: operators granted
      it, or some units were cancelled, came back or were lost.
    * `refunded`: the sum of the issued refunds.
    * `withheld`: what the shop keeps of what returned units cost.
    """

    lines: "list[InvoiceLine]"
    last_owed: events.InvoiceRefundOwed
    """The refund that this object, since it was loaded, came to owe last."""

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
    refund_count = models.PositiveSmallIntegerField(default=0)
    causes = models.JSONField(null=True, editable=False)  # the identifiers of what reduced the invoice, if anything did
    discount, shipping, total = money("discount_minor"), money("shipping_minor"), money("total_minor")
    paid = money("paid_minor")
    granted, refund_owed, refunded = money("granted_minor"), money("refund_owed_minor"), money("refunded_minor")
    withheld = money("withheld_minor")

    class Meta:
        abstract = True

    @property
    def _ids(self) -> dict[str, Any]:
        return {"invoice": InvoiceNumber(self.number), "order": OrderNumber(self.order)}

    def refund_in_part(self, amount: Money, reason: str) -> None:
        """Grant a refund of a part of what was paid, by an operator's decision and without a cancellation.

        Raises:
            MoreThanIsLeft: the amount is not positive, or more than what was paid and is not owed back yet.
            NotAllowed: the invoice is not paid, or is refunded in full.
        """
        if self.accepts("refund_in_part"):
            self._require_left(amount)
            left = self.paid - self.refund_owed
            self._grant(spread(self.lines, self.line_totals(), amount, left), amount, reason)

    def refund_lines(self, wanted: Mapping[Sku, int], reason: str) -> None:
        """Grant a refund of units of lines, by an operator's decision and without a cancellation.

        Args:
            wanted: the units to refund, by SKU; `credit_units` says what they pay.

        Raises:
            NotInvoiced: a SKU is not on the invoice.
            MoreThanIsLeft: fewer units are left, or nothing of what was paid for them.
            NotAllowed: the invoice is not paid, or is refunded in full.
        """
        if self.accepts("refund_in_part"):
            credited = credit_units(self.lines, self.line_totals(), wanted, self.paid - self.refund_owed)
            amount = Money.sum((line.amount for line in credited), self.currency)
            self._require_left(amount)
            self._grant(credited, amount, reason)

    def refund_units(
        self,
        cause: str,
        gone: Mapping[Sku, int],
        reason: str,
        less: Money | None = None,
        *,
        shipping_too: bool = False,
        shipping_withheld: Money | None = None,
    ) -> Money | None:
        """Owe a refund because the order no longer has these units; each cause counts once.

        Shipping is refunded, too, once the order has no units left. Nothing is refused: what was refunded before is not
        refunded again.

        Args:
            cause: the identifier of the cancellation, the receipt or the shipment.
            gone: the units by SKU.
            less: what the shop keeps, at most what the units cost.
            shipping_too: refund what was paid for shipping in any case.
            shipping_withheld: the part of shipping that is not refunded.

        Returns:
            What is refunded because of it; None if the cause counted before.

        Raises:
            NotYet: the invoice is not paid yet.
        """
        if cause in (self.causes or ()) or not self.accepts("refund_units"):
            return None
        totals, left = self.line_totals(), self.paid - self.refund_owed
        credited = credit_gone_units(self.lines, totals, gone, left)
        worth = Money.sum((line.amount for line in credited), self.currency)
        withheld = min(less or Money.zero(self.currency), worth)
        if withheld:
            shares = withheld.allocate([line.amount.minor for line in credited])
            credited = [replace(line, amount=line.amount - share) for line, share in zip(credited, shares, strict=True)]
        amount = worth - withheld
        has_nothing = all(line.units_gone + gone.get(Sku(line.sku), 0) >= line.quantity for line in self.lines)
        if has_nothing or shipping_too:
            shipping = shipping_left(self.lines, totals, left)
            surcharge = min(shipping_withheld or Money.zero(self.currency), shipping)
            amount, withheld = amount + shipping - surcharge, withheld + surcharge
        if credited:
            self.record(events.InvoiceLinesCredited(**self._ids, lines=tuple(credited)))
        reduced = events.InvoiceReduced(
            **self._ids, cause=cause, units=dict(gone), amount=amount, withheld=withheld, reason=reason
        )
        self.record(reduced)
        if amount:
            self.owe_refund(amount, payment_of(OrderNumber(self.order)), reason)
        return amount

    def withhold_shipping(self, amount: Money, reason: str) -> None:
        """Keep a part of what was paid for shipping, once, although nothing of the order is left."""
        left = self.paid - self.refund_owed - self.withheld
        withheld = min(amount, shipping_left(self.lines, self.line_totals(), left))
        if withheld and self.order not in (self.causes or ()):
            nothing = Money.zero(self.currency)
            self.record(
                events.InvoiceReduced(
                    **self._ids, cause=self.order, units={}, amount=nothing, withheld=withheld, reason=reason
                )
            )

    def line_totals(self) -> dict[Sku, Money]:
        """What is due for each line, by SKU. With `shipping` they add up to `total`."""
        plain = plain_totals(self.discount, [line.subtotal for line in self.lines])
        pairs = zip(self.lines, plain, strict=True)
        return {Sku(line.sku): total if line.total_minor is None else line.total for line, total in pairs}

    def _grant(self, credited: Sequence[CreditedLine], amount: Money, reason: str) -> None:
        self.record(events.InvoiceLinesCredited(**self._ids, lines=tuple(credited)))
        self.record(events.InvoiceRefundGranted(**self._ids, amount=amount, reason=reason))
        self.owe_refund(amount, payment_of(OrderNumber(self.order)), reason)

    def owe_refund(self, amount: Money, payment: PaymentId, reason: str) -> None:
        """Owe a refund of a part or all of what was paid; raises `MoreThanIsLeft`."""
        self._require_left(amount)
        refund = RefundId(sibling("F", OrderNumber(self.order), self.refund_count + 1))
        owed = events.InvoiceRefundOwed(**self._ids, refund=refund, payment=payment, amount=amount, reason=reason)
        self.record(owed)
        self.last_owed = owed

    def record_refund(self, refund: RefundId, amount: Money) -> None:
        """Record an issued refund; once all that was paid is refunded, the invoice becomes `refunded`."""
        if self.accepts("record_refund"):
            self.record(
                events.InvoiceRefunded(**self._ids, refund=refund, amount=amount, refunded=self.refunded + amount)
            )

    def _require_left(self, amount: Money) -> None:
        self.require(Money.zero(self.currency) < amount <= self.paid - self.refund_owed, MoreThanIsLeft)

    @applies(events.InvoiceLinesCredited)
    def _lines_credited(self, event: events.InvoiceLinesCredited) -> None:
        credits = {credit.sku: credit for credit in event.lines}
        for line in self.lines:
            if credit := credits.get(Sku(line.sku)):
                line.units_refunded += credit.quantity
                line.credited += credit.amount
                self.touch(line)

    @applies(events.InvoiceRefundGranted)
    def _refund_granted(self, event: events.InvoiceRefundGranted) -> None:
        self.granted += event.amount

    @applies(events.InvoiceReduced)
    def _reduced(self, event: events.InvoiceReduced) -> None:
        self.granted += event.amount
        self.withheld += event.withheld
        self.causes = [*(self.causes or ()), event.cause]
        for line in self.lines:
            if units := event.units.get(Sku(line.sku), 0):
                line.units_gone = min(line.units_gone + units, line.quantity)
                self.touch(line)

    @applies(events.InvoiceRefundOwed)
    def _refund_owed(self, event: events.InvoiceRefundOwed) -> None:
        self.refund_owed += event.amount
        self.refund_count += 1

    @applies(events.InvoiceRefunded)
    def _refunded(self, event: events.InvoiceRefunded) -> None:
        self.refunded = event.refunded
        if self.status == InvoiceStatus.PAID and self.refunded == self.paid:
            self.status = InvoiceStatus.REFUNDED
