"""The command that removes personal data from shipments."""

from collections.abc import Collection

from fulfillment.models import Shipment
from fulfillment.queries import shipments_of
from integration.aggregates.erasure import forget
from integration.aggregates.unit_of_work import unit_of_work
from integration.domain.identifiers import OrderNumber


def anonymize_shipments(orders: Collection[OrderNumber]) -> None:
    """Remove the recipients of these orders, all of them ended; the number of SQL statements is constant."""
    with unit_of_work() as work:
        # An order that has ended gets no further shipment.
        shipments = work.get_many(Shipment, shipments_of(orders))
        for shipment in shipments.values():
            shipment.anonymize()
        forget(Shipment, shipments)
