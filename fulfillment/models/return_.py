"""A return: goods of an order that a buyer sends back.

Shipments do not change because of it. A return comes back in one or several receipts; each is settled by billing.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, ClassVar, Self

import msgspec
from django.db import models
from django.db.models import Q

from fulfillment import events
from fulfillment.events import LineToReturn, ReceivedLine
from fulfillment.models.return_line import ReturnLine
from fulfillment.models.return_policy import ReturnReason, return_terms
from fulfillment.models.return_states import (
    COLUMN_OF,
    RETURN_LIFE,
    Disposition,
    FeeNotAllowed,
    NotInReturn,
    NotThatManyExpected,
    ReturnStatus,
)
from integration.aggregates.aggregate import OfOneStory, applies
from integration.domain.identifiers import OrderNumber, ReceiptId, ReturnId, Sku, WithdrawalId
from integration.domain.money import Money
from integration.storage.columns import MinorUnitsField


class Return(OfOneStory):
    """Goods of one order that come back.

    * `send_by`: what has not come by then is not expected any more; set when the return is approved.
    * `receipts`: by receipt, the refund that billing decided in minor units; None until it has.
    * `shipping_withheld_data`: what of the shipping a full withdrawal does not refund.
    """

    stream = "return"
    parts: ClassVar = {"lines": "line_rows"}
    life = RETURN_LIFE
    lines: list[ReturnLine]

    id = models.CharField(max_length=28, primary_key=True)
    order = models.CharField(max_length=20, db_index=True)
    status = models.CharField(max_length=10, choices=ReturnStatus, default=ReturnStatus.REQUESTED, db_index=True)
    note = models.CharField("note of the buyer", max_length=500, blank=True)
    refusal = models.CharField("why it was refused", max_length=500, blank=True)
    withdrawal = models.CharField(max_length=28, blank=True)
    send_by = models.DateTimeField(null=True)
    receipts = models.JSONField(default=dict)
    currency = models.CharField(max_length=3, blank=True)
    fee_minor = MinorUnitsField(default=0)
    reduction_minor = MinorUnitsField(default=0)
    reduction_reason = models.CharField(max_length=500, blank=True)
    shipping_withheld_data = models.JSONField(null=True)

    class Meta:
        ordering: ClassVar = ["-created_at"]
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(fee_minor__gte=0, reduction_minor__gte=0), name="return_takes_no_less"),
        ]
        indexes: ClassVar = [
            models.Index(fields=["send_by"], name="returns_to_lapse", condition=Q(status__in=["approved", "received"]))
        ]

    def __str__(self) -> str:
        return f"return {self.id}"

    @classmethod
    def request(
        cls,
        id: ReturnId,
        order: OrderNumber,
        lines: Sequence[LineToReturn],
        note: str = "",
        withdrawal: WithdrawalId | None = None,
        shipping_withheld: Money | None = None,
    ) -> Self:
        """A new return, which waits for approval; the caller has checked that the goods may come back."""
        requested = cls()
        requested.record(
            events.ReturnRequested(
                return_=id,
                order=order,
                lines=tuple(lines),
                note=note,
                withdrawal=withdrawal,
                shipping_withheld=shipping_withheld,
            )
        )
        return requested

    @property
    def _ids(self) -> dict[str, Any]:
        return {"return_": ReturnId(self.id), "order": OrderNumber(self.order)}

    @property
    def quantities(self) -> dict[Sku, int]:
        """The units that the return was requested for, by SKU."""
        return {Sku(line.sku): line.quantity for line in self.lines}

    @property
    def expected(self) -> dict[Sku, int]:
        """The units that may still come, by SKU."""
        return {Sku(line.sku): line.expected for line in self.lines if line.expected}

    @property
    def shop_pays_postage(self) -> bool:
        """Whether the shop pays the postage, because it is liable for some of the goods."""
        terms = (return_terms(ReturnReason(line.reason), "", is_exempt=False) for line in self.lines)
        return any(each.shop_pays_postage for each in terms)

    @property
    def is_settled(self) -> bool:
        """Whether billing decided about everything that came."""
        return None not in self.receipts.values()

    @property
    def fee(self) -> Money | None:
        """The fees of all receipts; None before anything is settled."""
        return Money.of_minor(self.fee_minor, self.currency) if self.currency else None

    @property
    def reduction(self) -> Money | None:
        """The reductions of all receipts for diminished value; None before anything is settled."""
        return Money.of_minor(self.reduction_minor, self.currency) if self.currency else None

    @property
    def refund(self) -> Money | None:
        """What billing decided to refund so far; None before it decided anything."""
        decided = [minor for minor in self.receipts.values() if minor is not None]
        return Money.of_minor(sum(decided), self.currency) if decided else None

    @property
    def shipping_withheld(self) -> Money | None:
        """What of the shipping is not refunded; None: all of it may be."""
        return Money(**self.shipping_withheld_data) if self.shipping_withheld_data else None

    def approve(self, send_by: datetime) -> None:
        """Let the buyer send the goods; raises `NotAllowed` unless the return is `requested`."""
        if self.accepts("approve"):
            self.record(events.ReturnApproved(**self._ids, send_by=send_by))

    def refuse(self, reason: str) -> None:
        """Refuse the return; raises `NotAllowed` unless it is `requested`."""
        if self.accepts("refuse"):
            self.record(events.ReturnRefused(**self._ids, reason=reason))

    def receive(
        self,
        lines: Sequence[ReceivedLine],
        fee: Money | None = None,
        reduction: Money | None = None,
        reduction_reason: str = "",
    ) -> dict[Sku, int]:
        """Record what came back in one parcel, and what is missing in it.

        Returns:
            The missing units, by SKU: another return may have them.

        Raises:
            NotAllowed: the return is neither `approved` nor `received`.
            NotInReturn, NotThatManyExpected: the return does not expect all these lines.
            FeeNotAllowed: all that came is sent back by right.
        """
        if not self.accepts("receive"):
            return {}
        self._require_expected(lines)
        own = {line.sku: line for line in self.lines}
        came = [line for line in lines if line.disposition != Disposition.MISSING]
        self.require(not fee or any(not own[line.sku].by_right for line in came), FeeNotAllowed)
        self.record(
            events.ReturnReceived(
                **self._ids,
                receipt=ReceiptId(f"{self.id}-{len(self.receipts) + 1}"),
                lines=tuple(lines),
                fee=fee,
                reduction=reduction,
                reduction_reason=reduction_reason,
            )
        )
        return _sums(line for line in lines if line.disposition == Disposition.MISSING)

    def lapse(self) -> dict[Sku, int]:
        """Expect nothing more, because the time to send has passed.

        Returns:
            The units that did not come, by SKU: another return may have them.
        """
        expected = self.expected
        if not expected or not self.accepts("lapse"):
            return {}
        self.record(events.ReturnLapsed(**self._ids, quantities=expected))
        self.close_if_done()
        return expected

    def settle(self, receipt: ReceiptId, amount: Money) -> None:
        """Record what is refunded for a receipt; a receipt is settled once."""
        if self.accepts("settle") and self.receipts.get(receipt, 0) is None:
            self.record(events.ReturnSettled(**self._ids, receipt=receipt, amount=amount))
            self.close_if_done()

    def close_if_done(self) -> None:
        """Close the return once nothing more is expected and all that came is settled."""
        if not self.expected and self.is_settled and self.accepts("close"):
            self.record(events.ReturnClosed(**self._ids))

    def anonymize(self) -> None:
        """Remove the buyer's note, because the buyer was erased. The return goes on: it has no other personal data."""
        if self.accepts("anonymize") and self.note:
            self.record(events.ReturnAnonymized(**self._ids))

    def _require_expected(self, lines: Sequence[ReceivedLine]) -> None:
        own, named = {line.sku: line.expected for line in self.lines}, dict[str, int]()
        for i, line in enumerate(lines):
            self.require(line.sku in own, NotInReturn(f"{self} has no {line.sku}", pointer=f"/lines/{i}/sku"))
            named[line.sku] = named.get(line.sku, 0) + line.quantity
            left = own[line.sku]
            self.require(named[line.sku] <= left, NotThatManyExpected(f"{self} expects only {left} × {line.sku}"))

    @applies(events.ReturnRequested)
    def _requested(self, event: events.ReturnRequested) -> None:
        self.id, self.order, self.note = event.return_, event.order, event.note
        self.withdrawal = event.withdrawal or ""
        self.shipping_withheld_data = msgspec.to_builtins(event.shipping_withheld)
        self.lines = [
            ReturnLine.of(
                self,
                sku=line.sku,
                name=line.name,
                quantity=line.quantity,
                reason=line.reason,
                by_right=line.by_right,
            )
            for line in event.lines
        ]

    @applies(events.ReturnApproved)
    def _approved(self, event: events.ReturnApproved) -> None:
        self.status, self.send_by = ReturnStatus.APPROVED, event.send_by

    @applies(events.ReturnRefused)
    def _refused(self, event: events.ReturnRefused) -> None:
        self.status, self.refusal = ReturnStatus.REFUSED, event.reason

    @applies(events.ReturnReceived)
    def _received(self, event: events.ReturnReceived) -> None:
        self.status = ReturnStatus.RECEIVED
        self.receipts = {**self.receipts, event.receipt: None}
        for amount, column in ((event.fee, "fee_minor"), (event.reduction, "reduction_minor")):
            if amount:
                self.currency = amount.currency
                setattr(self, column, getattr(self, column) + amount.minor)
        self.reduction_reason = event.reduction_reason or self.reduction_reason
        rows = {line.sku: line for line in self.lines}
        for line in event.lines:
            self._count(rows[line.sku], COLUMN_OF[line.disposition], line.quantity)

    @applies(events.ReturnLapsed)
    def _lapsed(self, event: events.ReturnLapsed) -> None:
        for line in self.lines:
            if units := event.quantities.get(Sku(line.sku)):
                self._count(line, "lapsed", units)

    @applies(events.ReturnSettled)
    def _settled(self, event: events.ReturnSettled) -> None:
        self.currency = event.amount.currency
        self.receipts = {**self.receipts, event.receipt: event.amount.minor}

    @applies(events.ReturnClosed)
    def _closed(self, event: events.ReturnClosed) -> None:
        self.status = ReturnStatus.CLOSED

    @applies(events.ReturnAnonymized)
    def _anonymized(self, event: events.ReturnAnonymized) -> None:
        self.note = ""

    def _count(self, line: ReturnLine, column: str, units: int) -> None:
        setattr(line, column, getattr(line, column) + units)
        self.touch(line)


def _sums(lines: Any) -> dict[Sku, int]:
    sums: dict[Sku, int] = {}
    for line in lines:
        sums[line.sku] = sums.get(line.sku, 0) + line.quantity
    return sums
