"""Finds the buyer who makes a request."""

from typing import cast

from rest_framework.request import Request

from integration.domain.identifiers import BuyerId
from ordering import commands


def caller(request: Request) -> BuyerId:
    """The buyer ID of the authenticated user who makes a request; the buyer may not be registered yet."""
    return commands.buyer_of_user(cast(int, request.user.pk))
