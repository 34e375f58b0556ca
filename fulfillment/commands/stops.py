"""Commands that stop goods before a carrier takes them."""

from fulfillment.commands.goods import first_shipment
from integration.aggregates.unit_of_work import unit_of_work
from integration.domain.identifiers import OrderNumber


def stop_shipment(order: OrderNumber, reason: str) -> None:
    """Cancel the shipment of an order, or refuse if the carrier has it already.

    Raises:
        NotYet: the shipment is not arranged yet.
    """
    with unit_of_work() as work:
        first_shipment(work, order).stop(reason)
