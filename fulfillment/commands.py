"""Fulfillment's commands: one function for each use case, each one unit of work."""

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
    """Arrange the shipment of a confirmed order; do nothing if it was arranged before."""
    with unit_of_work() as work:
        if work.find(Shipment, shipment_of(order)) is None:
            work.add(Shipment.arrange(shipment_of(order), order, recipient, lines))


def stop_shipment(order: OrderNumber, reason: str) -> None:
    """Cancel the shipment of an order, or refuse if the carrier has it already.

    Raises:
        NotYet: the shipment is not arranged yet.
    """
    with unit_of_work() as work:
        shipment = work.find(Shipment, shipment_of(order))
        if shipment is None:
            raise NotYet(f"no shipment of {order} is arranged yet")
        shipment.stop(reason)


def dispatch_shipment(
    shipment: ShipmentId, carrier: str, tracking_number: str, if_version: Collection[int] | None = None
) -> Shipment:
    """Record that a carrier took a shipment.

    Args:
        if_version: the versions of the shipment that the caller accepts; None accepts any.

    Returns:
        The dispatched shipment.

    Raises:
        NotFound: there is no such shipment.
        NotAllowed: the shipment is not `arranged`.
        StaleVersion: the shipment is in none of the versions in `if_version`.
    """
    with unit_of_work() as work:
        found = work.get(Shipment, shipment)
        found.expect_version(if_version)
        found.dispatch(carrier, tracking_number)
    return found


def deliver_shipment(shipment: ShipmentId, if_version: Collection[int] | None = None) -> Shipment:
    """Record that a recipient received a shipment.

    Args:
        if_version: the versions of the shipment that the caller accepts; None accepts any.

    Returns:
        The delivered shipment.

    Raises:
        NotFound: there is no such shipment.
        NotAllowed: the shipment is not `dispatched`.
        StaleVersion: the shipment is in none of the versions in `if_version`.
    """
    with unit_of_work() as work:
        found = work.get(Shipment, shipment)
        found.expect_version(if_version)
        found.deliver()
    return found


def anonymize_shipments(orders: Collection[OrderNumber]) -> None:
    """Remove the recipients of these orders, all of them ended; the number of SQL statements is constant."""
    with unit_of_work() as work:
        shipments = work.get_many(Shipment, [shipment_of(order) for order in orders])
        for shipment in shipments.values():
            shipment.anonymize()
        forget(Shipment, shipments)
