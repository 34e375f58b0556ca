"""The states of an order and of its payment, and the state table of an order."""
# ruff: noqa: E501 - a row of the state table is a line

from typing import Any

from django.db import models

from integration.domain.errors import Refused
from integration.domain.states import IGNORE, NOT_YET, REFUSE, STAY, StateTable, by_state


class OrderStatus(models.TextChoices):
    """The state of an order."""

    PENDING = "pending"
    PAYMENT_PENDING = "payment_pending"
    CONFIRMED = "confirmed"
    PARTIALLY_SHIPPED = "partly_shipped"  # the column has 16 characters, and older code prepared statements for those
    SHIPPED = "shipped"
    DELIVERED = "delivered"
    RETURNED = "returned"
    CANCELLED = "cancelled"


class CancellationReason(models.TextChoices):
    """Why an order ended before anything was shipped."""

    OUT_OF_STOCK = "out_of_stock"
    PAYMENT_FAILED = "payment_failed"
    PAYMENT_TIMEOUT = "payment_timeout"
    NOT_PROCESSED = "not_processed"
    BY_BUYER = "by_buyer"
    BY_OPERATOR = "by_operator"


class AmountMismatch(Refused):
    """The amount paid is not the total of the order."""


class CancellationUnderWay(Refused):
    """The cancellation of this order is requested already, with another note. Fulfillment is still to decide."""


class AlreadyClaimed(Refused):
    """This order is a buyer's already, and no guest's."""


class PaymentStatus(models.TextChoices):
    """The state of an order's payment; `PAYMENT_NAMES` are the words of the API."""

    PENDING = "pending"
    ACTION_REQUIRED = "action_required"
    AUTHORIZED = "authorized"
    PAID = "paid"
    PARTIALLY_REFUNDED = "partly_refunded"  # the column has 16 characters
    FAILED = "failed"
    REFUNDED = "refunded"
    CANCELLED = "cancelled"


PAYMENT_NAMES = {status.value: status.name.lower() for status in PaymentStatus}
"""The words for the states of a payment in the API, by the words in which they are stored."""


class ShipmentStatus(models.TextChoices):
    """The state of an order's shipment; `SHIPMENT_NAMES` are the words of the API."""

    NONE = "none"
    ARRANGED = "arranged"
    DISPATCHED = "dispatched"
    IN_TRANSIT = "in_transit"
    DELIVERY_FAILED = "failed"
    RETURNED_TO_SENDER = "returned"  # the column has 16 characters
    LOST = "lost"
    DELIVERED = "delivered"
    CANCELLED = "cancelled"


SHIPMENT_NAMES = {status.value: status.name.lower() for status in ShipmentStatus}
"""The words for the states of a shipment in events, contracts and the API, by the words in which they are stored."""


PENDING, PAYMENT_PENDING, CONFIRMED, PARTIALLY_SHIPPED, SHIPPED, DELIVERED, RETURNED, CANCELLED = (
    status.value for status in OrderStatus
)

CONFIRMED_STATES = (CONFIRMED, PARTIALLY_SHIPPED, SHIPPED, DELIVERED, RETURNED)
"""The states of an order that was confirmed and not cancelled afterwards."""

ENDED = (DELIVERED, RETURNED, CANCELLED)
"""The states of an order for which nothing is left to do, unless a carrier finds that a parcel was lost after all."""

_row = by_state(OrderStatus)
_DUE, _PARTLY = PAYMENT_PENDING, PARTIALLY_SHIPPED  # short, so that a row of the table fits in a line

ORDER_LIFE = StateTable(
    OrderStatus,
    {
        # message                           pending    due        confirmed  partly     shipped    delivered  returned  cancelled
        "await_payment":               _row(_DUE,      IGNORE,    IGNORE,    IGNORE,    IGNORE,    IGNORE,    IGNORE,   IGNORE),
        "cancel_for_shortage":         _row(CANCELLED, IGNORE,    IGNORE,    IGNORE,    IGNORE,    IGNORE,    IGNORE,   IGNORE),
        "confirm":                     _row(NOT_YET,   CONFIRMED, IGNORE,    IGNORE,    IGNORE,    IGNORE,    IGNORE,   STAY),
        "cancel_for_declined_payment": _row(NOT_YET,   CANCELLED, IGNORE,    IGNORE,    IGNORE,    IGNORE,    IGNORE,   IGNORE),
        "expire":                      _row(CANCELLED, CANCELLED, IGNORE,    IGNORE,    IGNORE,    IGNORE,    IGNORE,   IGNORE),
        "await_another_payment":       _row(NOT_YET,   STAY,      IGNORE,    IGNORE,    IGNORE,    IGNORE,    IGNORE,   IGNORE),
        "try_another_payment":         _row(REFUSE,    STAY,      REFUSE,    REFUSE,    REFUSE,    REFUSE,    REFUSE,   REFUSE),
        "await_payment_until":         _row(STAY,      STAY,      IGNORE,    IGNORE,    IGNORE,    IGNORE,    IGNORE,   IGNORE),
        "ask_for_payment":             _row(STAY,      STAY,      IGNORE,    IGNORE,    IGNORE,    IGNORE,    IGNORE,   IGNORE),
        "cancel":                      _row(CANCELLED, CANCELLED, STAY,      REFUSE,    REFUSE,    REFUSE,    REFUSE,   REFUSE),
        "complete_cancellation":       _row(NOT_YET,   NOT_YET,   CANCELLED, REFUSE,    REFUSE,    REFUSE,    REFUSE,   IGNORE),
        "reject_cancellation":         _row(NOT_YET,   NOT_YET,   STAY,      STAY,      STAY,      STAY,      STAY,     IGNORE),
        "cancel_lines":                _row(REFUSE,    REFUSE,    STAY,      STAY,      REFUSE,    REFUSE,    REFUSE,   REFUSE),
        "cancel_stopped_lines":        _row(NOT_YET,   NOT_YET,   STAY,      STAY,      IGNORE,    IGNORE,    IGNORE,   IGNORE),
        "cancel_rest_under_way":       _row(NOT_YET,   NOT_YET,   NOT_YET,   SHIPPED,   IGNORE,    IGNORE,    IGNORE,   IGNORE),
        "cancel_rest_of_delivered":    _row(NOT_YET,   NOT_YET,   NOT_YET,   DELIVERED, IGNORE,    IGNORE,    IGNORE,   IGNORE),
        "cancel_rest_of_returned":     _row(NOT_YET,   NOT_YET,   NOT_YET,   RETURNED,  IGNORE,    IGNORE,    IGNORE,   IGNORE),
        "reject_lines_cancellation":   _row(NOT_YET,   NOT_YET,   STAY,      STAY,      STAY,      STAY,      STAY,     IGNORE),
        "hold":                        _row(STAY,      STAY,      STAY,      STAY,      REFUSE,    REFUSE,    REFUSE,   REFUSE),
        "lift_hold":                   _row(STAY,      STAY,      STAY,      STAY,      STAY,      STAY,      STAY,     STAY),
        "settle_hold":                 _row(NOT_YET,   NOT_YET,   STAY,      STAY,      STAY,      STAY,      STAY,     STAY),
        "mark_arranged":               _row(NOT_YET,   NOT_YET,   STAY,      STAY,      STAY,      STAY,      STAY,     STAY),
        "mark_partly_shipped":         _row(NOT_YET,   NOT_YET,   _PARTLY,   STAY,      IGNORE,    IGNORE,    IGNORE,   REFUSE),
        "mark_shipped":                _row(NOT_YET,   NOT_YET,   SHIPPED,   SHIPPED,   IGNORE,    IGNORE,    IGNORE,   REFUSE),
        "mark_partly_delivered":       _row(NOT_YET,   NOT_YET,   NOT_YET,   STAY,      STAY,      IGNORE,    STAY,     REFUSE),
        "mark_delivered":              _row(NOT_YET,   NOT_YET,   NOT_YET,   NOT_YET,   DELIVERED, STAY,      STAY,     REFUSE),
        "track_shipment":              _row(NOT_YET,   NOT_YET,   NOT_YET,   STAY,      STAY,      SHIPPED,   STAY,     REFUSE),
        "resolve_shipment":            _row(NOT_YET,   NOT_YET,   NOT_YET,   STAY,      STAY,      IGNORE,    IGNORE,   REFUSE),
        "resolve_last_shipment":       _row(NOT_YET,   NOT_YET,   NOT_YET,   NOT_YET,   DELIVERED, IGNORE,    IGNORE,   REFUSE),
        "lose_last_shipment":          _row(NOT_YET,   NOT_YET,   NOT_YET,   NOT_YET,   RETURNED,  IGNORE,    IGNORE,   REFUSE),
        "note_return":                 _row(NOT_YET,   NOT_YET,   STAY,      STAY,      STAY,      STAY,      STAY,     STAY),
        "mark_partly_returned":        _row(NOT_YET,   NOT_YET,   NOT_YET,   STAY,      STAY,      STAY,      IGNORE,   REFUSE),
        "mark_returned":               _row(NOT_YET,   NOT_YET,   NOT_YET,   NOT_YET,   RETURNED,  RETURNED,  IGNORE,   REFUSE),
        "withdraw":                    _row(CANCELLED, CANCELLED, STAY,      STAY,      STAY,      STAY,      REFUSE,   REFUSE),
        "arrange_withdrawal":          _row(NOT_YET,   NOT_YET,   STAY,      STAY,      STAY,      STAY,      STAY,     STAY),
        "note_overdue_refund":         _row(IGNORE,    IGNORE,    STAY,      STAY,      STAY,      STAY,      STAY,     STAY),
        "record_refund":               _row(NOT_YET,   NOT_YET,   STAY,      STAY,      STAY,      STAY,      STAY,     STAY),
        "add_note":                    _row(STAY,      STAY,      STAY,      STAY,      STAY,      STAY,      STAY,     STAY),
        "correct_address":             _row(STAY,      STAY,      STAY,      STAY,      REFUSE,    REFUSE,    REFUSE,   REFUSE),
        "settle_address_correction":   _row(NOT_YET,   NOT_YET,   STAY,      STAY,      STAY,      STAY,      STAY,     STAY),
        "record_authorization":        _row(NOT_YET,   NOT_YET,   STAY,      STAY,      STAY,      STAY,      STAY,     STAY),
        "claim":                       _row(STAY,      STAY,      STAY,      STAY,      STAY,      STAY,      STAY,     STAY),
        "anonymize":                   _row(REFUSE,    REFUSE,    REFUSE,    REFUSE,    REFUSE,    STAY,      STAY,     STAY),
    },
)  # fmt: skip


def payment_status_of(order: Any) -> PaymentStatus:
    """The payment status of an order, or of its row on the order board."""
    if order.authorized and not order.refunded:
        return PaymentStatus.AUTHORIZED
    if order.paid:
        part = PaymentStatus.PARTIALLY_REFUNDED if order.refunded else PaymentStatus.PAID
        return PaymentStatus.REFUNDED if order.refunded == order.paid else part
    if not order.total and order.status in CONFIRMED_STATES:
        return PaymentStatus.PAID
    if order.status != CANCELLED:
        waiting = PaymentStatus.ACTION_REQUIRED if order.needs_action else PaymentStatus.PENDING
        return PaymentStatus.FAILED if order.needs_another_payment else waiting
    failed = order.cancellation_reason == CancellationReason.PAYMENT_FAILED
    return PaymentStatus.FAILED if failed else PaymentStatus.CANCELLED
