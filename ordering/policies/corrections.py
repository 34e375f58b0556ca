"""Ordering asks fulfillment to send what has not left to a corrected address, and records what it decided."""

from integration import contracts
from integration.messaging.publish import publish
from integration.policies import whenever
from ordering import commands, events
from ordering.policies.saga import lock_orders


@whenever(events.OrderAddressCorrectionRequested)
def publish_address_correction_requested(event: events.OrderAddressCorrectionRequested) -> None:
    publish(
        contracts.ordering.AddressCorrectionRequested(
            order=event.order, correction=event.correction, recipient=event.shipping_address
        )
    )


@whenever(
    contracts.fulfillment.AddressCorrectionDecided, name="ordering.settle-address-correction", prepare=lock_orders
)
def settle_address_correction(event: contracts.fulfillment.AddressCorrectionDecided) -> None:
    commands.settle_address_correction(event.order, event.correction, is_corrected=event.is_corrected)
