"""The states of a payment, and its state table: the provider decides what becomes of it."""
# ruff: noqa: E501 - a row of the state table is a line

from django.db import models

from integration.domain.states import IGNORE, STAY, StateTable, by_state


class PaymentStatus(models.TextChoices):
    """The states of a payment."""

    REQUESTED = "requested"
    UNKNOWN = "unknown"
    ACTION_REQUIRED = "action"  # the column has 10 characters
    PENDING = "pending"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    ABANDONED = "abandoned"
    EXPIRED = "expired"


PAYMENT_NAMES = {status.value: status.name.lower() for status in PaymentStatus}
"""The words of the API for the states of a payment, by the words in which they are stored."""

REQUESTED, UNKNOWN, ACTION_REQUIRED, PENDING, SUCCEEDED, FAILED, ABANDONED, EXPIRED = (
    status.value for status in PaymentStatus
)

WAITING = (ACTION_REQUIRED, PENDING)
"""The states in which the buyer or their bank is to act."""

UNSETTLED = (REQUESTED, UNKNOWN, *WAITING)
"""The states in which nobody knows yet whether the money comes."""

_row = by_state(PaymentStatus)
_ACTION = ACTION_REQUIRED  # short, so that a row of the table fits in a line

PAYMENT_LIFE = StateTable(
    PaymentStatus,
    {
        # message                 requested  unknown    action     pending    succeeded  failed     abandoned  expired
        # If the provider reports a charge, the payment succeeded, even after another outcome was recorded.
        "succeed":           _row(SUCCEEDED, SUCCEEDED, SUCCEEDED, SUCCEEDED, IGNORE,    SUCCEEDED, SUCCEEDED, SUCCEEDED),
        "fail":              _row(FAILED,    FAILED,    FAILED,    FAILED,    IGNORE,    IGNORE,    IGNORE,    IGNORE),
        "lose_outcome":      _row(UNKNOWN,   IGNORE,    IGNORE,    IGNORE,    IGNORE,    IGNORE,    IGNORE,    IGNORE),
        # What the buyer is to do comes before the money is on its way. So an older report changes nothing.
        "require_action":    _row(_ACTION,   _ACTION,   STAY,      IGNORE,    IGNORE,    IGNORE,    IGNORE,    IGNORE),
        "await_money":       _row(PENDING,   PENDING,   PENDING,   STAY,      IGNORE,    IGNORE,    IGNORE,    IGNORE),
        "expire":            _row(EXPIRED,   EXPIRED,   EXPIRED,   EXPIRED,   IGNORE,    IGNORE,    IGNORE,    IGNORE),
        "abandon":           _row(ABANDONED, ABANDONED, ABANDONED, ABANDONED, IGNORE,    IGNORE,    IGNORE,    IGNORE),
    },
)  # fmt: skip
