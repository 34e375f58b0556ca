"""A buyer who has a discount gets it on every order.

`ordering/policies/lifetime_spend_discount.py` decides who has one, and how much.
"""

from integration.domain.plain_prices import LOYAL_BUYERS
from ordering.pricing.asked import Asked
from ordering.pricing.discounts import Applied, discount_rule
from ordering.pricing.priced import NotApplied, PricedOrder

CODE, NAME = LOYAL_BUYERS


@discount_rule(position=20)
def lifetime_spend(order: PricedOrder, asked: Asked) -> Applied | NotApplied:
    if percent := asked.buyer.discount_percent:
        return Applied(code=CODE, name=NAME, amount=order.reduced.percent(percent))
    return NotApplied(CODE, NAME, "the buyer has not spent enough yet")
