"""A buyer who has a discount gets it on every order.

`ordering/policies/lifetime_spend_discount.py` decides who has one, and how much.
"""

from ordering.pricing.asked import Asked
from ordering.pricing.discounts import Applied, discount_rule
from ordering.pricing.priced import NotApplied, PricedOrder

CODE, NAME = "lifetime_spend", "Discount for loyal buyers"


@discount_rule(position=20)
def lifetime_spend(order: PricedOrder, asked: Asked) -> Applied | NotApplied:
    if percent := asked.buyer.discount_percent:
        return Applied(code=CODE, name=f"{NAME}, {percent} %", amount=order.reduced.percent(percent))
    return NotApplied(CODE, NAME, "the buyer has not spent enough yet")
