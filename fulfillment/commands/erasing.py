"""The command that removes personal data from shipments and returns."""

from collections.abc import Collection

from fulfillment.commands.returns import anonymize_returns
from fulfillment.models import Return, Shipment
from fulfillment.queries import shipments_of
from integration.aggregates.erasure import forget
from integration.aggregates.unit_of_work import unit_of_work
from integration.domain.identifiers import OrderNumber


def anonymize_shipments(orders: Collection[OrderNumber]) -> None:
    """Remove the recipients of these orders, all of them ended, and the notes of their returns.

    The number of SQL statements is constant. A return that was requested meanwhile goes on without its note.
    """
    with unit_of_work() as work:
        # An order that has ended gets no further shipment.
        shipments = work.get_many(Shipment, shipments_of(orders))
        for shipment in shipments.values():
            shipment.anonymize()
        forget(Shipment, shipments)
        if returns := anonymize_returns(work, orders):
            forget(Return, returns)
