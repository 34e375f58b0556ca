"""Fulfillment's part of a withdrawal."""

from collections.abc import Sequence

from fulfillment import commands, events
from integration import contracts
from integration.messaging.publish import publish
from integration.policies import whenever


@whenever(events.GoodsWithdrawn)
def publish_withdrawal_arranged(event: events.GoodsWithdrawn) -> None:
    publish(
        contracts.fulfillment.WithdrawalArranged(order=event.order, withdrawal=event.withdrawal, return_=event.return_)
    )


def lock_shipments(withdrawn: Sequence[contracts.ordering.OrderWithdrawn]) -> None:
    """Lock the first shipments of a batch of events, before the first of them is handled."""
    commands.lock_shipments([event.order for event in withdrawn if event.is_confirmed])


@whenever(contracts.ordering.OrderWithdrawn, name="fulfillment.arrange-withdrawal", prepare=lock_shipments)
def arrange_withdrawal(event: contracts.ordering.OrderWithdrawn) -> None:
    if event.is_confirmed:
        quantities = {line.sku: line.quantity for line in event.lines}
        commands.arrange_withdrawal(event.order, event.withdrawal, quantities, event.shipping_withheld)
