"""Commands about the parcels of an order that do not simply arrive: scans, losses, and goods that are sent again.

They raise `NotFound` for an unknown order, and the errors of the method of `Order` that they call.
"""

from collections.abc import Mapping
from decimal import Decimal

from django.conf import settings
from msgspec.structs import replace

from integration.aggregates.unit_of_work import unit_of_work
from integration.domain import clock
from integration.domain.address import Address
from integration.domain.identifiers import BuyerId, OrderNumber, ShipmentId, Sku
from integration.domain.metadata import current_cause, new_story
from integration.domain.money import Money
from integration.storage.order_numbers import next_order_number
from ordering.commands.placing import NO_PAYMENT_METHOD
from ordering.models import Order
from ordering.pricing import PricedLine, PricedOrder


def track_shipment(number: OrderNumber, shipment: ShipmentId, status: str, sequence: int) -> None:
    """Record the status of a shipment that is on its way, lost, or came back; the highest sequence counts."""
    with unit_of_work() as work:
        work.get(Order, number).track_shipment(shipment, status, sequence)


def resolve_shipment(
    number: OrderNumber, shipment: ShipmentId, status: str, resolution: str, lost: Mapping[Sku, int]
) -> None:
    """Record what a person decided about a shipment that is lost or came back; `lost` are the units not to come."""
    with unit_of_work() as work:
        work.get(Order, number).resolve_shipment(shipment, status, resolution, lost)


def note_scanned_late(number: OrderNumber, shipment: ShipmentId, is_open: bool, sequence: int) -> None:
    """Record that a resolved shipment was scanned, or that a person has seen it."""
    with unit_of_work() as work:
        work.get(Order, number).note_scanned_late(shipment, is_open, sequence)


def send_again(number: OrderNumber, shipment: ShipmentId, quantities: Mapping[Sku, int]) -> None:
    """Place an order that costs nothing, of the goods of a shipment of another order; once for each shipment.

    It is of the same buyer, goes to the same address, and starts a story of its own.

    Raises:
        NotYet: the decision to send the goods again is not known yet.
    """
    with unit_of_work() as work:
        order = work.get(Order, number)
        if order.replacement_of(shipment):
            return
        cause = current_cause()
        with new_story(cause.actor, cause.traceparent):
            replacement = Order.place(
                next_order_number(),
                buyer=BuyerId(order.buyer_id),
                priced=for_nothing(order, quantities),
                shipping_address=Address(**order.shipping_address),
                payment_method=NO_PAYMENT_METHOD,
                payment_due_at=clock.now() + settings.PAYMENT_DEADLINE,
                replaces=number,
            )
            work.add(replacement)
        order.replace_shipment(shipment, OrderNumber(replacement.number))


def for_nothing(order: Order, quantities: Mapping[Sku, int]) -> PricedOrder:
    """These units of an order at a price of zero, without shipping and tax."""
    zero = Money.zero(order.currency)
    lines = tuple(
        PricedLine(
            sku=line.sku,
            name=line.name,
            quantity=quantities[Sku(line.sku)],
            unit_price=zero,
            tax_class="",
            weight_g=0,
            subtotal=zero,
            discount=zero,
            tax_rate=Decimal(0),
            tax=zero,
            total=zero,
        )
        for line in order.lines
        if quantities.get(Sku(line.sku))
    )
    empty = PricedOrder.empty(order.currency, prices_include_tax=order.prices_include_tax)
    return replace(empty, lines=lines)
