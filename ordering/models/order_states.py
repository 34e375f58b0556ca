"""The states of an order and of its payment, and which messages an order accepts in each state."""

from typing import Any

from django.db import models

from integration.domain.states import IGNORE, NOT_YET, REFUSE, StateTable, by_state


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


def payment_status_of(order: Any) -> PaymentStatus:
    """What became of the money of an order, or of a row that shows one."""
    if order.paid:
        return PaymentStatus.REFUNDED if order.refunded == order.paid else PaymentStatus.PAID
    if order.status != CANCELLED:
        return PaymentStatus.PENDING
    failed = order.cancellation_reason == CancellationReason.PAYMENT_FAILED
    return PaymentStatus.FAILED if failed else PaymentStatus.CANCELLED
