"""What can be done in fulfillment: one function a use case, one unit of work each."""

from collections.abc import Collection, Sequence

from fulfillment.events import LineToPack
from fulfillment.models import Shipment
from integration.aggregates.erasure import forget
from integration.aggregates.unit_of_work import unit_of_work
from integration.domain.address import Address
from integration.domain.errors import NotYet
from integration.domain.identifiers import OrderNumber, ShipmentId, sibling


def shipment_of(order: OrderNumber) -> ShipmentId:
    """The identifier of an order's one shipment."""
    return ShipmentId(sibling("S", order, 1))


def lock_shipments(orders: Collection[OrderNumber]) -> None:
    """Lock the shipments of several orders."""
    with unit_of_work() as work:
        work.prefetch(Shipment, [shipment_of(order) for order in orders])


def arrange_shipment(order: OrderNumber, recipient: Address, lines: Sequence[LineToPack]) -> None:
    """Have a confirmed order's goods packed; nothing if that was arranged before."""
    with unit_of_work() as work:
        if work.find(Shipment, shipment_of(order)) is None:
            work.add(Shipment.arrange(shipment_of(order), order, recipient, lines))


def stop_shipment(order: OrderNumber, reason: str) -> None:
    """Cancel what has not left the house, or say that it has; raises `NotYet` before it is arranged."""
    with unit_of_work() as work:
        shipment = work.find(Shipment, shipment_of(order))
        if shipment is None:
            raise NotYet(f"no shipment of {order} is arranged yet")
        shipment.stop(reason)


def dispatch_shipment(
    shipment: ShipmentId, carrier: str, tracking_number: str, if_version: Collection[int] | None = None
) -> Shipment:
    """Hand a shipment to its carrier.

    Raises:
        NotFound: there is no such shipment.
        NotAllowed: it is not waiting to be dispatched.
        StaleVersion: the shipment is in none of the versions in `if_version`.
    """
    with unit_of_work() as work:
        found = work.get(Shipment, shipment)
        found.expect_version(if_version)
        found.dispatch(carrier, tracking_number)
    return found


def deliver_shipment(shipment: ShipmentId, if_version: Collection[int] | None = None) -> Shipment:
    """Note that a shipment reached its recipient; raises as `dispatch_shipment` does."""
    with unit_of_work() as work:
        found = work.get(Shipment, shipment)
        found.expect_version(if_version)
        found.deliver()
    return found


def anonymize_shipments(orders: Collection[OrderNumber]) -> None:
    """Forget who these orders, all of them at their end, were sent to; no more statements for many than for one."""
    with unit_of_work() as work:
        shipments = work.get_many(Shipment, [shipment_of(order) for order in orders])
        for shipment in shipments.values():
            shipment.anonymize()
        forget(Shipment, shipments)
