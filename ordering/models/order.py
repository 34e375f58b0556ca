"""An order goes from placing to its end by one table of states; its prices are those of the moment it was placed."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, ClassVar, Self

import msgspec
from django.db import models
from django.db.models import F, Q

from integration.aggregates.aggregate import OfOneStory, Part, applies
from integration.domain.address import Address
from integration.domain.errors import NotYet, Refused, Unacceptable
from integration.domain.identifiers import BuyerId, OrderNumber, PaymentId, PaymentMethodId, ShipmentId, Sku
from integration.domain.money import Money
from integration.domain.states import IGNORE, NOT_YET, REFUSE, StateTable, by_state
from integration.storage.columns import CurrencyField, MinorUnitsField, money
from ordering import events
from ordering.models.buyer import Buyer

MAX_LINES = 2_000
MAX_QUANTITY = 100_000
MAX_TOTAL_MINOR = 10**16
"""Even hundreds of such orders add up to what a column of minor units holds, whatever the currency's decimals."""


class MixedCurrencies(Unacceptable):
    """All products of an order are priced in one currency."""


class TooManyLines(Unacceptable):
    """An order has 1 to 2,000 lines."""


class QuantityOutOfBounds(Unacceptable):
    """A quantity is a whole number from 1 to 100,000."""


class TooExpensive(Unacceptable):
    """An order costs at most 10,000,000,000,000,000 of its currency's smallest unit."""


class AmountMismatch(Refused):
    """What was paid is not what the order costs."""


class OrderStatus(models.TextChoices):
    """How far an order has come."""

    PENDING = "pending"
    PAYMENT_PENDING = "payment_pending"
    CONFIRMED = "confirmed"
    SHIPPED = "shipped"
    DELIVERED = "delivered"
    CANCELLED = "cancelled"


class CancellationReason(models.TextChoices):
    """Why an order ended before anything was shipped."""

    OUT_OF_STOCK = "out_of_stock"
    PAYMENT_FAILED = "payment_failed"
    PAYMENT_TIMEOUT = "payment_timeout"
    BY_BUYER = "by_buyer"
    BY_OPERATOR = "by_operator"


class PaymentStatus(models.TextChoices):
    """What became of an order's money, as a buyer would say."""

    PENDING = "pending"
    PAID = "paid"
    FAILED = "failed"
    REFUNDED = "refunded"
    CANCELLED = "cancelled"


PENDING, PAYMENT_PENDING, CONFIRMED, SHIPPED, DELIVERED, CANCELLED = (status.value for status in OrderStatus)


_row = by_state(OrderStatus)

ORDER_LIFE = StateTable(
    OrderStatus,
    {
        # message                    pending          payment_pending  confirmed  shipped    delivered  cancelled
        "reserve_goods":        _row(PAYMENT_PENDING, IGNORE,          IGNORE,    IGNORE,    IGNORE,    IGNORE),
        "run_out_of_stock":     _row(CANCELLED,       IGNORE,          IGNORE,    IGNORE,    IGNORE,    IGNORE),
        "be_paid":              _row(NOT_YET,         CONFIRMED,       IGNORE,    IGNORE,    IGNORE,    CANCELLED),
        "be_declined":          _row(NOT_YET,         CANCELLED,       IGNORE,    IGNORE,    IGNORE,    IGNORE),
        "miss_its_deadline":    _row(CANCELLED,       CANCELLED,       IGNORE,    IGNORE,    IGNORE,    IGNORE),
        "be_cancelled":         _row(CANCELLED,       CANCELLED,       CONFIRMED, REFUSE,    REFUSE,    REFUSE),
        "stay_in_the_house":    _row(NOT_YET,         NOT_YET,         CANCELLED, REFUSE,    REFUSE,    IGNORE),
        "be_past_cancelling":   _row(NOT_YET,         NOT_YET,         CONFIRMED, SHIPPED,   DELIVERED, IGNORE),
        "be_shipped":           _row(NOT_YET,         NOT_YET,         SHIPPED,   IGNORE,    IGNORE,    REFUSE),
        "be_delivered":         _row(NOT_YET,         NOT_YET,         NOT_YET,   DELIVERED, IGNORE,    REFUSE),
        "be_refunded":          _row(NOT_YET,         NOT_YET,         CONFIRMED, SHIPPED,   DELIVERED, CANCELLED),
        "be_anonymized":        _row(REFUSE,          REFUSE,          REFUSE,    REFUSE,    DELIVERED, CANCELLED),
    },
)  # fmt: skip


class Order(OfOneStory):
    """What a buyer wants sent where, at the prices of the moment it was placed."""

    stream = "order"
    parts: ClassVar = {"lines": "line_rows"}
    life = ORDER_LIFE
    lines: "list[OrderLine]"

    number = models.CharField(max_length=20, primary_key=True)
    buyer = models.ForeignKey(Buyer, on_delete=models.PROTECT, related_name="orders", db_index=False)
    status = models.CharField(max_length=16, choices=OrderStatus, default=OrderStatus.PENDING, db_index=True)
    cancellation_reason = models.CharField(max_length=16, choices=CancellationReason, blank=True)
    cancellation_requested = models.BooleanField(default=False)
    note = models.CharField("note on the cancellation", max_length=500, blank=True)
    currency = CurrencyField()
    subtotal_minor = MinorUnitsField()
    discount_minor = MinorUnitsField()
    total_minor = MinorUnitsField()
    paid_minor = MinorUnitsField(default=0)
    refunded_minor = MinorUnitsField(default=0)
    subtotal, discount, total = money("subtotal_minor"), money("discount_minor"), money("total_minor")
    paid, refunded = money("paid_minor"), money("refunded_minor")
    payment_method = models.CharField(max_length=80)
    payment_due_at = models.DateTimeField()
    shipping_address = models.JSONField()
    shipments = models.JSONField(default=list)

    class Meta:
        ordering: ClassVar = ["-created_at"]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(total_minor=F("subtotal_minor") - F("discount_minor"), total_minor__gte=0),
                name="order_total_is_subtotal_less_discount",
            ),
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
        lines: Sequence[events.PlacedLine],
        discount_percent: int,
        shipping_address: Address,
        payment_method: PaymentMethodId,
        payment_due_at: datetime,
    ) -> Self:
        """A new order.

        Raises:
            TooManyLines, QuantityOutOfBounds, MixedCurrencies, TooExpensive: as their sentences say.
        """
        cls.require(1 <= len(lines) <= MAX_LINES, TooManyLines(pointer="/lines"))
        in_bounds = all(1 <= line.quantity <= MAX_QUANTITY for line in lines)
        cls.require(in_bounds, QuantityOutOfBounds(pointer="/lines"))
        currency = lines[0].unit_price.currency
        cls.require(all(line.unit_price.currency == currency for line in lines), MixedCurrencies(pointer="/lines"))
        subtotal = Money.sum((line.total for line in lines), currency)
        cls.require(subtotal.minor <= MAX_TOTAL_MINOR, TooExpensive(pointer="/lines"))
        discount = subtotal.percent(discount_percent)
        order = cls()
        order.record(
            events.OrderPlaced(
                order=number,
                buyer=buyer,
                lines=tuple(lines),
                shipping_address=shipping_address,
                payment_method=payment_method,
                subtotal=subtotal,
                discount=discount,
                total=subtotal - discount,
                payment_due_at=payment_due_at,
            )
        )
        return order

    @property
    def payment_status(self) -> str:
        """What became of its money, as a buyer would say; what was given back of it in part is `refunded`."""
        return payment_status_of(self).value

    @property
    def _number(self) -> OrderNumber:
        return OrderNumber(self.number)

    def reserve_goods(self) -> None:
        """Its goods are set aside: now it waits for its money."""
        if self.accepts("reserve_goods"):
            self.record(events.OrderGoodsReserved(self._number))

    def run_out_of_stock(self) -> None:
        """Its goods are not all there."""
        if self.accepts("run_out_of_stock"):
            self._cancel(CancellationReason.OUT_OF_STOCK)

    def be_paid(self, payment: PaymentId, amount: Money) -> None:
        """Its money came in; too late if it is cancelled already. Raises `AmountMismatch`."""
        if not self.accepts("be_paid"):
            return
        self.require(amount == self.total, AmountMismatch)
        if self.status != CANCELLED:
            self.record(events.OrderConfirmed(self._number, BuyerId(self.buyer_id), payment, amount))
        elif not self.paid:
            self.record(events.OrderPaidTooLate(self._number, payment, amount))

    def be_declined(self, reason: str) -> None:
        """Its money will not come."""
        if self.accepts("be_declined"):
            self._cancel(CancellationReason.PAYMENT_FAILED, reason)

    def miss_its_deadline(self) -> None:
        """Its money did not come in time."""
        if self.accepts("miss_its_deadline"):
            self._cancel(CancellationReason.PAYMENT_TIMEOUT)

    def be_cancelled(self, reason: CancellationReason, note: str = "") -> None:
        """Someone no longer wants it: at once before it is confirmed, afterwards if fulfillment can stop it.

        Raises:
            NotAllowed: once it is shipped, or cancelled already.
        """
        if not self.accepts("be_cancelled"):
            return
        if self.status != CONFIRMED:
            self._cancel(reason, note)
        elif not self.cancellation_requested:
            self.record(events.OrderCancellationRequested(self._number, reason.value, note))

    def stay_in_the_house(self, reason: CancellationReason) -> None:
        """Fulfillment stopped its shipment."""
        if self.accepts("stay_in_the_house"):
            self._cancel(reason, self.note)

    def be_past_cancelling(self) -> None:
        """Fulfillment could not stop its shipment."""
        if self.accepts("be_past_cancelling") and self.cancellation_requested:
            self.record(events.OrderCancellationRefused(self._number))

    def be_shipped(
        self, shipment: ShipmentId, carrier: str, tracking_number: str, quantities: Mapping[Sku, int]
    ) -> None:
        """Its goods left the house."""
        if self.accepts("be_shipped"):
            self.record(events.OrderShipped(self._number, shipment, carrier, tracking_number, dict(quantities)))

    def be_delivered(self, shipment: ShipmentId) -> None:
        """Its goods reached their recipient."""
        if self.accepts("be_delivered"):
            self.record(events.OrderDelivered(self._number, shipment))

    def be_refunded(self, refunded: Money) -> None:
        """Money went back, `refunded` in all so far; less than is known already is old news."""
        if self.accepts("be_refunded") and refunded > self.refunded:
            self.require(refunded <= self.paid, NotYet("the refund came before its payment"))
            self.record(events.OrderRefunded(self._number, refunded))

    def be_anonymized(self) -> None:
        """Its buyer is erased: forget all of it but what the books need; raises `NotAllowed` before its end."""
        if self.accepts("be_anonymized") and not self.is_anonymous:
            self.record(events.OrderAnonymized(self._number))

    @property
    def is_anonymous(self) -> bool:
        """Whether nothing personal is left of it: no order is placed without a method of payment."""
        return not self.payment_method

    def _cancel(self, reason: CancellationReason, note: str = "") -> None:
        self.record(
            events.OrderCancelled(
                order=self._number,
                buyer=BuyerId(self.buyer_id),
                reason=reason.value,
                note=note,
                total=self.total,
                was_confirmed=self.status == CONFIRMED,
            )
        )

    @applies(events.OrderPlaced)
    def _placed(self, event: events.OrderPlaced) -> None:
        self.number, self.buyer_id, self.currency = event.order, event.buyer, event.total.currency
        self.subtotal, self.discount, self.total = event.subtotal, event.discount, event.total
        self.payment_method, self.payment_due_at = event.payment_method, event.payment_due_at
        self.shipping_address = msgspec.to_builtins(event.shipping_address)
        self.lines = [
            OrderLine.of(
                self,
                sku=line.sku,
                name=line.name,
                quantity=line.quantity,
                currency=line.unit_price.currency,
                unit_price_minor=line.unit_price.minor,
            )
            for line in event.lines
        ]

    @applies(events.OrderGoodsReserved)
    def _goods_reserved(self, event: events.OrderGoodsReserved) -> None:
        self.status = OrderStatus.PAYMENT_PENDING

    @applies(events.OrderConfirmed)
    def _confirmed(self, event: events.OrderConfirmed) -> None:
        self.status, self.paid = OrderStatus.CONFIRMED, event.paid

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

    @applies(events.OrderShipped)
    def _shipped(self, event: events.OrderShipped) -> None:
        self.status = OrderStatus.SHIPPED
        self.shipments = [
            *self.shipments,
            {
                "id": event.shipment,
                "status": "dispatched",
                "carrier": event.carrier,
                "tracking_number": event.tracking_number,
            },
        ]
        for line in self.lines:
            line.shipped += event.quantities.get(Sku(line.sku), 0)
            self.touch(line)

    @applies(events.OrderDelivered)
    def _delivered(self, event: events.OrderDelivered) -> None:
        self.status = OrderStatus.DELIVERED
        self.shipments = [
            {**shipment, "status": "delivered"} if shipment["id"] == event.shipment else shipment
            for shipment in self.shipments
        ]

    @applies(events.OrderRefunded)
    def _refunded(self, event: events.OrderRefunded) -> None:
        self.refunded = event.refunded

    @applies(events.OrderAnonymized)
    def _anonymized(self, event: events.OrderAnonymized) -> None:
        self.shipping_address = msgspec.to_builtins(Address(**self.shipping_address).erased())
        self.payment_method = self.note = ""


def payment_status_of(order: Any) -> PaymentStatus:
    """What became of the money of an order, or of a row that shows one."""
    if order.paid:
        return PaymentStatus.REFUNDED if order.refunded == order.paid else PaymentStatus.PAID
    if order.status != CANCELLED:
        return PaymentStatus.PENDING
    failed = order.cancellation_reason == CancellationReason.PAYMENT_FAILED
    return PaymentStatus.FAILED if failed else PaymentStatus.CANCELLED


class OrderLine(Part):
    """So many of one product in an order."""

    order = models.ForeignKey(Order, on_delete=models.CASCADE, related_name="line_rows", db_index=False)
    sku = models.CharField(max_length=40, db_index=True)
    name = models.CharField(max_length=200)
    quantity = models.PositiveIntegerField()
    shipped = models.PositiveIntegerField(default=0)
    currency = CurrencyField()
    unit_price_minor = MinorUnitsField()
    unit_price = money("unit_price_minor")

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["order", "sku"], name="one_line_a_sku"),
            models.CheckConstraint(
                condition=Q(quantity__gte=1, quantity__lte=MAX_QUANTITY), name="line_quantity_in_bounds"
            ),
            models.CheckConstraint(condition=Q(shipped__lte=F("quantity")), name="line_shipped_at_most_ordered"),
        ]

    def __str__(self) -> str:
        return f"{self.quantity} × {self.sku}"

    @property
    def total(self) -> Money:
        """What the line costs before any discount."""
        return self.unit_price * self.quantity
