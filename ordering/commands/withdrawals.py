"""The command with which a buyer withdraws from an order.

Directive 2011/83/EU on consumer rights, as amended by Directive (EU) 2023/2673:

* Article 9: within 14 days after the last delivery, without a reason; a buyer may withdraw before the delivery, too.
* Article 11: it takes effect when the buyer sends it. So it is recorded at once, and nothing undoes it.
* Article 11a: a shop that sells online offers a function for it, in which the buyer states a name, the contract and
  where to send the acknowledgement. That has the content, the date and the time, and is sent without delay.
* Article 13: all payments are refunded within 14 days, the cheapest delivery included, a costlier one only up to that.
  The shop may wait for the goods or for a proof that they were sent.
* Article 14: the buyer sends the goods within 14 days and is liable only for diminished value.
* Article 16: some goods are exempt, such as those made to measure.
"""

from collections.abc import Collection, Sequence
from datetime import timedelta

from integration.aggregates.unit_of_work import unit_of_work
from integration.domain import clock
from integration.domain.errors import Refused
from integration.domain.identifiers import OrderNumber, Sku
from integration.domain.money import Money
from integration.domain.right_of_withdrawal import end_of_period, withdrawal_period
from ordering.models import NothingToWithdraw, NotOrdered, Order
from ordering.models.order_requests import summed
from ordering.queries.terms import exempt_products
from ordering.queries.withdrawals import withdrawal_begins

REFUND_WITHIN = timedelta(days=14)


class NoRightOfWithdrawal(Refused):
    """There is no right of withdrawal in the country of delivery."""


class WithdrawalOver(Refused):
    """The time in which the buyer could withdraw has passed."""


class ExemptFromWithdrawal(Refused):
    """These goods are exempt from the right of withdrawal."""


def withdraw(
    number: OrderNumber,
    lines: Sequence[tuple[Sku, int]] | None = None,
    name: str = "",
    email: str = "",
    if_version: Collection[int] | None = None,
) -> Order:
    """Withdraw from an order, or from some of its units.

    Args:
        lines: SKUs and quantities; None for all that is not exempt.
        name: who declares it, if they say so.
        email: where to send the acknowledgement; empty for the buyer's own address.
        if_version: the versions of the order that the caller accepts; None accepts any.

    Returns:
        The order, with its withdrawal.

    Raises:
        NotFound: there is no such order.
        NotAllowed: the order is cancelled, or all of it came back.
        NoRightOfWithdrawal, WithdrawalOver: the buyer cannot withdraw, or not any more.
        ExemptFromWithdrawal: some of these goods are exempt.
        NotOrdered: the order has no line of a SKU.
        NothingToWithdraw: the buyer has fewer units.
        WithdrawalTooEarly: the order is not confirmed, and this is not the whole order.
        StaleVersion: the order is in none of the versions in `if_version`.
    """
    with unit_of_work() as work:
        order = work.get(Order, number)
        order.expect_version(if_version)
        _require_in_time(order)
        now = clock.now()
        order.withdraw(
            _units(order, lines),
            moment=now,
            refund_due_at=now + REFUND_WITHIN,
            name=name,
            email=email,
            shipping_withheld=_surcharge(order),
        )
    return order


def _require_in_time(order: Order) -> None:
    period, begins = withdrawal_period(order.shipping_address["country"]), withdrawal_begins(order)
    if period is None:
        raise NoRightOfWithdrawal
    if begins and clock.now() >= (end := end_of_period(begins, period)):
        raise WithdrawalOver(f"{order} could be withdrawn from until {end:%Y-%m-%d}")


def _units(order: Order, lines: Sequence[tuple[Sku, int]] | None) -> dict[Sku, int]:
    has = order.withdrawable
    skus = {Sku(line.sku) for line in order.lines}
    exempt = exempt_products(skus, order.created_at)
    if lines is None:
        units = {sku: left for sku, left in has.items() if sku not in exempt}
        Order.require(bool(units) or not exempt & has.keys(), ExemptFromWithdrawal)
        Order.require(bool(units), NothingToWithdraw)
        return units
    for i, (sku, _) in enumerate(lines):
        Order.require(sku in skus, NotOrdered(f"{order} has no line of {sku}", pointer=f"/lines/{i}/sku"))
        Order.require(sku not in exempt, ExemptFromWithdrawal(f"{sku} is exempt from the right of withdrawal"))
    return dict(summed(lines))


def _surcharge(order: Order) -> Money | None:
    """What of the order's shipping is a surcharge on the cheapest option, which is not refunded."""
    shipping = order.shipping
    if shipping is None or not shipping.surcharge_minor or not shipping.price:
        return None
    return shipping.total.share(shipping.surcharge_minor, shipping.price.minor, half_up=True) or None
