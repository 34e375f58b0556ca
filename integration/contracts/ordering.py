"""The contracts that ordering publishes."""

from msgspec import Struct

from integration.contracts.contract import IntegrationEvent, contract
from integration.domain.identifiers import BuyerId, OrderNumber, Sku
from integration.domain.money import Money
from integration.domain.personal import PersonalAddress, PersonalPaymentMethod


class OrderedLine(Struct, frozen=True):
    """So many of one sku, at the price agreed upon."""

    sku: Sku
    name: str
    quantity: int
    unit_price: Money


class LineToShip(Struct, frozen=True):
    """So many of one sku, to be packed."""

    sku: Sku
    name: str
    quantity: int


@contract("ordering.product-listed")
class ProductListed(IntegrationEvent):
    """A product is offered for sale for the first time."""

    sku: Sku
    name: str


@contract("ordering.order-placed")
class OrderPlaced(IntegrationEvent):
    """A buyer ordered, at these prices, and named how to pay."""

    order: OrderNumber
    buyer: BuyerId
    payment_method: PersonalPaymentMethod
    lines: tuple[OrderedLine, ...]
    discount: Money
    total: Money


@contract("ordering.order-confirmed")
class OrderConfirmed(IntegrationEvent):
    """The order is paid for and its goods are reserved: it will be shipped."""

    order: OrderNumber


@contract("ordering.shipping-requested")
class ShippingRequested(IntegrationEvent):
    """A confirmed order is to be sent: the one contract that carries an address, made for fulfillment."""

    order: OrderNumber
    recipient: PersonalAddress
    lines: tuple[LineToShip, ...]


@contract("ordering.order-cancellation-requested")
class OrderCancellationRequested(IntegrationEvent):
    """A confirmed order is no longer wanted; whether that can still be, fulfillment decides."""

    order: OrderNumber
    reason: str


@contract("ordering.order-cancelled")
class OrderCancelled(IntegrationEvent):
    """The order ended before anything was shipped."""

    order: OrderNumber
    reason: str


@contract("ordering.buyer-erased")
class BuyerErased(IntegrationEvent):
    """A buyer is to be forgotten: whoever keeps anything personal of these orders, all of them at their end, erases it.

    A buyer of many orders is told of in several of these.
    """

    buyer: BuyerId
    orders: tuple[OrderNumber, ...]
