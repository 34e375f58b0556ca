"""Letters about goods that come back, and the acknowledgement of a withdrawal."""

from collections.abc import Sequence
from datetime import datetime

from django.utils.translation import gettext as _

from integration.domain.identifiers import OrderNumber, ReceiptId, ReturnId, WithdrawalId
from integration.domain.money import Money
from ordering.letters.language import day, exact, goods, money
from ordering.letters.letter import Letter

Units = Sequence[tuple[int, str]]
"""Quantities with their SKU."""


def approved(order: OrderNumber, return_: ReturnId, lines: Units, send_by: datetime, shop_pays: bool) -> Letter:
    """The buyer may send goods back."""
    return Letter(
        "return_approved",
        _("Your return %(return)s is approved (order %(order)s)") % {"return": return_, "order": order},
        (
            _("Please send %(goods)s until %(day)s, and put a note with the number %(return)s into the parcel.")
            % {"goods": goods(lines), "day": day(send_by), "return": return_},
            _("We pay the postage.") if shop_pays else _("The postage is yours to pay."),
        ),
    )


def refused(order: OrderNumber, return_: ReturnId, reason: str) -> Letter:
    """The shop does not take goods back."""
    return Letter(
        "return_refused",
        _("Your return %(return)s is refused (order %(order)s)") % {"return": return_, "order": order},
        (_("The reason: %(reason)s") % {"reason": reason},),
    )


def received(
    order: OrderNumber,
    return_: ReturnId,
    receipt: ReceiptId,
    came: Units,
    missing: Units,
    fee: Money | None,
    reduction: tuple[Money, str] | None,
) -> Letter:
    """Goods of a return came back.

    Args:
        order: the order.
        return_: the return.
        receipt: the receipt.
        came: what was in the parcel.
        missing: what was not.
        fee: a fee that is not refunded.
        reduction: what is not refunded for diminished value, and why.
    """
    sentences = []
    if came:
        sentences.append(_("We have received %(goods)s.") % {"goods": goods(came)})
    if missing:
        sentences.append(_("Missing in your parcel: %(goods)s.") % {"goods": goods(missing)})
    if fee:
        sentences.append(_("The fee is %(fee)s.") % {"fee": money(fee)})
    if reduction:
        less, why = reduction
        sentences.append(_("We refund %(less)s less: %(reason)s.") % {"less": money(less), "reason": why})
    return Letter(
        "return_received",
        _("Your return %(return)s has arrived (%(receipt)s) (order %(order)s)")
        % {"return": return_, "receipt": receipt, "order": order},
        tuple(sentences),
    )


def withdrawn(order: OrderNumber, withdrawal: WithdrawalId, lines: Units, declared_at: datetime) -> Letter:
    """Acknowledges a withdrawal, with its content and its moment.

    Directive 2011/83/EU, article 11(3): the trader acknowledges the receipt of a withdrawal on a durable medium without
    delay. Article 11a, added by Directive (EU) 2023/2673, demands its content, date and time.
    """
    return Letter(
        "withdrawal_confirmed",
        _("Your withdrawal from order %(order)s") % {"order": order},
        (
            _("We received your withdrawal %(withdrawal)s from order %(order)s on %(moment)s. It is about %(goods)s.")
            % {"withdrawal": withdrawal, "order": order, "moment": exact(declared_at), "goods": goods(lines)},
            _("What has not left our warehouse is cancelled. If something has, another e-mail says how to send it."),
            _("We refund you within 14 days, and may wait for the goods or for a proof that you have sent them."),
        ),
    )
