"""Goods that a carrier lost are refunded, if a person decided so. What came back is refunded as it is received."""

from collections.abc import Sequence

from billing import commands
from integration import contracts
from integration.policies import whenever


def lock_invoices(resolved: Sequence[contracts.fulfillment.ShipmentResolved]) -> None:
    """Lock the invoices of a batch of events, before the first of them is handled."""
    commands.lock_invoices([event.order for event in resolved])


@whenever(contracts.fulfillment.ShipmentResolved, name="billing.refund-lost-goods", prepare=lock_invoices)
def refund_lost_goods(event: contracts.fulfillment.ShipmentResolved) -> None:
    if event.status == "lost" and event.resolution == "refund":
        units = {line.sku: line.quantity for line in event.lines}
        commands.refund_units(event.order, event.shipment, units, "lost on its way")
