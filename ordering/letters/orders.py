"""Letters about an order and its money."""

from collections.abc import Sequence
from datetime import datetime

from django.utils.translation import gettext as _

from integration.domain.identifiers import CancellationId, OrderNumber, RefundId, ShipmentId
from integration.domain.money import Money
from ordering.letters.language import exact, goods, money
from ordering.letters.letter import Letter
from ordering.letters.withdrawal import information

PAYMENT_FAILED = "payment_failed"
"""The reason of a cancellation that has a kind of letter of its own. It equals `CancellationReason.PAYMENT_FAILED`."""


def received(order: OrderNumber, lines: Sequence[tuple[int, str, Money]], total: Money) -> Letter:
    """The order was received. It has the information on withdrawal.

    Directive 2011/83/EU, article 8(7), demands a confirmation on a durable medium with that information. Directive
    2000/31/EC, article 11(1), demands that the receipt of an order is acknowledged without delay.

    Args:
        order: the order.
        lines: quantity, name and total of each line.
        total: what the buyer pays in all.
    """
    return Letter(
        "received",
        _("We have received your order %(order)s") % {"order": order},
        (_("Thank you for your order. Another e-mail confirms it as soon as it is paid."),),
        rows=(
            *((f"{quantity} × {name}", money(price)) for quantity, name, price in lines),
            (_("Total, with tax and shipping"), money(total)),
        ),
        small_print=information(),
    )


def action_required(order: OrderNumber, expires_at: datetime) -> Letter:
    """The buyer must do something, such as confirm the payment to their bank; otherwise the order is cancelled."""
    return Letter(
        "action_required",
        _("Your order %(order)s needs you") % {"order": order},
        (
            _(
                "Your bank asks you to confirm the payment. "
                "Please open the order in our shop and do so until %(moment)s."
            )
            % {"moment": exact(expires_at)},
            _("Without it, the order is cancelled and nothing is charged."),
        ),
    )


def payment_again(order: OrderNumber) -> Letter:
    """The authorization of the payment ended before all goods had left: the buyer is to pay again."""
    return Letter(
        "payment_again",
        _("Your order %(order)s is to be paid again") % {"order": order},
        (
            _(
                "We may charge your card only for a limited time, and it is over before all goods have left. "
                "Please open the order in our shop and pay again. Then we send what is left."
            ),
            _("What you have paid already is not charged again."),
        ),
    )


def confirmed(order: OrderNumber) -> Letter:
    """The order is paid, and will be shipped."""
    return Letter(
        "confirmed",
        _("Your order %(order)s is confirmed") % {"order": order},
        (_("Nothing is left to pay, and we are packing your order."),),
    )


def cancelled(order: OrderNumber, reason: str) -> Letter:
    """The whole order was cancelled.

    Args:
        order: the order.
        reason: a value of `CancellationReason`.
    """
    if reason == PAYMENT_FAILED:
        return Letter(
            "payment_failed",
            _("The payment of your order %(order)s was declined") % {"order": order},
            (
                _("So we have cancelled your order, and nothing was charged."),
                _("If you still want the goods, please order again with another payment method."),
            ),
        )
    why = {
        "out_of_stock": _("It was cancelled because some of the goods are out of stock."),
        "payment_timeout": _("It was cancelled because the payment did not arrive in time."),
        "not_processed": _("It was cancelled because we could not process it in time."),
        "by_buyer": _("It was cancelled because you asked us to."),
    }.get(reason, _("It was cancelled because we had to."))
    return Letter(
        "cancelled",
        _("Your order %(order)s is cancelled") % {"order": order},
        (why, _("If you have already paid, we will refund you.")),
    )


def refunded(order: OrderNumber, refund: RefundId, amount: Money) -> Letter:
    """A refund was issued."""
    return Letter(
        "refunded",
        _("Your order %(order)s is refunded (%(refund)s)") % {"order": order, "refund": refund},
        (_("We have refunded %(amount)s.") % {"amount": money(amount)},),
    )


def cancellation_refused(order: OrderNumber, shipment: ShipmentId) -> Letter:
    """The buyer's cancellation came too late."""
    return Letter(
        "cancellation_refused",
        _("Your order %(order)s is not cancelled") % {"order": order},
        (
            _("You asked us to cancel it, but its goods had already left our warehouse (%(shipment)s).")
            % {"shipment": shipment},
        ),
    )


def lines_cancelled(
    order: OrderNumber, cancellation: CancellationId, lines: Sequence[tuple[int, str]], gone: Sequence[tuple[int, str]]
) -> Letter:
    """A part of the order was cancelled, or could not be.

    Args:
        order: the order.
        cancellation: the cancellation.
        lines: the cancelled quantities, with their SKU.
        gone: those that had left the warehouse before.
    """
    sentences = []
    if lines:
        stopped = _("Cancelled: %(goods)s.") % {"goods": goods(lines)}
        sentences.append(f"{stopped} {_('If you have already paid, we will refund you.')}")
    if gone:
        sentences.append(
            _("Not cancelled, because it had already left our warehouse: %(goods)s.") % {"goods": goods(gone)}
        )
    names = {"order": order, "cancellation": cancellation}
    subject = (
        _("Your order %(order)s is changed (%(cancellation)s)") % names
        if lines
        else _("Your order %(order)s is not changed (%(cancellation)s)") % names
    )
    return Letter("lines_cancelled", subject, tuple(sentences))
