"""Inventory takes back what buyers sent back: to the stock, to quarantine, or written off."""

from collections.abc import Sequence

from integration import contracts
from integration.policies import whenever
from inventory import commands
from inventory.events import ReturnedLine

MISSING = "missing"


def lock_returned_stock(received: Sequence[contracts.fulfillment.ReturnReceived]) -> None:
    """Lock the reservations and the stock of a batch in key order, so that two batches cannot deadlock."""
    skus = {line.sku for event in received for line in event.lines}
    commands.lock_returned_stock({event.order for event in received}, skus)


@whenever(contracts.fulfillment.ReturnReceived, name="inventory.take-back", prepare=lock_returned_stock)
def take_back(event: contracts.fulfillment.ReturnReceived) -> None:
    lines = [
        ReturnedLine(line.sku, line.quantity, line.disposition) for line in event.lines if line.disposition != MISSING
    ]
    if lines:
        commands.take_back(event.order, event.receipt, lines)
