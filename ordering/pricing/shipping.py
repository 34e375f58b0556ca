"""The third step: shipping, by the options that the shop offers for the destination, and what makes it free."""

from collections.abc import Iterable, Sequence
from itertools import groupby

from msgspec.structs import replace

from integration.domain.money import Money
from ordering.pricing.asked import Asked, Measure, ShippingRate, Shop
from ordering.pricing.priced import NotApplied, Offer, PricedOrder, PricedShipping, ShippingProblem


def add_shipping(order: PricedOrder, asked: Asked, shop: Shop) -> PricedOrder:
    """Add the chosen shipping option, or the cheapest one, and discounts that take off its price.

    A shop without shipping rates, or an order without a destination, has no shipping. If the option is not offered for
    this order, `shipping_problem` says so.
    """
    if asked.destination is None:
        return _without_shipping(order, None)
    if not shop.shipping_rates:
        return _without_shipping(order, ShippingProblem.UNKNOWN_OPTION if asked.shipping_option else None)
    offers = tuple(_offers(order, asked.destination.country, shop.shipping_rates))
    order = replace(order, offers=offers)
    if not offers:
        return _without_shipping(order, ShippingProblem.NOT_SHIPPED_THERE)
    wanted = [offer for offer in offers if offer.option == asked.shipping_option or asked.shipping_option is None]
    if not wanted:
        return _without_shipping(order, ShippingProblem.UNKNOWN_OPTION)
    chosen = min(wanted, key=lambda offer: offer.price)
    zero = Money.zero(order.currency)
    return _freed(
        replace(
            order,
            shipping=PricedShipping(
                option=chosen.option,
                name=chosen.name,
                price=chosen.price,
                discount=zero,
                tax=zero,
                total=chosen.price,
                surcharge_minor=(chosen.price - min(offer.price for offer in offers)).minor,
            ),
        )
    )


def _offers(order: PricedOrder, country: str, rates: Sequence[ShippingRate]) -> Iterable[Offer]:
    by_option = sorted(rates, key=lambda rate: rate.option)
    for option, of_option in groupby(by_option, key=lambda rate: rate.option):
        known = list(of_option)
        named = [rate for rate in known if country in rate.countries]
        for rate in named or [rate for rate in known if not rate.countries]:
            measured = _measured(order, rate.measure)
            if rate.at_least <= measured and (rate.at_most is None or measured <= rate.at_most):
                free = rate.free_from is not None and order.reduced >= rate.free_from
                yield Offer(option, rate.name, Money.zero(order.currency) if free else rate.price)
                break


def _measured(order: PricedOrder, measure: Measure) -> int:
    if measure == Measure.SUBTOTAL:
        return order.reduced.minor
    return sum(line.weight_g * line.quantity for line in order.lines)


def _freed(order: PricedOrder) -> PricedOrder:
    """The order with the price of shipping taken off by the first discount that frees it."""
    shipping = order.shipping
    freeing = next((discount for discount in order.discounts if discount.frees_shipping), None)
    if shipping is None or freeing is None:
        return order
    if not shipping.price:
        return _not_freed(order, "shipping costs nothing anyway")
    freed = replace(freeing, amount=freeing.amount + shipping.price)
    return replace(
        order,
        shipping=replace(shipping, discount=shipping.price, total=Money.zero(order.currency)),
        discounts=tuple(freed if discount is freeing else discount for discount in order.discounts),
    )


def _without_shipping(order: PricedOrder, problem: ShippingProblem | None) -> PricedOrder:
    return _not_freed(replace(order, shipping_problem=problem), "nothing is charged for shipping")


def _not_freed(order: PricedOrder, reason: str) -> PricedOrder:
    """The order without discounts that would only take off the price of shipping, because there is none."""
    idle = [discount for discount in order.discounts if discount.frees_shipping and not discount.amount]
    return replace(
        order,
        discounts=tuple(discount for discount in order.discounts if discount not in idle),
        not_applied=(*order.not_applied, *(NotApplied(discount.code, discount.name, reason) for discount in idle)),
    )
