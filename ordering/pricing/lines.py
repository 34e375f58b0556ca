"""The first step: lines at today's prices."""

from msgspec.structs import replace

from integration.domain.money import Money
from ordering.pricing.asked import Asked, Shop
from ordering.pricing.priced import NO_TAX, PricedLine, PricedOrder


def price_lines(order: PricedOrder, asked: Asked, shop: Shop) -> PricedOrder:
    """Give the order a line for each item, without discount or tax."""
    zero = Money.zero(shop.currency)
    lines = []
    for item in asked.items:
        subtotal = zero + item.unit_price * item.quantity
        lines.append(
            PricedLine(
                sku=item.sku,
                name=item.name,
                quantity=item.quantity,
                unit_price=item.unit_price,
                tax_class=item.tax_class,
                weight_g=item.weight_g,
                subtotal=subtotal,
                discount=zero,
                tax_rate=NO_TAX,
                tax=zero,
                total=subtotal,
            )
        )
    return replace(order, lines=tuple(lines))
