"""What an order costs: one pure function prices carts and orders, and reads nothing from the database.

Each step is a file. It gets the order as priced so far and returns it with its own part added; none imports another.
To replace a step, write another function of the same shape and name it in `STEPS`.
"""

from collections.abc import Callable, Sequence
from datetime import datetime

from ordering.pricing.asked import Asked, BuyerTerms, Destination, Item, ShippingRate, Shop, TaxRate, Voucher
from ordering.pricing.discounts import apply_discounts
from ordering.pricing.lines import price_lines
from ordering.pricing.priced import (
    Discount,
    NotApplied,
    Offer,
    PricedLine,
    PricedOrder,
    PricedShipping,
    ShippingProblem,
    TaxOfRate,
)
from ordering.pricing.shipping import add_shipping
from ordering.pricing.tax import add_tax

Step = Callable[[PricedOrder, Asked, Shop], PricedOrder]

STEPS: Sequence[Step] = (price_lines, apply_discounts, add_shipping, add_tax)
"""The steps in their order: the base of each is what the steps before it left."""


def price(
    lines: Sequence[Item],
    buyer: BuyerTerms,
    destination: Destination | None,
    shipping_option: str | None,
    vouchers: Sequence[Voucher],
    moment: datetime,
    shop: Shop,
) -> PricedOrder:
    """Price the lines of a cart or an order.

    Args:
        lines: what is wanted, at today's prices, all in the currency of the shop.
        buyer: what this buyer is entitled to.
        destination: where the goods go; None while nobody knows. Then there is no shipping and no tax.
        shipping_option: the chosen option; None chooses the cheapest.
        vouchers: the vouchers that the buyer named, in their order.
        moment: decides which tax rates and vouchers are valid.
        shop: the shop's currency, tax rates, shipping rates and rules.

    Returns:
        The order with every amount on its line. It also says which discounts did not apply, and why.

    Raises:
        CurrencyMismatch: a price is not in the shop's currency.
    """
    asked = Asked(tuple(lines), buyer, destination, shipping_option, tuple(vouchers), moment)
    order = PricedOrder.empty(shop.currency, prices_include_tax=shop.prices_include_tax)
    for step in STEPS:
        order = step(order, asked, shop)
    return order


__all__ = [
    "STEPS",
    "Asked",
    "BuyerTerms",
    "Destination",
    "Discount",
    "Item",
    "NotApplied",
    "Offer",
    "PricedLine",
    "PricedOrder",
    "PricedShipping",
    "ShippingProblem",
    "ShippingRate",
    "Shop",
    "TaxOfRate",
    "TaxRate",
    "Voucher",
    "price",
]
