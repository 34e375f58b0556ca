"""The orders of guests, and to whom their access tokens belong."""

from collections.abc import Sequence
from typing import NamedTuple
from uuid import UUID

from integration.domain.identifiers import BuyerId, OrderNumber, is_guest
from integration.rest.guests import GuestOrder, finds_guests
from ordering.models import Order


class GuestToWrite(NamedTuple):
    """The guest of an order: identifier, name, e-mail address, and the order's story."""

    buyer: BuyerId
    name: str
    email: str
    story: UUID


def guests_of_orders(numbers: Sequence[OrderNumber]) -> dict[OrderNumber, GuestToWrite]:
    """By order, its guest; without orders that are no guest's, and without guests who are erased."""
    orders = Order.objects.filter(pk__in=numbers, buyer__user=None).exclude(buyer__email="")
    rows = orders.order_by().values_list("number", "buyer", "buyer__name", "buyer__email", "correlation_id")
    return {
        OrderNumber(number): GuestToWrite(BuyerId(buyer), name, email, story)
        for number, buyer, name, email, story in rows
        if is_guest(BuyerId(buyer))
    }


@finds_guests
def guest_order(number: OrderNumber) -> GuestOrder | None:
    """The order, if it is a guest's who is not erased."""
    guest = guests_of_orders([number]).get(number)
    return GuestOrder(number, guest.buyer, guest.story) if guest else None
