"""The command that corrects where the goods of an order go, as long as some have not left."""

from fulfillment.commands.goods import first_shipment
from fulfillment.models import Shipment, ShipmentStatus
from fulfillment.queries import shipments_of
from integration.aggregates.unit_of_work import unit_of_work
from integration.domain.address import Address
from integration.domain.identifiers import OrderNumber


def correct_recipient(order: OrderNumber, correction: int, recipient: Address) -> None:
    """Let the shipment of an order that has not left go to another address, or refuse; each correction counts once.

    Args:
        correction: ordering's number of the correction; one that is not higher than an earlier one is ignored.

    Raises:
        NotYet: no shipment of the order is arranged yet.
    """
    with unit_of_work() as work:
        first = first_shipment(work, order)
        shipments = [*work.get_many(Shipment, shipments_of([order])).values()]
        if correction > max(each.correction for each in shipments):
            waiting = [each for each in shipments if each.status == ShipmentStatus.ARRANGED]
            (waiting or [first])[0].correct_recipient(correction, recipient)
