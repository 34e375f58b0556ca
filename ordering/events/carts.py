"""The domain events of carts. A cart that has ended holds no personal data."""

from msgspec import Struct

from integration.domain.events import DomainEvent, domain_event
from integration.domain.identifiers import BuyerId, CartId, OrderNumber, Sku
from integration.domain.personal import PersonalAddressIfAny


class CartItem(Struct, frozen=True):
    """A quantity of one product in a cart."""

    sku: Sku
    quantity: int


@domain_event("ordering.cart_opened", says="cart {key} was opened")
class CartOpened(DomainEvent, kw_only=True):
    """A buyer opened a cart, or a guest: then `buyer` is None."""

    cart: CartId
    buyer: BuyerId | None


@domain_event("ordering.cart_item_set", says="cart {key} has {quantity} of {sku}")
class CartItemSet(DomainEvent, kw_only=True):
    """The quantity of a product in the cart changed; zero takes it out."""

    sku: Sku
    quantity: int


@domain_event("ordering.cart_address_set", says="cart {key} got another shipping address")
class CartAddressSet(DomainEvent, kw_only=True):
    """The cart got a shipping address."""

    shipping_address: PersonalAddressIfAny


@domain_event("ordering.cart_shipping_option_set", says="the shipping option of cart {key} became {option}")
class CartShippingOptionSet(DomainEvent, kw_only=True):
    """The buyer chose a shipping option; None means the cheapest."""

    option: str | None


@domain_event("ordering.cart_vouchers_changed", says="cart {key} names the vouchers {codes}")
class CartVouchersChanged(DomainEvent, kw_only=True):
    """The codes of the vouchers that the cart names, whether they apply or not."""

    codes: tuple[str, ...]


@domain_event("ordering.cart_claimed", says="cart {key} became that of buyer {buyer}")
class CartClaimed(DomainEvent, kw_only=True):
    """A buyer took over a guest's cart, because they had no open cart."""

    buyer: BuyerId


@domain_event("ordering.cart_taken_in", says="cart {key} took in cart {other}")
class CartTakenIn(DomainEvent, kw_only=True):
    """The cart took in what is in another one. The fields hold what the cart has afterwards."""

    other: CartId
    items: tuple[CartItem, ...]
    codes: tuple[str, ...]
    option: str | None
    shipping_address: PersonalAddressIfAny


@domain_event("ordering.cart_merged", says="cart {key} was merged into cart {into}", erases=True)
class CartMerged(DomainEvent, kw_only=True):
    """A guest's cart ended, because a buyer took it over who had an open cart."""

    into: CartId


@domain_event("ordering.cart_checked_out", says="cart {key} became order {order}", erases=True)
class CartCheckedOut(DomainEvent, kw_only=True):
    """The cart ended, because its goods were ordered. The order has the address."""

    order: OrderNumber


@domain_event("ordering.cart_expired", says="cart {key} expired", erases=True)
class CartExpired(DomainEvent, kw_only=True):
    """The cart ended, because nobody changed it for long or its buyer was erased."""

    cart: CartId
