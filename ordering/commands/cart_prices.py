"""Carts with today's prices. A cart stores no price, so what it costs is asked each time."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import NamedTuple

from django.conf import settings

from integration.domain import clock
from integration.domain.address import Address
from integration.domain.address_rules import region_code
from integration.domain.identifiers import BuyerId
from integration.domain.money import Money
from ordering.commands.vouchers import terms_of
from ordering.models import Availability, Buyer, Cart, MixedCurrencies, Product, ShippingRate, TooExpensive
from ordering.models.order_line import subtotal_of
from ordering.pricing import BuyerTerms, Destination, Item, PricedOrder, ShippingProblem, price
from ordering.queries.shop import shop_for

NOT_ON_SALE = "not_on_sale"
"""The availability of a product in a cart that is no longer sold."""


class CartLine(NamedTuple):
    """A line of a cart at today's prices. What cannot be ordered costs nothing."""

    sku: str
    name: str
    quantity: int
    unit_price: Money
    subtotal: Money
    discount: Money
    tax: Money
    tax_rate: Decimal
    total: Money
    availability: str


class CartVoucher(NamedTuple):
    """A voucher that a cart names: whether it applies, or the reason why not."""

    code: str
    applied: bool
    reason: str | None


class Warned(NamedTuple):
    """What would keep the cart from being ordered as it is, or is worth knowing; nobody is stopped by it."""

    pointer: str
    code: str
    detail: str


class PricedCart(NamedTuple):
    """A cart with what it costs today."""

    cart: Cart
    priced: PricedOrder
    lines: list[CartLine]
    vouchers: list[CartVoucher]
    warnings: list[Warned]

    @property
    def shipping_option(self) -> str | None:
        """The shipping option that is priced, or chosen as long as there is no address; None without either."""
        return self.priced.shipping.option if self.priced.shipping else self.cart.shipping_option or None


def require_one_currency(cart: Cart, products: Mapping[str, Product]) -> None:
    """Raise `MixedCurrencies` unless the products have one currency, and `TooExpensive` if they cost too much."""
    items = [_item(products[sku], quantity) for sku, quantity in cart.wanted if products[sku].on_sale]
    try:
        subtotal_of(items)
    except (MixedCurrencies, TooExpensive) as error:
        error.pointer = "/sku"
        raise


def offers(cart: Cart, option: str) -> bool:
    """Whether a shipping option is offered for a cart; without an address, whether the shop has such an option."""
    if cart.shipping_address is None:
        return ShippingRate.objects.filter(option=option).exists()
    return any(offer.option == option for offer in priced_cart(cart).priced.offers)


def priced_cart(
    cart: Cart, address: Address | None = None, option: str | None = None, *, email: str = ""
) -> PricedCart:
    """Price a cart as it is, without a lock.

    Args:
        address: where the goods would go; None takes the cart's own.
        option: the shipping option; None takes the cart's own.
        email: the e-mail address of a guest, by which limits of vouchers per buyer count.
    """
    address, option = address or cart.address, option or cart.shipping_option or None
    products = Product.objects.in_bulk([sku for sku, _ in cart.wanted])
    sellable, currency = _sellable(cart, products)
    country = address.country if address else ""
    priced = price(
        [_item(products[sku], quantity) for sku, quantity in sellable.items()],
        BuyerTerms(_discount_percent(cart)),
        Destination(country, region_code(country, address.region)) if address else None,
        option,
        terms_of(cart.codes, BuyerId(cart.buyer) if cart.buyer else None, email),
        clock.now(),
        shop_for(currency, country),
    )
    return PricedCart(
        cart,
        priced,
        _lines(cart, products, priced),
        _vouchers(cart, priced),
        [*_warnings_of_lines(cart, products, sellable), *_warnings_of_shipping(priced, option)],
    )


def _discount_percent(cart: Cart) -> int:
    found = Buyer.objects.filter(pk=cart.buyer).values_list("discount_percent", flat=True) if cart.buyer else ()
    return next(iter(found), 0)


def _sellable(cart: Cart, products: Mapping[str, Product]) -> tuple[dict[str, int], str]:
    """What can be ordered together, and its currency: that of the first product on sale."""
    on_sale = {sku: quantity for sku, quantity in cart.wanted if products[sku].on_sale}
    currency = next((products[sku].price.currency for sku in on_sale), settings.SHOP_CURRENCY)
    return {sku: n for sku, n in on_sale.items() if products[sku].price.currency == currency}, currency


def _item(product: Product, quantity: int) -> Item:
    return Item(product.sku, product.name, quantity, product.price, product.tax_class, product.weight_g)


def _lines(cart: Cart, products: Mapping[str, Product], priced: PricedOrder) -> list[CartLine]:
    by_sku = {line.sku: line for line in priced.lines}
    lines = []
    for sku, quantity in cart.wanted:
        product, line = products[sku], by_sku.get(sku)
        if line is None:
            zero = Money.zero(priced.currency)
            amounts = (product.price, zero, zero, zero, Decimal(0), zero)
        else:
            amounts = (line.unit_price, line.subtotal, line.discount, line.tax, line.tax_rate, line.total)
        availability = product.availability if product.on_sale else NOT_ON_SALE
        lines.append(CartLine(sku, product.name, quantity, *amounts, availability))
    return lines


def _vouchers(cart: Cart, priced: PricedOrder) -> list[CartVoucher]:
    reasons = {refused.code: refused.reason for refused in priced.not_applied}
    return [CartVoucher(code, applied=code not in reasons, reason=reasons.get(code)) for code in cart.codes]


def _warnings_of_lines(cart: Cart, products: Mapping[str, Product], sellable: Mapping[str, int]) -> Sequence[Warned]:
    warnings = []
    for i, (sku, _) in enumerate(cart.wanted):
        if not products[sku].on_sale:
            warnings.append(Warned(f"#/lines/{i}/sku", NOT_ON_SALE, f"{sku} is no longer sold."))
        elif sku not in sellable:
            detail = f"{sku} is priced in another currency than the other products."
            warnings.append(Warned(f"#/lines/{i}/sku", MixedCurrencies.code, detail))
        elif products[sku].availability == Availability.OUT_OF_STOCK:
            warnings.append(Warned(f"#/lines/{i}/sku", "out_of_stock", f"{sku} is out of stock."))
    return warnings


def _warnings_of_shipping(priced: PricedOrder, option: str | None) -> Sequence[Warned]:
    match priced.shipping_problem:
        case ShippingProblem.UNKNOWN_OPTION:
            detail = f"The shipping option {option} is not offered for this cart."
            return [Warned("#/shipping_option", "unknown_shipping_option", detail)]
        case ShippingProblem.NOT_SHIPPED_THERE if priced.lines:
            return [Warned("#/shipping_address/country", "not_shipped_there", "The shop does not ship this there.")]
    return []
