"""One row of our books compared with the provider's entry of it: what differs, and whether a repair is safe."""

from collections.abc import Callable
from datetime import timedelta
from functools import partial

from msgspec import Struct

from billing.commands.capturing import settle_capture
from billing.commands.discrepancies import already_used, contradiction
from billing.commands.payments import settle_payment
from billing.commands.refunding import settle_refund
from billing.gateways import (
    ActionRequired,
    Authorized,
    Booked,
    Captured,
    Charged,
    Declined,
    Expired,
    Pending,
    Refunded,
    RefundFailed,
    RefundPending,
    Voided,
)
from billing.models import (
    HELD,
    UNSETTLED,
    Capture,
    CaptureStatus,
    InvoiceStatus,
    Payment,
    PaymentStatus,
    Refund,
    RefundStatus,
)
from integration.domain import clock
from integration.domain.identifiers import CaptureId, PaymentId, RefundId

OVERDUE = timedelta(hours=1)
"""A payment or refund that is requested for longer, and that the provider does not have, is a task for an operator."""

NOT_REQUESTED, NOT_THERE = "the provider moved", "the provider has no"
"""Findings that contain one of these are settled once the provider's books agree with ours."""


Row = Payment | Refund | Capture


UNSETTLED_REFUNDS = (RefundStatus.REQUESTED, RefundStatus.PENDING, RefundStatus.BLOCKED)


class Difference(Struct, frozen=True):
    """A difference between the two books: a sentence for operators, and the repair if it is safe."""

    finding: str
    repair: Callable[[], object] | None = None


def compare_row(row: Row, booked: Booked | None) -> Difference | None:
    """The difference between a row and the provider's entry under its key, if there is one; None if they agree."""
    if booked is None:
        return _compare_missing(row)
    if finding := contradiction(row, booked):
        return Difference(finding)
    if isinstance(row, Capture):
        difference = _compare_capture(row, booked)
    else:
        difference = _compare_payment(row, booked) if isinstance(row, Payment) else _compare_refund(row, booked)
    if difference and difference.repair and (finding := already_used(row, booked)):
        return Difference(finding)
    return difference


def _compare_missing(row: Row) -> Difference | None:
    """The difference if the provider has no entry under the row's key."""
    missing = f"{NOT_THERE} {'charge' if isinstance(row, Payment) else type(row).__name__.lower()} under this key"
    if row.status in (PaymentStatus.SUCCEEDED, *HELD, RefundStatus.ISSUED, CaptureStatus.CAPTURED):
        return Difference(f"we have it as {'paid' if row.status == PaymentStatus.SUCCEEDED else row.status}, {missing}")
    if row.status not in (*UNSETTLED, *UNSETTLED_REFUNDS) or row.status == RefundStatus.BLOCKED:
        return None
    if isinstance(row, Payment) and row.invoice.status == InvoiceStatus.VOID:
        abandon = partial(settle_payment, PaymentId(row.id), None)
        return Difference(f"its invoice is void, and {missing}", abandon)
    if row.created_at < clock.now() - OVERDUE:
        return Difference(f"requested at {row.created_at:%F %T}, and {missing}")
    return None


def _compare_payment(payment: Payment, booked: Booked) -> Difference | None:
    settle = partial(settle_payment, PaymentId(payment.id), booked)
    match booked.outcome:
        case Charged() if payment.status != PaymentStatus.SUCCEEDED:
            return Difference(f"we have it as {payment.status}, the provider charged", settle)
        case Authorized() if payment.status in (*UNSETTLED, PaymentStatus.FAILED, PaymentStatus.ABANDONED):
            return Difference(f"we have it as {payment.status}, the provider authorized", settle)
        case Expired() | Voided() if payment.status in HELD:
            return Difference(f"we have it as {payment.status}, the provider ended the authorization", settle)
        case Declined() if payment.status in UNSETTLED:
            return Difference(f"we have it as {payment.status}, the provider declined", settle)
        case Expired() if payment.status in UNSETTLED:
            return Difference(f"we have it as {payment.status}, the provider's time ran out", settle)
        case ActionRequired() | Pending() if payment.status in (PaymentStatus.REQUESTED, PaymentStatus.UNKNOWN):
            return Difference(f"we have it as {payment.status}, the provider waits for the buyer or the money", settle)
        case Declined() | Expired() if payment.status == PaymentStatus.SUCCEEDED:
            return Difference("we have it as paid, the provider took nothing")
    return None


def _compare_capture(capture: Capture, booked: Booked) -> Difference | None:
    settle = partial(settle_capture, CaptureId(capture.id), booked)
    if isinstance(booked.outcome, Captured) and capture.status != CaptureStatus.CAPTURED:
        return Difference(f"we have it as {capture.status}, the provider captured", settle)
    return None


def _compare_refund(refund: Refund, booked: Booked) -> Difference | None:
    settle = partial(settle_refund, RefundId(refund.id), booked)
    match booked.outcome:
        case Refunded() if refund.status in UNSETTLED_REFUNDS:
            return Difference(f"we have it as {refund.status}, the provider refunded", settle)
        case RefundFailed() if refund.status != RefundStatus.FAILED:
            return Difference(f"we have it as {refund.status}, the refund failed at the provider", settle)
        case RefundPending() if refund.status == RefundStatus.REQUESTED:
            return Difference("we have it as requested, the provider accepted it", settle)
        case Refunded() if refund.status != RefundStatus.ISSUED:
            return Difference(f"we have it as {refund.status}, the provider refunded")
    return None
