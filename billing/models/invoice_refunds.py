"""What of an invoice is refunded: amounts and units of lines that operators grant.

Every refund is on the lines, so that refunding everything refunds what was paid.
"""

from collections.abc import Mapping, Sequence
from itertools import starmap

from msgspec.structs import replace

from billing import events
from billing.events import CreditedLine, CreditNoteContent, InvoicedTax
from billing.models.credit_notes import content_of, tax_between, taxes_of_shipping
from billing.models.invoice_amounts import InvoiceStatus as InvoiceStatus
from billing.models.invoice_captures import CapturableInvoice
from billing.models.invoice_line import (
    MoreThanIsLeft,
    credit_gone_units,
    credit_units,
    shipping_left,
    spread,
)
from billing.models.numbers import credit_note_of
from integration.aggregates.aggregate import applies
from integration.domain.identifiers import (
    OrderNumber,
    PaymentId,
    RefundId,
    Sku,
    sibling,
)
from integration.domain.money import Money


class RefundableInvoice(CapturableInvoice):
    """An invoice of which units and amounts can be refunded."""

    last_owed: events.InvoiceRefundOwed
    """The refund that this object, since it was loaded, came to owe last."""

    class Meta:
        abstract = True

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

    def worth_of(self, wanted: Money | Mapping[Sku, int]) -> Money:
        """What an operator's refund of an amount, or of units of lines, pays. It changes nothing.

        Raises:
            MoreThanIsLeft, NotInvoiced, NotAllowed, CurrencyMismatch: as the refund itself does.
        """
        self.accepts("refund_in_part")
        if isinstance(wanted, Money):
            amount = wanted
        else:
            credited = credit_units(self.lines, self.line_totals(), wanted, self.paid - self.refund_owed)
            amount = Money.sum((line.amount for line in credited), self.currency)
        self._require_left(amount)
        return amount

    def refund_units(
        self,
        cause: str,
        gone: Mapping[Sku, int],
        reason: str,
        less: Money | None = None,
        *,
        shipping_too: bool = False,
        shipping_withheld: Money | None = None,
        has_left: bool = True,
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
            has_left: whether the units left; what is authorized for units that did not is never captured.

        Returns:
            What is refunded because of it; None if the cause counted before.

        Raises:
            NotYet: the invoice is not paid or authorized yet, or a capture is on its way.
        """
        if cause in (self.causes or ()) or not self.accepts("refund_units"):
            return None
        totals, left = self.line_totals(), self.creditable
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
        note, released = self._credit_note(credited, amount, reason), self.to_release(amount, has_left=has_left)
        if credited:
            self.record(events.InvoiceLinesCredited(**self._ids, lines=tuple(credited)))
        reduced = events.InvoiceReduced(
            **self._ids, cause=cause, units=dict(gone), amount=amount, withheld=withheld, reason=reason
        )
        self.record(reduced)
        self._owe(note)
        payment = self.paying
        if amount - released:
            self.owe_refund(amount - released, payment, reason)
        if self.is_authorized:
            self.release(released, {} if has_left else gone)
            self.complete_capture(payment)
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

    def credit_the_rest(self, amount: Money, reason: str) -> None:
        """Owe a credit note of all that is left, because the order was cancelled."""
        totals, left = self.line_totals(), amount
        credited = []
        for line in self.lines:
            rest = min(totals[Sku(line.sku)] - line.credited, left)
            if rest:
                credited.append(CreditedLine(Sku(line.sku), line.quantity - line.units_refunded, rest))
                left -= rest
        self._owe(self._credit_note(credited, amount, reason))

    def note_the_difference(self) -> None:
        """Owe the credit note of what code that knew no credit notes reduced, without its lines."""
        amount = self.refund_owed + self.released - self.noted
        if self.documented and amount:
            taxes = [
                (tax.rate, tax_between(tax.amount, self.total, self.noted, amount))
                for tax in self.taxes_by_rate() or ()
            ]
            content = CreditNoteContent((), Money.zero(self.currency), tuple(starmap(InvoicedTax, taxes)), "")
            self._owe(self._note(amount, content))

    def _credit_note(
        self, credited: Sequence[CreditedLine], amount: Money, reason: str
    ) -> events.InvoiceCreditNoteOwed | None:
        """The credit note of a reduction; None if nothing is reduced, or the invoice is of the older series."""
        if not (self.documented and amount):
            return None
        totals, known = self.line_totals(), self.taxes_by_rate()
        before = self.shipping - shipping_left(self.lines, totals, self.creditable)
        shipping = (self.shipping, before, amount - Money.sum((line.amount for line in credited), self.currency))
        taxes = None if known is None else taxes_of_shipping(self.lines, known)
        content = content_of(self.lines, totals, credited, shipping, taxes, reason)
        return self._note(amount, content)

    def _note(self, amount: Money, content: CreditNoteContent) -> events.InvoiceCreditNoteOwed:
        document = credit_note_of(OrderNumber(self.order), self.note_count + 1)
        return events.InvoiceCreditNoteOwed(**self._ids, document=document, amount=amount, content=content)

    def _owe(self, note: events.InvoiceCreditNoteOwed | None) -> None:
        if note:
            self.record(note)

    def _grant(self, credited: Sequence[CreditedLine], amount: Money, reason: str) -> None:
        note = self._credit_note(credited, amount, reason)
        self.record(events.InvoiceLinesCredited(**self._ids, lines=tuple(credited)))
        self.record(events.InvoiceRefundGranted(**self._ids, amount=amount, reason=reason))
        self._owe(note)
        self.owe_refund(amount, self.paying, reason)

    def owe_refund(self, amount: Money, payment: PaymentId, reason: str) -> None:
        """Owe a refund of a part or all of what was paid; raises `MoreThanIsLeft`."""
        self._require_left(amount)
        owed = events.InvoiceRefundOwed(
            **self._ids, refund=self.next_refund, payment=payment, amount=amount, reason=reason
        )
        self.record(owed)
        self.last_owed = owed

    @property
    def next_refund(self) -> RefundId:
        """The identifier of the refund that is owed next."""
        return RefundId(sibling("F", OrderNumber(self.order), self.refund_count + 1))

    def record_refund(self, refund: RefundId, amount: Money) -> None:
        """Record an issued refund; once all that was paid is refunded, the invoice becomes `refunded`."""
        if self.accepts("record_refund"):
            self.record(
                events.InvoiceRefunded(
                    **self._ids,
                    refund=refund,
                    amount=amount,
                    refunded=self.refunded + amount,
                    sequence=self.version + 1,
                )
            )

    def take_back_refund(self, refund: RefundId, amount: Money) -> None:
        """Record that an issued refund failed: its money is with us again, and still owed."""
        if self.accepts("take_back_refund"):
            left = self.refunded - amount
            self.record(
                events.InvoiceRefundFailed(
                    **self._ids, refund=refund, amount=amount, refunded=left, sequence=self.version + 1
                )
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

    @applies(events.InvoiceCreditNoteOwed)
    def _credit_note_owed(self, event: events.InvoiceCreditNoteOwed) -> None:
        self.noted += event.amount
        self.note_count += 1

    @applies(events.InvoiceRefundOwed)
    def _refund_owed(self, event: events.InvoiceRefundOwed) -> None:
        self.refund_owed += event.amount
        self.refund_count += 1

    @applies(events.InvoiceRefunded)
    def _refunded(self, event: events.InvoiceRefunded) -> None:
        self.refunded = event.refunded
        if self.status == InvoiceStatus.PAID and self.refunded == self.paid:
            self.status = InvoiceStatus.REFUNDED

    @applies(events.InvoiceRefundFailed)
    def _refund_failed(self, event: events.InvoiceRefundFailed) -> None:
        self.refunded = event.refunded
        if self.status == InvoiceStatus.REFUNDED:
            self.status = InvoiceStatus.PAID
