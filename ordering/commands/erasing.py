"""Erases a buyer: account, profile, and the personal data in their orders."""

from typing import NamedTuple

from integration.aggregates.erasure import forget
from integration.aggregates.unit_of_work import unit_of_work
from integration.domain.errors import Refused
from integration.domain.identifiers import BuyerId, OrderNumber
from integration.domain.metadata import caused_by, current_cause
from integration.messaging.erasure import forget_errors
from integration.rest.erasure import close_account, forget_responses
from integration.rest.middleware import actor_of
from ordering.models import Buyer, Order
from ordering.queries import orders_under_way, orders_with_a_name, stories_of_profile


class OrdersUnderWay(Refused):
    """The buyer has orders that are under way: they must be delivered or cancelled first."""


ERASED_AT_ONCE = 200
"""As many orders are anonymized in one unit of work: SQLite lets nobody else write for so long."""


class Erased(NamedTuple):
    """What there was to erase: whether of the buyer themselves, and in how many of their orders."""

    buyer: bool
    orders: int


def erase_buyer(buyer: BuyerId) -> Erased:
    """Forget who a buyer is: their account, their profile, and of their orders all but what the books need.

    It takes some fifteen statements for each 200 orders. The other contexts hear of it and follow. If it is cut off,
    calling it again goes on; when all is done, it finds nothing.

    Raises:
        NotFound: there is no such buyer.
        OrdersUnderWay: some order of theirs is neither delivered nor cancelled.
    """
    erased = _erase_profile(buyer)
    orders = 0
    while some := _anonymize_some_orders(buyer):
        orders += some
    return Erased(erased, orders)


def _erase_profile(buyer: BuyerId) -> bool:
    with unit_of_work() as work:
        known = work.get(Buyer, buyer)
        under_way = orders_under_way(buyer)
        if under_way:
            raise OrdersUnderWay(f"{OrdersUnderWay.__doc__} {', '.join(under_way)}")
        before = known.version
        known.erase([])
        forget(Buyer, [buyer])
        stories = stories_of_profile(buyer)
        forget_errors(stories)
        forget_responses(stories, actor_of(known.user) if known.user else None)
        if known.user:
            close_account(known.user)
    return known.version > before


def _anonymize_some_orders(buyer: BuyerId) -> int:
    with unit_of_work() as work:
        cause = current_cause()
        orders = work.get_many(Order, orders_with_a_name(buyer, ERASED_AT_ONCE))
        if orders:
            for order in orders.values():
                order.anonymize()
            with caused_by(cause):  # and not as a part of the last order's story
                work.get(Buyer, buyer).erase([OrderNumber(number) for number in orders])
            forget(Order, orders)
            stories = [order.correlation_id for order in orders.values()]
            forget_errors(stories)
            forget_responses(stories)
    return len(orders)
