"""A guest's order comes with an access token, which as a bearer token opens that one order and nothing else.

The token is derived from the order and its story with a keyed hash, and never stored. A view accepts it only if it says
so: `authentication_classes = FOR_GUESTS`. Then `request.user` is a `Guest`, and the view must look for nothing beyond
`guest_of(request).order`. Every other view responds with a 401.

The context that has the orders says whose they are, with `finds_guests`.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple
from uuid import UUID

from django.contrib.auth.models import AnonymousUser
from django.utils.crypto import constant_time_compare, salted_hmac
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from integration.domain.identifiers import BuyerId, OrderNumber
from integration.rest.authentication import BearerToken

BEGINS = "guest"
"""What an access token begins with. The tokens of users have no full stop, so neither is taken for the other."""
MAX_NUMBER_LENGTH = 20


class GuestOrder(NamedTuple):
    """A guest's order: its number, the guest, and its story."""

    number: OrderNumber
    buyer: BuyerId
    story: UUID


Find = Callable[[OrderNumber], GuestOrder | None]
_finders: list[Find] = []


def finds_guests(find: Find) -> Find:
    """Register the function that returns an order if it is a guest's, and None if it is nobody's or a user's."""
    _finders[:] = [find]
    return find


class Guest(AnonymousUser):
    """Who sends an access token: the guest of one order.

    Args:
        order: the order that the token opens.
        buyer: the guest as a buyer, who has no other order.
    """

    is_active = True  # type: ignore[assignment]  # a user who is not known is not active

    def __init__(self, order: OrderNumber, buyer: BuyerId) -> None:
        self.order, self.buyer = order, buyer

    def __str__(self) -> str:
        return f"the guest of {self.order}"

    @property
    def is_anonymous(self) -> bool:  # type: ignore[override]
        """False: who sends a valid token is known."""
        return False

    @property
    def is_authenticated(self) -> bool:  # type: ignore[override]
        """True: who sends a valid token is known."""
        return True

    @property
    def actor(self) -> str:
        """The guest's name in metadata."""
        return f"guest:{self.order}"


def guest_of(request: Request) -> Guest | None:
    """The guest who makes a request; None if a user makes it, or nobody who is known."""
    return request.user if isinstance(request.user, Guest) else None


def access_token(number: OrderNumber, story: UUID) -> str:
    """The token that opens a guest's order. A number may come again with a backup; a story never does."""
    signature = salted_hmac("access token of an order", f"{number} {story}", algorithm="sha256").hexdigest()
    return f"{BEGINS}.{number}.{signature}"


def guest_with(token: str) -> Guest | None:
    """The guest whose order this token opens; None if it opens no guest's order."""
    begins, _, rest = token.partition(".")
    number, _, signature = rest.partition(".")
    if begins != BEGINS or not signature or not 0 < len(number) <= MAX_NUMBER_LENGTH or not token.isascii():
        return None
    order = _finders[0](OrderNumber(number)) if _finders else None
    if order is None or not constant_time_compare(access_token(order.number, order.story), token):
        return None
    return Guest(order.number, order.buyer)


class AccessToken(BaseAuthentication):
    """Authenticates the access token of a guest's order."""

    def authenticate(self, request: Request) -> tuple[Guest, str] | None:
        """Return the guest and the token; None if the request has no access token.

        Raises:
            AuthenticationFailed: when the token opens no guest's order.
        """
        kind, _, token = get_authorization_header(request).decode("latin-1").partition(" ")
        if kind.lower() != "bearer" or not token.strip().startswith(f"{BEGINS}."):
            return None
        guest = guest_with(token.strip())
        if guest is None:
            raise AuthenticationFailed("Invalid token.")
        return guest, token.strip()

    def authenticate_header(self, request: Request) -> str:
        """The scheme of `WWW-Authenticate`."""
        return "Bearer"


FOR_GUESTS: Sequence[type[BaseAuthentication]] = (AccessToken, BearerToken)
"""The authentication of views that a guest may use for their order."""


class AccessTokenScheme(OpenApiAuthenticationExtension):
    """Describes access tokens in the OpenAPI document."""

    target_class = AccessToken
    name = "Guest"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {
            "type": "http",
            "scheme": "bearer",
            "description": "The `access_token` of a guest's order, which opens that order and nothing else.",
        }
