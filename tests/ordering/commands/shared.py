"""Identifiers, a contract and a query that the tests of ordering's commands share."""

from collections.abc import Callable

from integration.contracts import IntegrationEvent
from integration.contracts import fulfillment as fulfillment_contracts
from integration.domain.identifiers import OrderNumber, PaymentId, PaymentMethodId, RefundId, ShipmentId, Sku
from ordering import queries

MUG, LAMP = Sku("MUG"), Sku("LAMP")
VISA = PaymentMethodId("pm_card_visa")
SHIPMENT, PAYMENT, REFUND = ShipmentId("S-1-1"), PaymentId("P-1-1"), RefundId("F-1-1")

PublishAll = Callable[..., None]
Published = Callable[..., list[IntegrationEvent]]


def dispatched(order: OrderNumber) -> fulfillment_contracts.ShipmentDispatched:
    lines = (fulfillment_contracts.PackedLine(MUG, 2), fulfillment_contracts.PackedLine(LAMP, 1))
    return fulfillment_contracts.ShipmentDispatched(
        order=order, shipment=SHIPMENT, carrier="DHL", tracking_number="JD0143", lines=lines
    )


def status_of(order: OrderNumber) -> str:
    return queries.order(order).status
