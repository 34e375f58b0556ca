"""The rows of ordering's read models. Only the projections in `queries/` write them."""

from typing import ClassVar

from django.db import models
from django.db.models import Q

from integration.read_models.models import PolledRow, Row
from integration.storage.columns import CurrencyField, MinorUnitsField, money
from ordering.models.order_payment import WithPayment
from ordering.models.order_prices import OrderPrices, ShownLine, shown_lines
from ordering.models.order_requests import Requests
from ordering.models.order_returns import WithReturns
from ordering.models.order_shipments import InParcels
from ordering.models.order_states import CancellationReason, OrderStatus, PaymentStatus, ShipmentStatus


class OrderBoard(InParcels, OrderPrices, Requests, WithReturns, WithPayment, PolledRow):
    """A row of the order board: an order with its lines, payment and shipments, as of `version` of the order."""

    read_model = "ordering.order-board"
    key = ("number",)

    number = models.CharField(max_length=20)
    version = models.PositiveIntegerField(default=0)
    buyer = models.CharField(max_length=40)
    status = models.CharField(max_length=16, choices=OrderStatus, default=OrderStatus.PENDING)
    cancellation_reason = models.CharField(max_length=16, choices=CancellationReason, blank=True)
    payment_status = models.CharField("payment", max_length=16, choices=PaymentStatus, default=PaymentStatus.PENDING)
    shipment_status = models.CharField("shipment", max_length=16, choices=ShipmentStatus, default=ShipmentStatus.NONE)
    currency = CurrencyField()
    paid_minor = MinorUnitsField(default=0)
    refunded_minor = MinorUnitsField(default=0)
    paid, refunded = money("paid_minor"), money("refunded_minor")
    payment_method = models.CharField(max_length=80)
    shipping_address = models.JSONField()
    line_facts = models.JSONField()
    shipments = models.JSONField(default=list)
    on_hold = models.BooleanField(default=False, db_default=False)
    replaces = models.CharField(max_length=20, default="", db_default="")
    needs_human = models.BooleanField(default=False, db_default=False)
    correlation_id = models.UUIDField()
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()

    class Meta:
        verbose_name_plural = "order board"
        constraints: ClassVar = [models.UniqueConstraint(fields=["build", "number"], name="board_shows_an_order_once")]
        indexes: ClassVar = [
            models.Index(fields=["build", "created_at"], name="board_by_moment"),
            models.Index(fields=["build", "buyer", "created_at"], name="board_by_buyer"),
            models.Index(fields=["build", "status", "created_at"], name="board_by_status"),
            models.Index(fields=["build", "shown_at"], name="board_by_change"),
            models.Index(fields=["build", "updated_at"], name="board_needs_human", condition=Q(needs_human=True)),
            models.Index(fields=["build", "updated_at"], name="board_on_hold", condition=Q(on_hold=True)),
        ]

    def __str__(self) -> str:
        return f"order {self.number}"

    @property
    def shown_lines(self) -> list[ShownLine]:
        """The lines of the order with all their amounts, in the order in which they were placed."""
        return shown_lines(self.line_facts, self.currency, self.discount)


class SalesOfDay(Row):
    """The sales of one product on one UTC day in one currency.

    They count units of orders that were confirmed on that day and not cancelled since; what came back counts, too.
    Amounts are those of the order lines, before the discount of the order.
    """

    read_model = "ordering.sales-per-day"
    key = ("day", "sku", "currency")

    day = models.DateField()
    sku = models.CharField(max_length=40)
    currency = CurrencyField()
    orders = models.BigIntegerField(default=0)
    quantity = models.BigIntegerField(default=0)
    amount_minor = MinorUnitsField(default=0)
    amount = money("amount_minor")

    class Meta:
        verbose_name = verbose_name_plural = "sales per day"
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["build", "day", "sku", "currency"], name="sales_of_a_day_once")
        ]

    def __str__(self) -> str:
        return f"{self.sku} on {self.day}"


class SalesOfHour(Row):
    """The orders placed in one UTC hour, and what the orders that were confirmed in it had paid or authorized.

    Orders that send goods again do not count. What is cancelled or refunded later changes nothing.
    """

    read_model = "ordering.sales-per-hour"
    key = ("hour", "currency")

    hour = models.DateTimeField()
    currency = CurrencyField()
    placed = models.BigIntegerField(default=0)
    paid_minor = MinorUnitsField(default=0)
    paid = money("paid_minor")

    class Meta:
        verbose_name = verbose_name_plural = "sales per hour"
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["build", "hour", "currency"], name="sales_of_an_hour_once")
        ]

    def __str__(self) -> str:
        return f"sales from {self.hour:%Y-%m-%d %H}:00"


class LifetimeSpend(Row):
    """What a buyer spent in one currency on orders that were confirmed and not cancelled since."""

    read_model = "ordering.lifetime-spend"
    key = ("buyer", "currency")

    buyer = models.CharField(max_length=40)
    currency = CurrencyField()
    orders = models.BigIntegerField(default=0)
    spend_minor = MinorUnitsField(default=0)
    spend = money("spend_minor")

    class Meta:
        verbose_name = verbose_name_plural = "lifetime spend"
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["build", "buyer", "currency"], name="spend_of_a_buyer_once")
        ]
        indexes: ClassVar = [models.Index(fields=["build", "-spend_minor"], name="spend_biggest_first")]

    def __str__(self) -> str:
        return f"spend of {self.buyer}"
