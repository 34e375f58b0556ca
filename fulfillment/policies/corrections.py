"""Fulfillment sends what has not left to a corrected address, and says whether there was something."""

from collections.abc import Sequence

from fulfillment import commands, events
from integration import contracts
from integration.messaging.publish import publish
from integration.policies import whenever


@whenever(events.ShipmentRecipientCorrected)
def publish_recipient_corrected(event: events.ShipmentRecipientCorrected) -> None:
    publish(
        contracts.fulfillment.AddressCorrectionDecided(
            order=event.order, correction=event.correction, is_corrected=True
        )
    )


@whenever(events.RecipientCorrectionRefused)
def publish_correction_refused(event: events.RecipientCorrectionRefused) -> None:
    publish(
        contracts.fulfillment.AddressCorrectionDecided(
            order=event.order, correction=event.correction, is_corrected=False
        )
    )


def lock_first_shipments(requested: Sequence[contracts.ordering.AddressCorrectionRequested]) -> None:
    """Lock the first shipments of a batch of orders, before the first of them is handled."""
    commands.lock_shipments([event.order for event in requested])


@whenever(
    contracts.ordering.AddressCorrectionRequested, name="fulfillment.correct-recipient", prepare=lock_first_shipments
)
def correct_recipient(event: contracts.ordering.AddressCorrectionRequested) -> None:
    commands.correct_recipient(event.order, event.correction, event.recipient)
