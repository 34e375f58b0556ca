"""The domain events of shipments whose recipient's address was corrected before they left."""

from integration.domain.events import DomainEvent, domain_event
from integration.domain.identifiers import OrderNumber, ShipmentId
from integration.domain.personal import PersonalAddress


@domain_event("fulfillment.shipment_recipient_corrected", says="shipment {shipment} goes to a corrected address")
class ShipmentRecipientCorrected(DomainEvent, kw_only=True):
    """The shipment had not left, so it goes to this address; `correction` is ordering's number of it."""

    shipment: ShipmentId
    order: OrderNumber
    correction: int
    recipient: PersonalAddress


@domain_event(
    "fulfillment.recipient_correction_refused",
    says="correction {correction} of the address of order {order} came too late",
)
class RecipientCorrectionRefused(DomainEvent, kw_only=True):
    """Nothing of the order was left that could go to another address."""

    shipment: ShipmentId
    order: OrderNumber
    correction: int
