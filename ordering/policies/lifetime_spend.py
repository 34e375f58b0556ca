"""A buyer's lifetime spend is what they paid for orders that were confirmed and not cancelled, less refunds.

What is authorized counts as paid, until it is clear that it will never be captured.
"""

from integration.policies import whenever
from ordering import commands, events


@whenever(events.OrderConfirmed)
def add_confirmed_order(event: events.OrderConfirmed) -> None:
    if event.spend:
        commands.change_spend(event.buyer, event.order, event.spend)


@whenever(events.OrderCancelled)
def subtract_cancelled_order(event: events.OrderCancelled) -> None:
    if event.lowers_spend_by:
        commands.change_spend(event.buyer, event.order, -event.lowers_spend_by)


@whenever(events.OrderRefunded)
def subtract_refund(event: events.OrderRefunded) -> None:
    if event.buyer and event.spend:
        commands.change_spend(event.buyer, event.order, -event.spend)


@whenever(events.OrderAuthorizationChanged)
def subtract_what_is_never_captured(event: events.OrderAuthorizationChanged) -> None:
    if event.spend:
        commands.change_spend(event.buyer, event.order, -event.spend)


@whenever(events.OrderClaimed)
def move_claimed_order(event: events.OrderClaimed) -> None:
    if event.spend:
        commands.change_spend(event.guest, event.order, -event.spend)
        commands.change_spend(event.buyer, event.order, event.spend)
