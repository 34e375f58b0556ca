"""What is to be picked: the goods of shipments that are ready to be packed."""

from collections.abc import Iterable

from msgspec import Struct

from fulfillment.models import FulfillmentOrder, Shipment, ShipmentStatus

MOST = 100
"""The shipments of one pick list."""


class Pick(Struct, frozen=True):
    """One SKU of a pick list: how many units in all, and how many for each shipment."""

    sku: str
    name: str
    units: int
    shipments: list[tuple[str, int]]


class PickList(Struct, frozen=True):
    """What to pick.

    Args:
        shipments: the shipments to pick, the oldest first.
        held: shipments that must not leave now, each with the holds of its order.
        passed_over: the identifiers of chosen shipments that are not ready to be packed any longer.
        left_out: how many more shipments are ready.
    """

    shipments: list[Shipment]
    held: list[tuple[Shipment, str]]
    passed_over: list[str]
    left_out: int

    @property
    def by_sku(self) -> list[Pick]:
        """The goods of all shipments, in the order of their SKUs."""
        names: dict[str, str] = {}
        shares: dict[str, list[tuple[str, int]]] = {}
        for shipment in self.shipments:
            for line in shipment.packed:
                names.setdefault(line.sku, line.name)
                shares.setdefault(line.sku, []).append((shipment.id, line.quantity))
        return [Pick(sku, names[sku], sum(units for _, units in shares[sku]), shares[sku]) for sku in sorted(shares)]

    @property
    def units(self) -> int:
        """The units of all shipments."""
        return sum(pick.units for pick in self.by_sku)


def pick_list(chosen: Iterable[str] | None = None) -> PickList:
    """The pick list of chosen shipments, or of the oldest ones that are ready; the number of statements is constant.

    Args:
        chosen: identifiers of shipments; None for all.
    """
    ready = Shipment.objects.filter(status=ShipmentStatus.ARRANGED).order_by("created_at", "id")
    ids = None if chosen is None else sorted(set(chosen))
    if ids is not None:
        ready = ready.filter(pk__in=ids)
    found = list(ready[:MOST])
    Shipment.load_parts(found)
    goods = FulfillmentOrder.objects.in_bulk([shipment.order for shipment in found])
    holds = {order: ", ".join(row.active_holds) for order, row in goods.items() if row.active_holds}
    return PickList(
        shipments=[shipment for shipment in found if shipment.order not in holds],
        held=[(shipment, holds[shipment.order]) for shipment in found if shipment.order in holds],
        passed_over=sorted(set(ids or ()) - {shipment.id for shipment in found}) if len(found) < MOST else [],
        left_out=ready.count() - len(found) if len(found) == MOST else 0,
    )
