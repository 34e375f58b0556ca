"""Finds the buyer who makes a request, and the orders that are theirs."""

from typing import cast

from django.db.models import QuerySet
from rest_framework.request import Request

from integration.domain.identifiers import BuyerId
from integration.rest.guests import guest_of
from ordering import commands, queries
from ordering.models import Order


def caller(request: Request) -> BuyerId:
    """The buyer ID of who makes a request: of a user, who may not be registered as a buyer yet, or of a guest."""
    guest = guest_of(request)
    return guest.buyer if guest else commands.buyer_of_user(cast(int, request.user.pk))


def own_orders(request: Request) -> QuerySet[Order]:
    """The caller's own orders; of a guest the one order that the access token opens."""
    orders, guest = queries.orders_of(caller(request)), guest_of(request)
    return orders.filter(pk=guest.order) if guest else orders
