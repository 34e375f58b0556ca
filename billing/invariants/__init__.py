"""Billing's invariants: what must always be true of its books, each checked by one SQL query."""

from billing.invariants import (  # noqa: F401 - registers their checks
    captures,
    disputes,
    documents,
    money,
    refund_proposals,
)
