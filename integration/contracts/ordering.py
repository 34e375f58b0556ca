"""The contracts that ordering publishes."""

from msgspec import Struct

from integration.contracts.contract import IntegrationEvent, contract
from integration.domain.identifiers import BuyerId, OrderNumber, Sku
from integration.domain.money import Money
from integration.domain.personal import PersonalAddress, PersonalPaymentMethod


class OrderedLine(Struct, frozen=True):
    """A quantity of one SKU, at the agreed price."""

    sku: Sku
    name: str
    quantity: int
    unit_price: Money


class LineToShip(Struct, frozen=True):
    """A quantity of one SKU to pack."""

    sku: Sku
    name: str
    quantity: int


@contract("ordering.product-listed")
class ProductListed(IntegrationEvent, kw_only=True):
    """A product is offered for sale for the first time."""

    sku: Sku
    name: str


@contract("ordering.order-placed")
class OrderPlaced(IntegrationEvent, kw_only=True):
    """A buyer placed an order at these prices and chose a payment method."""

    order: OrderNumber
    buyer: BuyerId
    payment_method: PersonalPaymentMethod
    lines: tuple[OrderedLine, ...]
    discount: Money
    total: Money


@contract("ordering.order-confirmed")
class OrderConfirmed(IntegrationEvent, kw_only=True):
    """The order is paid and its goods are reserved: it will be shipped."""

    order: OrderNumber


@contract("ordering.shipping-requested")
class ShippingRequested(IntegrationEvent, kw_only=True):
    """A confirmed order is to be shipped.

    This is the only contract that carries an address; fulfillment consumes it.
    """

    order: OrderNumber
    recipient: PersonalAddress
    lines: tuple[LineToShip, ...]


@contract("ordering.order-cancellation-requested")
class OrderCancellationRequested(IntegrationEvent, kw_only=True):
    """The cancellation of a confirmed order was requested. Fulfillment decides whether it is still possible."""

    order: OrderNumber
    reason: str


@contract("ordering.order-cancelled")
class OrderCancelled(IntegrationEvent, kw_only=True):
    """The order was cancelled before anything was shipped."""

    order: OrderNumber
    reason: str


@contract("ordering.buyer-erased")
class BuyerErased(IntegrationEvent, kw_only=True):
    """A buyer's personal data is to be erased.

    Every consumer erases the personal data that it stores for these orders, all of which have ended. A buyer with many
    orders is published in several of these events.
    """

    buyer: BuyerId
    orders: tuple[OrderNumber, ...]
