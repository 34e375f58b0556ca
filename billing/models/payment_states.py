"""The states of a payment, and its state table: the provider decides what becomes of it."""
# ruff: noqa: E501 - a row of the state table is a line

from django.db import models

from integration.domain.states import IGNORE, NOT_YET, REFUSE, STAY, StateTable, by_state


class PaymentStatus(models.TextChoices):
    """The states of a payment. While it is `authorized` or `lapsed`, the provider holds money that can be captured."""

    REQUESTED = "requested"
    UNKNOWN = "unknown"
    ACTION_REQUIRED = "action"  # the column has 10 characters
    PENDING = "pending"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    ABANDONED = "abandoned"
    EXPIRED = "expired"
    AUTHORIZED = "authorized"
    LAPSED = "lapsed"
    VOIDED = "voided"


PAYMENT_NAMES = {status.value: status.name.lower() for status in PaymentStatus}
"""The words of the API for the states of a payment, by the words in which they are stored."""

REQUESTED, UNKNOWN, ACTION_REQUIRED, PENDING, SUCCEEDED, FAILED, ABANDONED, EXPIRED, AUTHORIZED, LAPSED, VOIDED = (
    status.value for status in PaymentStatus
)

WAITING = (ACTION_REQUIRED, PENDING)
"""The states in which the buyer or their bank is to act."""

UNSETTLED = (REQUESTED, UNKNOWN, *WAITING)
"""The states in which nobody knows yet whether the money comes."""

HELD = (AUTHORIZED, LAPSED)
"""The states in which the provider holds money that can be captured; soon not any more, once it has lapsed."""

_row = by_state(PaymentStatus)
_ACTION = ACTION_REQUIRED  # short, so that a row of the table fits in a line
_AUTH = AUTHORIZED

PAYMENT_LIFE = StateTable(
    PaymentStatus,
    {
        # message                 requested  unknown    action     pending    succeeded  failed     abandoned  expired    authorized lapsed     voided
        # If the provider reports a charge, the payment succeeded, even after another outcome was recorded.
        "succeed":           _row(SUCCEEDED, SUCCEEDED, SUCCEEDED, SUCCEEDED, IGNORE,    SUCCEEDED, SUCCEEDED, SUCCEEDED, IGNORE,    IGNORE,    IGNORE),
        "fail":              _row(FAILED,    FAILED,    FAILED,    FAILED,    IGNORE,    IGNORE,    IGNORE,    IGNORE,    IGNORE,    IGNORE,    IGNORE),
        "lose_outcome":      _row(UNKNOWN,   IGNORE,    IGNORE,    IGNORE,    IGNORE,    IGNORE,    IGNORE,    IGNORE,    IGNORE,    IGNORE,    IGNORE),
        # What the buyer is to do comes before the money is on its way. So an older report changes nothing.
        "require_action":    _row(_ACTION,   _ACTION,   STAY,      IGNORE,    IGNORE,    IGNORE,    IGNORE,    IGNORE,    IGNORE,    IGNORE,    IGNORE),
        "await_money":       _row(PENDING,   PENDING,   PENDING,   STAY,      IGNORE,    IGNORE,    IGNORE,    IGNORE,    IGNORE,    IGNORE,    IGNORE),
        "expire":            _row(EXPIRED,   EXPIRED,   EXPIRED,   EXPIRED,   IGNORE,    IGNORE,    IGNORE,    IGNORE,    IGNORE,    IGNORE,    IGNORE),
        "abandon":           _row(ABANDONED, ABANDONED, ABANDONED, ABANDONED, IGNORE,    IGNORE,    IGNORE,    IGNORE,    IGNORE,    IGNORE,    IGNORE),
        # An authorization counts as a charge does, once. What becomes of it later has messages of its own.
        "authorize":         _row(_AUTH,     _AUTH,     _AUTH,     _AUTH,     IGNORE,    _AUTH,     _AUTH,     _AUTH,     IGNORE,    IGNORE,    IGNORE),
        "record_capture":    _row(NOT_YET,   NOT_YET,   NOT_YET,   NOT_YET,   STAY,      REFUSE,    REFUSE,    STAY,      STAY,      STAY,      STAY),
        "lapse":             _row(IGNORE,    IGNORE,    IGNORE,    IGNORE,    IGNORE,    IGNORE,    IGNORE,    IGNORE,    LAPSED,    IGNORE,    IGNORE),
        "close_captured":    _row(IGNORE,    IGNORE,    IGNORE,    IGNORE,    IGNORE,    IGNORE,    IGNORE,    SUCCEEDED, SUCCEEDED, SUCCEEDED, SUCCEEDED),
        "close_voided":      _row(IGNORE,    IGNORE,    IGNORE,    IGNORE,    IGNORE,    IGNORE,    IGNORE,    IGNORE,    VOIDED,    VOIDED,    IGNORE),
        "close_expired":     _row(IGNORE,    IGNORE,    IGNORE,    IGNORE,    IGNORE,    IGNORE,    IGNORE,    IGNORE,    EXPIRED,   EXPIRED,   IGNORE),
    },
)  # fmt: skip
