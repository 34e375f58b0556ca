"""Erases a buyer: their account, their profile, and the personal data in their orders."""

from typing import NamedTuple

from integration.aggregates.erasure import forget
from integration.aggregates.unit_of_work import UnitOfWork, unit_of_work
from integration.domain.errors import Refused
from integration.domain.identifiers import BuyerId, OrderNumber
from integration.domain.metadata import caused_by, current_cause
from integration.gateways.mail_files import forget_letters
from integration.messaging.erasure import forget_errors
from integration.rest.erasure import close_account, forget_responses
from integration.rest.middleware import actor_of
from integration.webhooks.erasure import forget_attempts
from ordering.commands.carts import expire_cart
from ordering.commands.vouchers import anonymize_claims
from ordering.models import Buyer, Order
from ordering.queries import orders_to_anonymize, orders_under_way, stories_of_profile
from ordering.queries.carts import open_carts_of


class OrdersUnderWay(Refused):
    """The buyer has orders that are under way. They must be delivered or cancelled first."""


ERASED_AT_ONCE = 200
"""How many orders one unit of work anonymizes. On SQLite a transaction blocks all other writers, so keep it short."""


class Erased(NamedTuple):
    """Whether the profile was erased, how many orders were anonymized, and how many e-mails deleted."""

    buyer: bool
    orders: int
    emails: int = 0


def erase_buyer(buyer: BuyerId) -> Erased:
    """Close a buyer's account, erase their profile and e-mails, end their cart, and anonymize their orders.

    Accounting data stays. Erasing a guest makes the access token of their order void.

    The other contexts erase their personal data of these orders when they consume `BuyerErased`. Each 200 orders take
    about twenty SQL statements and one unit of work. After an interruption, call the command again: it continues where
    it stopped, and does nothing once all is erased.

    Returns:
        What this call erased.

    Raises:
        NotFound: there is no such buyer.
        OrdersUnderWay: an order of the buyer is neither delivered nor cancelled.
    """
    erased = _erase_profile(buyer)
    orders = 0
    while carts := open_carts_of(buyer, ERASED_AT_ONCE):
        for cart in carts:
            expire_cart(cart)
    while anonymized := _anonymize_some_orders(buyer):
        orders += anonymized
    return Erased(erased, orders, forget_letters(buyer))  # after the commit, so that no late e-mail is stored again


def _erase_profile(buyer: BuyerId) -> bool:
    with unit_of_work() as work:
        stories = stories_of_profile(buyer)
        forget_errors(stories)
        forget_attempts(stories)
        found = _alone_with(buyer, work)
        before = found.version
        found.erase([])
        forget(Buyer, [buyer])
        forget_responses(stories, actor_of(found.user) if found.user else None)
        if found.user:
            close_account(found.user)
    return found.version > before


def _alone_with(buyer: BuyerId, work: UnitOfWork) -> Buyer:
    """Return the buyer, locked until the transaction ends, so that no order of theirs can be placed meanwhile.

    `place_order` holds the buyer's row with `FOR KEY SHARE`, and only `FOR UPDATE` waits for that.

    Raises:
        NotFound: there is no such buyer.
        OrdersUnderWay: an order of the buyer is neither delivered nor cancelled.
    """
    list(Buyer.objects.filter(pk=buyer).order_by().select_for_update().values_list("pk"))
    found = work.get(Buyer, buyer)
    under_way = orders_under_way(buyer)
    if under_way:
        raise OrdersUnderWay(f"{OrdersUnderWay.__doc__} Orders: {', '.join(under_way)}")
    return found


def _anonymize_some_orders(buyer: BuyerId) -> int:
    with unit_of_work() as work:
        cause = current_cause()
        numbers = orders_to_anonymize(buyer, ERASED_AT_ONCE)
        stories = [order.correlation_id for order in work.look_at(Order, numbers).values()]
        orders: dict[str, Order] = {}
        if stories:
            forget_errors(stories)
            forget_attempts(stories)
            orders = work.get_many(Order, numbers)
            found = _alone_with(buyer, work)
            for order in orders.values():
                order.anonymize()
            anonymize_claims(work, orders.values(), buyer)
            with caused_by(cause):  # so that the event does not join the last order's story
                found.erase([OrderNumber(number) for number in orders])
            forget(Order, orders)
            forget_responses(stories)
    return len(orders)
