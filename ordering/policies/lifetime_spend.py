"""A buyer's lifetime spend is the sum of their orders that were confirmed and not cancelled afterwards."""

from integration.policies import whenever
from ordering import commands, events


@whenever(events.OrderConfirmed)
def add_confirmed_order(event: events.OrderConfirmed) -> None:
    commands.change_spend(event.buyer, event.order, event.paid)


@whenever(events.OrderCancelled)
def subtract_cancelled_order(event: events.OrderCancelled) -> None:
    if event.was_confirmed:
        commands.change_spend(event.buyer, event.order, -event.total)
