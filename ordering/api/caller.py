"""Which buyer makes a request."""

from typing import cast

from rest_framework.request import Request

from integration.domain.identifiers import BuyerId
from ordering import commands


def caller(request: Request) -> BuyerId:
    """The identifier under which the user who makes a request buys."""
    return commands.buyer_of_user(cast(int, request.user.pk))
