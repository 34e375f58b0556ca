"""The goods that the tests of ordering's commands buy, and what these tests ask and hear."""

from collections.abc import Callable

from integration.contracts import IntegrationEvent
from integration.contracts import fulfillment as from_fulfillment
from integration.domain.identifiers import OrderNumber, PaymentId, PaymentMethodId, RefundId, ShipmentId, Sku
from ordering import queries

MUG, LAMP = Sku("MUG"), Sku("LAMP")
VISA = PaymentMethodId("pm_card_visa")
SHIPMENT, PAYMENT, REFUND = ShipmentId("S-1-1"), PaymentId("P-1-1"), RefundId("F-1-1")

PublishAll = Callable[..., None]
Published = Callable[..., list[IntegrationEvent]]


def dispatched(order: OrderNumber) -> from_fulfillment.ShipmentDispatched:
    lines = (from_fulfillment.PackedLine(MUG, 2), from_fulfillment.PackedLine(LAMP, 1))
    return from_fulfillment.ShipmentDispatched(order, SHIPMENT, "DHL", "JD0143", lines)


def status_of(order: OrderNumber) -> str:
    return queries.order(order).status
