"""Which carts there are. What a cart costs is priced in `commands.cart_prices`."""

from django.conf import settings

from integration.domain import clock
from integration.domain.errors import NotFound
from integration.domain.identifiers import BuyerId, CartId
from ordering.models import Cart, CartStatus


def cart(id: CartId, by: BuyerId | None) -> Cart:
    """A cart that a buyer may open, or without a buyer a guest who has shown its token; raises `NotFound`."""
    found = Cart.objects.filter(pk=id, buyer=by or "").first()
    if found is None:
        raise NotFound(f"there is no cart {id}")
    return found


def open_cart_of(buyer: BuyerId) -> CartId | None:
    """The buyer's open cart."""
    found = Cart.objects.filter(buyer=buyer, status=CartStatus.OPEN).order_by().values_list("pk", flat=True).first()
    return CartId(found) if found else None


def carts_to_expire(limit: int) -> list[CartId]:
    """At most `limit` open carts that nobody has changed for `CART_EXPIRY`, the oldest first."""
    old = Cart.objects.filter(status=CartStatus.OPEN, updated_at__lte=clock.now() - settings.CART_EXPIRY)
    return [CartId(id) for id in old.order_by("updated_at").values_list("pk", flat=True)[:limit]]


def open_carts_of(buyer: BuyerId, limit: int) -> list[CartId]:
    """At most `limit` open carts of a buyer."""
    found = Cart.objects.filter(buyer=buyer, status=CartStatus.OPEN).order_by("pk")
    return [CartId(id) for id in found.values_list("pk", flat=True)[:limit]]
