"""Commands about shipments on their way: scans of carriers, what operators say, and what a person decides."""

from collections.abc import Callable, Collection
from datetime import UTC, datetime, timedelta

from fulfillment.commands.goods import goods_of
from fulfillment.commands.returns import open_approved_return
from fulfillment.gateways.carriers import CarrierScan
from fulfillment.models import REFUND, SEND_AGAIN, Shipment, ShipmentStatus
from fulfillment.models.return_policy import ReturnReason
from integration.aggregates.unit_of_work import unit_of_work
from integration.domain import clock
from integration.domain.address import Address
from integration.domain.errors import NotFound, Refused, Unacceptable
from integration.domain.identifiers import OrderNumber, ShipmentId

EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
CLOCKS_DIFFER = timedelta(days=1)
"""How far a carrier's clock may be ahead of ours. A scan from the far future would outrank all later ones."""
SHIPMENTS_OF_A_PARCEL = 20
"""How many shipments may have one tracking number, because they were packed together."""


class ImplausibleMoment(Unacceptable):
    """The moment of a scan lies in the future, or in the last century."""


class RecipientErased(Refused):
    """The recipient was erased, so nothing can be sent there again."""


def deliver_shipment(shipment: ShipmentId, reason: str = "", if_version: Collection[int] | None = None) -> Shipment:
    """Record that a recipient received a shipment; arguments and errors as of `fail_shipment`."""
    return _say(shipment, if_version, lambda found: found.deliver(reason))


def fail_shipment(shipment: ShipmentId, reason: str = "", if_version: Collection[int] | None = None) -> Shipment:
    """Record that the carrier could not deliver a shipment.

    Args:
        reason: free text.
        if_version: the versions of the shipment that the caller accepts; None accepts any.

    Returns:
        The shipment.

    Raises:
        NotFound: there is no such shipment.
        NotAllowed: the state of the shipment does not allow it.
        AlreadyResolved: it is decided already what becomes of the shipment.
        StaleVersion: the shipment is in none of the versions in `if_version`.
    """
    return _say(shipment, if_version, lambda found: found.fail(reason))


def return_to_sender(shipment: ShipmentId, reason: str = "", if_version: Collection[int] | None = None) -> Shipment:
    """Record that the carrier brought a shipment back; arguments and errors as of `fail_shipment`."""
    return _say(shipment, if_version, lambda found: found.return_to_sender(reason))


def lose_shipment(shipment: ShipmentId, reason: str = "", if_version: Collection[int] | None = None) -> Shipment:
    """Record that the carrier lost a shipment; arguments and errors as of `fail_shipment`."""
    return _say(shipment, if_version, lambda found: found.lose(reason))


def close_task(shipment: ShipmentId, note: str) -> Shipment:
    """Record that a person has seen what was scanned after the decision; raises `NotFound`, `NothingToClose`."""
    return _say(shipment, None, lambda found: found.close_task(note))


def _say(shipment: ShipmentId, if_version: Collection[int] | None, say: Callable[[Shipment], None]) -> Shipment:
    with unit_of_work() as work:
        found = work.get(Shipment, shipment)
        found.expect_version(if_version)
        say(found)
    return found


def note_scan(carrier_name: str, scan: CarrierScan) -> None:
    """Record a scan of a carrier, once, in any order.

    Args:
        carrier_name: the carrier that sent it, as in the URL.
        scan: the scan, whose signature was checked.

    Raises:
        NotFound: no shipment left with this carrier under this tracking number.
        ImplausibleMoment: its moment is not possible.
        NotAllowed: the shipment was cancelled.
        TooManyScans: the shipment has too many.
    """
    if not EARLIEST <= scan.at <= clock.now() + CLOCKS_DIFFER:
        raise ImplausibleMoment(pointer="/at")
    tracked = Shipment.objects.filter(is_tracked=True, tracking_number=scan.tracking_number, carrier=carrier_name)
    ids = list(tracked.order_by("pk").values_list("pk", flat=True)[:SHIPMENTS_OF_A_PARCEL])
    if not ids:
        raise NotFound(f"{carrier_name} has no parcel {scan.tracking_number} of ours")
    with unit_of_work() as work:
        for shipment in work.get_many(Shipment, ids).values():
            shipment.scan(scan.id, scan.status, scan.at.astimezone(UTC), scan.note)


def resolve_shipment(shipment: ShipmentId, resolution: str, if_version: Collection[int] | None = None) -> Shipment:
    """Decide what becomes of the goods of a shipment that is lost or came back; the first decision counts.

    By `refund`, lost goods are refunded, and for goods that came back an approved return is opened: they are refunded
    as they are received.

    Args:
        resolution: `refund` or `send_again`.
        if_version: the versions of the shipment that the caller accepts; None accepts any.

    Returns:
        The shipment.

    Raises:
        NotFound: there is no such shipment.
        NotAllowed: the shipment is neither lost nor came back.
        AlreadyResolved: it is decided already.
        RecipientErased: the goods cannot be sent again.
        ReturnAsked, NothingLeft: the buyer asked for a return of some of the goods.
        StaleVersion: the shipment is in none of the versions in `if_version`.
    """
    with unit_of_work() as work:
        order = OrderNumber(_order_of(shipment))
        goods = goods_of(work, order) if resolution == REFUND else None
        found = work.get(Shipment, shipment)
        found.expect_version(if_version)
        if resolution == SEND_AGAIN:
            address = Address(**found.recipient)
            found.require(address != address.erased(), RecipientErased)
        found.resolve(resolution)
        if goods and found.status == ShipmentStatus.LOST:
            goods.lose(shipment, found.quantities)
        elif goods:
            open_approved_return(work, goods, found.quantities, ReturnReason.UNDELIVERED)
    return found


def _order_of(shipment: ShipmentId) -> str:
    """The number of a shipment's order, which never changes; raises `NotFound`."""
    order = Shipment.objects.filter(pk=shipment).values_list("order", flat=True).first()
    if order is None:
        raise NotFound(f"there is no shipment {shipment}")
    return order
