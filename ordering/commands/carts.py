"""Commands on carts. Its buyer changes a cart, or without a buyer its guest.

All of them take `by`: the buyer, or None for a guest, who has shown the cart's token. They raise `NotFound` for a cart
that does not exist or is somebody else's.
"""

from collections.abc import Collection

from django.utils.crypto import constant_time_compare, salted_hmac

from integration.aggregates.erasure import forget
from integration.aggregates.unit_of_work import UnitOfWork, unit_of_work
from integration.domain.address import Address
from integration.domain.errors import NotFound, Refused, Unacceptable
from integration.domain.identifiers import (
    BuyerId,
    CartId,
    OrderNumber,
    PaymentMethodId,
    Sku,
    guest_of_cart,
    new_cart_id,
)
from integration.domain.money import Money
from ordering.commands.cart_prices import offers, priced_cart, require_one_currency
from ordering.commands.placing import NotOnSale, UnknownShippingOption, UnknownSku, place_order
from ordering.models import Buyer, Cart, CartStatus, Order, Product
from ordering.queries import carts as queries

Versions = Collection[int] | None


class CartIsEmpty(Refused):
    """There is nothing in this cart."""


class AddressMissing(Unacceptable):
    """A shipping address is needed: the cart has none."""


def cart_token(cart: CartId) -> str:
    """The token that opens a guest's cart. It is derived with a keyed hash and never stored."""
    return salted_hmac("token of a cart", cart, algorithm="sha256").hexdigest()


def opens_cart(token: str, cart: CartId) -> bool:
    """Whether a token is that of a cart; compared in constant time."""
    return constant_time_compare(token, cart_token(cart))


def open_cart(by: BuyerId | None) -> tuple[Cart, bool]:
    """Open a cart. A buyer has one open cart at most: if there is one, it is returned.

    Returns:
        The cart, and whether it is new.
    """
    with unit_of_work() as work:
        known = queries.open_cart_of(by) if by else None
        if known:
            return work.get(Cart, known), False
        cart = Cart.open(new_cart_id(), by)
        work.add(cart)
    return cart, True


def set_item(cart: CartId, by: BuyerId | None, sku: Sku, quantity: int, if_version: Versions = None) -> Cart:
    """Set the quantity of a product in a cart.

    Raises:
        UnknownSku: there is no such product.
        NotOnSale: the product is not on sale.
        MixedCurrencies: it is priced in another currency than the other products.
        StaleVersion: the cart is in none of the versions in `if_version`; so in the other commands.
        NotAllowed: the cart is not open; so in the other commands.
        QuantityOutOfBounds, CartFull: as `Cart.set_item`.
    """
    with unit_of_work() as work:
        found = _own(work, cart, by, if_version)
        found.accepts("change")
        products = work.look_at(Product, {sku, *(each for each, _ in found.wanted)})
        if sku not in products:
            raise UnknownSku(f"there is no product {sku!r}", pointer="/sku")
        if not products[sku].on_sale:
            raise NotOnSale(f"product {sku} is not on sale", pointer="/sku")
        found.set_item(sku, quantity)
        require_one_currency(found, products)
    return found


def remove_item(cart: CartId, by: BuyerId | None, sku: Sku, if_version: Versions = None) -> Cart:
    """Take a product out of a cart; do nothing if it is not in it."""
    with unit_of_work() as work:
        found = _own(work, cart, by, if_version)
        found.set_item(sku, 0)
    return found


def set_address(cart: CartId, by: BuyerId | None, address: Address, if_version: Versions = None) -> Cart:
    """Set where the goods of a cart would go."""
    with unit_of_work() as work:
        found = _own(work, cart, by, if_version)
        found.set_address(address)
    return found


def set_shipping_option(cart: CartId, by: BuyerId | None, option: str | None, if_version: Versions = None) -> Cart:
    """Choose a shipping option for a cart; None chooses the cheapest.

    Raises:
        UnknownShippingOption: the shop does not offer it, or not for this cart.
    """
    with unit_of_work() as work:
        found = _own(work, cart, by, if_version)
        found.accepts("change")
        if option is not None and not offers(found, option):
            raise UnknownShippingOption(f"there is no shipping option {option!r}", pointer="/id")
        found.set_shipping_option(option)
    return found


def name_voucher(cart: CartId, by: BuyerId | None, code: str, if_version: Versions = None) -> Cart:
    """Name a voucher in a cart. It stays if it does not apply; raises `TooManyVouchers`."""
    with unit_of_work() as work:
        found = _own(work, cart, by, if_version)
        found.name_voucher(code)
    return found


def drop_voucher(cart: CartId, by: BuyerId | None, code: str, if_version: Versions = None) -> Cart:
    """Name a voucher in a cart no longer; do nothing if it is not named."""
    with unit_of_work() as work:
        found = _own(work, cart, by, if_version)
        found.drop_voucher(code)
    return found


def claim_cart(cart: CartId, buyer: BuyerId) -> Cart:
    """Give a guest's cart to a buyer: it is merged into their open cart, or becomes it.

    Returns:
        The buyer's open cart.

    Raises:
        NotFound: there is no such cart, or it is another buyer's.
        CartTaken: it is this buyer's already.
        NotAllowed: it is not open.
        CartFull, TooManyVouchers: both carts together hold too much.
    """
    with unit_of_work() as work:
        own = queries.open_cart_of(buyer)
        carts = work.get_many(Cart, {cart, own} if own else {cart})
        taken, into = carts.get(cart), carts.get(own or "")
        if taken is None or taken.buyer not in ("", buyer):
            raise NotFound(f"there is no cart {cart}")
        if into is None or into is taken or into.status != CartStatus.OPEN:
            taken.claim(buyer)
            return taken
        into.take_in(taken)
        taken.merge(into)
        forget(Cart, [taken.id])
    return into


def check_out(
    cart: CartId,
    by: BuyerId | None,
    payment_method: PaymentMethodId | None,
    *,
    email: str = "",
    shipping_address: Address | None = None,
    shipping_option: str | None = None,
    expected_total: Money | None = None,
    if_version: Versions = None,
) -> Order:
    """Order what is in a cart, at today's prices. A cart is checked out once.

    Vouchers that do not apply today are left out. `expected_total` protects from paying more because of that.

    Args:
        email: where a guest is written to. The guest becomes a buyer without an account.
        shipping_address: None takes the cart's; so for the option.

    Raises:
        CartIsEmpty: there is nothing in it.
        AddressMissing: neither the cart nor the caller has an address.
        VoucherNotApplied: a voucher was used up in this moment.
        Unacceptable, TotalChanged: as `place_order`.
    """
    with unit_of_work() as work:
        found = _own(work, cart, by, if_version)
        found.accepts("check_out")
        Cart.require(bool(found.items), CartIsEmpty)
        address = shipping_address or found.address
        if address is None:
            raise AddressMissing(pointer="/shipping_address")
        shown = priced_cart(found, address, shipping_option, email=email) if found.codes else None
        buyer = by or guest_of_cart(cart)
        if by is None:
            work.add(Buyer.register(buyer, user=None, name=address.recipient, email=email))
        order = place_order(
            buyer,
            found.wanted,
            address,
            payment_method,
            shipping_option=shipping_option or found.shipping_option or None,
            vouchers=[voucher.code for voucher in shown.vouchers if voucher.applied] if shown else [],
            expected_total=expected_total,
            email=email,
        )
        found.check_out(OrderNumber(order.number))
        forget(Cart, [found.id])
    return order


def expire_cart(cart: CartId) -> None:
    """End a cart that nobody wants any more, and erase the address in it; do nothing if it has ended."""
    with unit_of_work() as work:
        work.get(Cart, cart).expire()
        forget(Cart, [cart])


def _own(work: UnitOfWork, cart: CartId, by: BuyerId | None, if_version: Versions) -> Cart:
    found = work.find(Cart, cart)
    if found is None or found.buyer != (by or ""):
        raise NotFound(f"there is no cart {cart}")
    found.expect_version(if_version)
    return found
