"""The domain events of orders about what operators note on them, and about corrected addresses."""

from integration.domain.events import DomainEvent, domain_event
from integration.domain.identifiers import OrderNumber
from integration.domain.personal import PersonalAddress, PersonalText


@domain_event("ordering.order_note_added", says="a note was added to order {order}")
class OrderNoteAdded(DomainEvent, kw_only=True):
    """An operator wrote a note for other operators. It changes nothing else."""

    order: OrderNumber
    text: PersonalText


@domain_event(
    "ordering.order_address_correction_requested",
    says="another address was requested for what is left of order {order} (correction {correction})",
)
class OrderAddressCorrectionRequested(DomainEvent, kw_only=True):
    """An operator corrected the address of a confirmed order; fulfillment says whether something was still to leave.

    `correction` counts the corrections of the order.
    """

    order: OrderNumber
    correction: int
    shipping_address: PersonalAddress
    reason: PersonalText


@domain_event("ordering.order_address_corrected", says="the address of order {order} was corrected")
class OrderAddressCorrected(DomainEvent, kw_only=True):
    """What has not left yet goes to this address; `correction` is 0 if the order was not confirmed yet."""

    order: OrderNumber
    correction: int
    shipping_address: PersonalAddress
    reason: PersonalText


@domain_event(
    "ordering.order_address_correction_refused",
    says="correction {correction} of the address of order {order} came too late: its goods had left",
)
class OrderAddressCorrectionRefused(DomainEvent, kw_only=True):
    """Fulfillment had nothing of the order left that could go to another address."""

    order: OrderNumber
    correction: int
