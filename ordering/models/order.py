"""An order. Its state table decides every transition; its prices are those of the moment it was placed."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, ClassVar, Self

import msgspec
from django.db import models
from django.db.models import F, Q

from integration.aggregates.aggregate import applies
from integration.domain.address import Address
from integration.domain.errors import NotFound, NotYet
from integration.domain.identifiers import BuyerId, OrderNumber, PaymentId, PaymentMethodId, is_guest
from integration.domain.money import Money
from integration.storage.columns import CurrencyField, MinorUnitsField, money
from ordering import events
from ordering.models.buyer import Buyer
from ordering.models.order_corrections import OrderWithCorrections
from ordering.models.order_line import MAX_TOTAL_MINOR, OrderLine, TooExpensive
from ordering.models.order_prices import OrderPrices, ShownLine, adds_up, placed_prices, shown_lines
from ordering.models.order_shipments import with_status
from ordering.models.order_states import (
    CANCELLED,
    CONFIRMED,
    CONFIRMED_STATES,
    ORDER_LIFE,
    AlreadyClaimed,
    AmountMismatch,
    CancellationReason,
    CancellationUnderWay,
    OrderStatus,
    ShipmentStatus,
    payment_status_of,
)
from ordering.pricing import PricedOrder


class Order(OrderPrices, OrderWithCorrections):
    """The goods a buyer ordered, where to ship them, and the prices of the moment it was placed."""

    stream = "order"
    life = ORDER_LIFE

    number = models.CharField(max_length=20, primary_key=True)
    buyer = models.ForeignKey(Buyer, on_delete=models.PROTECT, related_name="orders", db_index=False)
    status = models.CharField(max_length=16, choices=OrderStatus, default=OrderStatus.PENDING, db_index=True)
    cancellation_reason = models.CharField(max_length=16, choices=CancellationReason, blank=True)
    cancellation_requested = models.BooleanField(default=False)
    note = models.CharField("note on the cancellation", max_length=500, blank=True)
    currency = CurrencyField()
    paid_minor = MinorUnitsField(default=0)
    refunded_minor = MinorUnitsField(default=0)
    refund_sequence = models.IntegerField(default=0, db_default=0, editable=False)  # the one that `refunded` has
    paid, refunded = money("paid_minor"), money("refunded_minor")
    spend_refunded_minor = MinorUnitsField(default=0, db_default=0)
    spend_refunded = money("spend_refunded_minor")  # the part of `refunded` that lowered the buyer's lifetime spend
    payment_method = models.CharField(max_length=80)
    payment_due_at = models.DateTimeField()
    shipping_address = models.JSONField()

    class Meta:
        ordering: ClassVar = ["-created_at"]
        constraints: ClassVar = [
            models.CheckConstraint(condition=adds_up(), name="order_total_adds_up"),
            models.CheckConstraint(
                condition=Q(refunded_minor__lte=F("paid_minor")), name="order_refunded_at_most_paid"
            ),
            models.CheckConstraint(
                condition=(Q(status="cancelled") & ~Q(cancellation_reason="")) | Q(cancellation_reason=""),
                name="order_cancelled_for_a_reason",
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["buyer", "-created_at"], name="orders_of_a_buyer"),
            models.Index(
                fields=["payment_due_at"],
                name="orders_awaiting_payment",
                condition=Q(status__in=["pending", "payment_pending"]),
            ),
        ]

    def __str__(self) -> str:
        return f"order {self.number}"

    @classmethod
    def place(
        cls,
        number: OrderNumber,
        *,
        buyer: BuyerId,
        priced: PricedOrder,
        shipping_address: Address,
        payment_method: PaymentMethodId,
        payment_due_at: datetime,
        vouchers: Sequence[str] = (),
        replaces: OrderNumber | None = None,
    ) -> Self:
        """A new order at these prices, which claims these vouchers; raises `TooExpensive`."""
        cls.require(priced.total.minor <= MAX_TOTAL_MINOR, TooExpensive(pointer="/lines"))
        order = cls()
        order.record(
            events.OrderPlaced(
                order=number,
                buyer=buyer,
                shipping_address=shipping_address,
                payment_method=payment_method,
                payment_due_at=payment_due_at,
                vouchers=tuple(vouchers),
                replaces=replaces,
                **placed_prices(priced),
            )
        )
        return order

    @property
    def shown_lines(self) -> list[ShownLine]:
        """The lines with all their amounts."""
        return shown_lines([line.facts for line in self.lines], self.currency, self.discount)

    @property
    def payment_status(self) -> str:
        """The state of the payment in the words of `PaymentStatus`."""
        return payment_status_of(self).value

    def await_payment(self) -> None:
        """Wait for the payment, because the goods are reserved."""
        if self.accepts("await_payment"):
            self.record(events.OrderGoodsReserved(order=self._number))

    def cancel_for_shortage(self) -> None:
        """Cancel the order because some of its goods are out of stock; ignored once the goods are reserved."""
        if self.accepts("cancel_for_shortage"):
            self._cancel(CancellationReason.OUT_OF_STOCK)

    def confirm(self, payment: PaymentId, amount: Money, *, authorized_as: int = 0) -> None:
        """Confirm the order, or record a payment after its cancellation; raises `NotYet`, `AmountMismatch`.

        Args:
            payment: empty at a total of zero.
            amount: what was paid, or authorized.
            authorized_as: billing's number of the news that the payment is authorized; zero if it is paid.
        """
        if not self.accepts("confirm"):
            return
        self.require(amount == self.total, AmountMismatch)
        if self.status != CANCELLED:
            buyer = BuyerId(self.buyer_id)
            facts: dict[str, Any] = {"paid": amount}
            if authorized_as:
                facts = {"paid": Money.zero(self.currency), "authorized": amount, "sequence": authorized_as}
            self.record(events.OrderConfirmed(order=self._number, buyer=buyer, payment=payment, **facts))
        elif self.paid < amount and not authorized_as:
            self.record(events.OrderPaidTooLate(order=self._number, payment=payment, paid=amount))

    def cancel_for_declined_payment(self, reason: str) -> None:
        """Cancel the order because its payment was declined; raises `NotYet` before its goods are reserved."""
        if self.accepts("cancel_for_declined_payment"):
            self._cancel(CancellationReason.PAYMENT_FAILED, reason)

    def expire(self, *, payment_was_requested: bool = True) -> None:
        """Cancel the order because it was not paid before its deadline; ignored once it is confirmed or cancelled."""
        if self.accepts("expire"):
            timeout, never_asked = CancellationReason.PAYMENT_TIMEOUT, CancellationReason.NOT_PROCESSED
            self._cancel(timeout if payment_was_requested else never_asked)

    def cancel(self, reason: CancellationReason, note: str = "") -> None:
        """Cancel the order at once if it is not confirmed; otherwise request that fulfillment stops its shipment.

        Raises:
            NotAllowed: the order is shipped, delivered or cancelled.
            CancellationUnderWay: it was requested before, with another note.
        """
        if not self.accepts("cancel"):
            return
        if self.cancellation_requested:
            self.require(note == self.note, CancellationUnderWay)
        elif self.status == CONFIRMED:
            self.record(events.OrderCancellationRequested(order=self._number, reason=reason.value, note=note))
        else:
            self._cancel(reason, note)

    def complete_cancellation(self, reason: CancellationReason) -> None:
        """Cancel the order because fulfillment stopped its shipment; raises `NotYet`, `NotAllowed`."""
        if self.accepts("complete_cancellation"):
            self._cancel(reason, self.note)

    def reject_cancellation(self) -> None:
        """Withdraw the requested cancellation, because the shipment could not be stopped; raises `NotYet`."""
        if self.accepts("reject_cancellation") and self.cancellation_requested:
            self.record(events.OrderCancellationRefused(order=self._number))

    def record_refund(self, refunded: Money, sequence: int = 0) -> None:
        """Record that `refunded` is the total refunded so far; it is lower than before if a refund has failed.

        Totals may arrive in any order: the one with the highest `sequence` counts. Without one, as from older code,
        one that is not higher is ignored. Raises `NotYet` before the payment.
        """
        is_news = sequence > self.refund_sequence if sequence else refunded > self.refunded
        if self.accepts("record_refund") and is_news:
            self.require(refunded <= self.paid, NotYet("the refund arrived before its payment"))
            order, buyer, counts = self._number, BuyerId(self.buyer_id), self.status in CONFIRMED_STATES
            spend = refunded - self.refunded if counts else Money.zero(self.currency)
            self.record(
                events.OrderRefunded(order=order, refunded=refunded, buyer=buyer, spend=spend, sequence=sequence)
            )

    def claim(self, buyer: BuyerId) -> None:
        """Become the order of a buyer, who was a guest when they placed it; raises `AlreadyClaimed`."""
        if self.accepts("claim"):
            guest = BuyerId(self.buyer_id)
            self.require(is_guest(guest), AlreadyClaimed)
            spend = self.total - self.spend_refunded if self.status in CONFIRMED_STATES else None
            self.record(events.OrderClaimed(order=self._number, guest=guest, buyer=buyer, spend=spend))

    def expect_buyer(self, buyer: BuyerId | None) -> None:
        """Raise `NotFound` unless it is this buyer's order; None accepts any buyer.

        A guest's order may become somebody else's between the check of a request and its command.
        """
        self.require(buyer in (None, self.buyer_id), NotFound(f"there is no order {self.number}"))

    def anonymize(self) -> None:
        """Erase the personal data of the order; raises `NotAllowed` unless it is delivered or cancelled."""
        if self.accepts("anonymize") and not self.is_anonymous:
            self.record(events.OrderAnonymized(order=self._number))

    @property
    def is_anonymous(self) -> bool:
        """Whether nothing personal is left of it, in the address, the payment method and the note."""
        address = Address(**self.shipping_address)
        return address == address.erased() and not (self.payment_method or self.note)

    @applies(events.OrderPlaced)
    def _placed(self, event: events.OrderPlaced) -> None:
        self.number, self.buyer_id = event.order, event.buyer
        self.set_prices(event)
        self.replaces = event.replaces or ""
        self.payment_method, self.payment_due_at = event.payment_method, event.payment_due_at
        self.shipping_address = msgspec.to_builtins(event.shipping_address)
        self.lines = [OrderLine.placed(self, line, is_plain=self.price_details is None) for line in event.lines]

    @applies(events.OrderGoodsReserved)
    def _goods_reserved(self, event: events.OrderGoodsReserved) -> None:
        self.status = OrderStatus.PAYMENT_PENDING

    @applies(events.OrderConfirmed)
    def _confirmed(self, event: events.OrderConfirmed) -> None:
        self.status, self.paid = OrderStatus.CONFIRMED, event.paid
        if event.authorized:
            self.authorized_minor, self.authorization_sequence = event.authorized.minor, event.sequence

    @applies(events.OrderPaidTooLate)
    def _paid_too_late(self, event: events.OrderPaidTooLate) -> None:
        self.paid = event.paid

    @applies(events.OrderCancellationRequested)
    def _cancellation_requested(self, event: events.OrderCancellationRequested) -> None:
        self.cancellation_requested, self.note = True, event.note

    @applies(events.OrderCancellationRefused)
    def _cancellation_refused(self, event: events.OrderCancellationRefused) -> None:
        self.cancellation_requested = False

    @applies(events.OrderCancelled)
    def _cancelled(self, event: events.OrderCancelled) -> None:
        self.status, self.cancellation_reason, self.note = OrderStatus.CANCELLED, event.reason, event.note
        self.cancellation_requested = False
        self.shipments = with_status(self.shipments, ShipmentStatus.CANCELLED)
        self.end_requests()
        self.forget_correction()

    @applies(events.OrderRefunded)
    def _refunded(self, event: events.OrderRefunded) -> None:
        self.refunded, self.refund_sequence = event.refunded, max(event.sequence, self.refund_sequence)
        self.spend_refunded += event.spend or Money.zero(self.currency)

    @applies(events.OrderClaimed)
    def _claimed(self, event: events.OrderClaimed) -> None:
        self.buyer_id = event.buyer

    @applies(events.OrderAnonymized)
    def _anonymized(self, event: events.OrderAnonymized) -> None:
        self.shipping_address = msgspec.to_builtins(Address(**self.shipping_address).erased())
        self.payment_method = self.note = ""
        self.forget_correction()
