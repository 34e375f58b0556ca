"""A buyer who has spent more than 6,000 in the shop's currency gets a discount of 10 % on every new order.

This module is the whole rule: no other code knows the threshold or the rate. If it is deleted, buyers who have the
discount retain it, and no other buyer gets it.
"""

from decimal import Decimal

from integration.domain.money import Money
from integration.policies import whenever
from ordering import commands, events

THRESHOLD = Decimal(6_000)
RATE = 10


@whenever(events.BuyerSpendChanged)
def reward_loyal_buyer(event: events.BuyerSpendChanged) -> None:
    threshold = Money(THRESHOLD, event.spend.currency)
    was_above, is_above = event.spend - event.change > threshold, event.spend > threshold
    if is_above and not was_above:
        commands.grant_discount(event.buyer, RATE, f"spent more than {threshold}")
    elif was_above and not is_above:
        commands.grant_discount(event.buyer, 0, f"spent no more than {threshold}")
