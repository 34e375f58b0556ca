"""Commands that arrange shipments and dispatch them."""

from collections.abc import Collection, Sequence

from django.conf import settings
from msgspec.structs import replace

from fulfillment.commands.goods import goods_of, next_shipment, shipment_of, to_decide_about
from fulfillment.events import LineToPack
from fulfillment.models import FulfillmentOrder, Shipment
from integration.aggregates.unit_of_work import UnitOfWork, unit_of_work
from integration.domain.address import Address
from integration.domain.identifiers import HoldId, OrderNumber, ShipmentId, Sku


def arrange_shipment(
    order: OrderNumber, recipient: Address, lines: Sequence[LineToPack], holds: Sequence[tuple[HoldId, str]] = ()
) -> None:
    """Arrange the shipment of a confirmed order; do nothing if it was arranged before.

    Args:
        holds: the identifiers and reasons of the holds that are active from the beginning.
    """
    with unit_of_work() as work:
        if work.find(Shipment, shipment_of(order)) is None:
            work.add(Shipment.arrange(shipment_of(order), order, recipient, lines))
            for hold, reason in holds:
                goods_of(work, order).hold(hold, reason)


def dispatch_shipment(
    shipment: ShipmentId,
    carrier: str,
    tracking_number: str,
    lines: Sequence[tuple[Sku, int]] | None = None,
    if_version: Collection[int] | None = None,
) -> Shipment:
    """Record that a carrier took a shipment, or some of its goods; the rest becomes the next shipment at once.

    Args:
        lines: the SKUs and quantities that the carrier took; None for all.
        if_version: the versions of the shipment that the caller accepts; None accepts any.

    Returns:
        The dispatched shipment.

    Raises:
        NotFound: there is no such shipment.
        NotAllowed: the shipment is not `arranged`.
        NotInShipment, TooManyUnits: the shipment has not all these lines.
        StaleVersion: the shipment is in none of the versions in `if_version`.
    """
    with unit_of_work() as work:
        found, goods = to_decide_about(work, shipment)
        found.expect_version(if_version)
        hand_over(work, found, goods, carrier, tracking_number, lines)
        found.drop_label()
    return found


def hand_over(
    work: UnitOfWork,
    shipment: Shipment,
    goods: FulfillmentOrder | None,
    carrier: str,
    tracking_number: str,
    lines: Sequence[tuple[Sku, int]] | None,
) -> None:
    """Dispatch a locked shipment, or some of its goods; arguments and errors as of `dispatch_shipment`.

    Args:
        goods: the goods of its order, if they are counted, locked.
    """
    before = [LineToPack(Sku(line.sku), line.name, line.quantity) for line in shipment.packed]
    sent = shipment.dispatch(carrier, tracking_number, lines, is_tracked=carrier in settings.CARRIERS)
    rest = [replace(line, quantity=left) for line in before if (left := line.quantity - sent.get(line.sku, 0))]
    id, order = ShipmentId(shipment.id), OrderNumber(shipment.order)
    if rest and goods is None:
        goods = FulfillmentOrder.open(order, {line.sku: line.quantity for line in before})
        work.add(goods)
    if goods:
        goods.dispatch(id, sent)
    if rest:
        work.add(Shipment.arrange(next_shipment(id), order, Address(**shipment.recipient), rest))


def quantities_of(shipment: ShipmentId) -> dict[Sku, int]:
    """The units of each SKU in a shipment; raises `NotFound`."""
    with unit_of_work() as work:
        return work.get(Shipment, shipment).quantities
