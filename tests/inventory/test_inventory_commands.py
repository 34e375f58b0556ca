"""Commands of inventory, the contracts that it consumes, and the contracts that it publishes."""

from collections.abc import Callable, Sequence
from datetime import timedelta
from itertools import permutations

import pytest

from integration.contracts import IntegrationEvent
from integration.contracts import fulfillment as fulfillment_contracts
from integration.contracts import inventory as inventory_contracts
from integration.contracts import ordering as ordering_contracts
from integration.domain.errors import NotFound, NotYet
from integration.domain.identifiers import OrderNumber, ShipmentId, Sku
from integration.domain.money import Money
from integration.messaging.models import Delivery
from inventory import commands, queries
from inventory.events import ReservedLine
from inventory.models import (
    History,
    NothingAdjusted,
    NotInQuarantine,
    NotThatMany,
    QuantityOutOfBounds,
    Reservation,
    ReservedGoods,
    StockItem,
)
from tests.plain_orders import order_placed

pytestmark = pytest.mark.django_db

MUG, LAMP, ATLAS = Sku("MUG"), Sku("LAMP"), Sku("ATLAS")
ORDER, OTHER = OrderNumber("R-1"), OrderNumber("R-2")
SHIPMENT = ShipmentId("S-1-1")

PublishAll = Callable[..., None]
Published = Callable[..., list[IntegrationEvent]]


@pytest.fixture
def stock() -> None:
    """Stock of ten mugs and two lamps."""
    commands.stock_up([(MUG, 10), (LAMP, 2)], "PO-1")


@pytest.fixture
def consume(publish_all: PublishAll, drain: Callable[..., int]) -> PublishAll:
    """A function that publishes contracts and lets inventory handle them; no other context reacts."""

    def publish_and_handle(*events: IntegrationEvent) -> None:
        publish_all(*events)
        drain("inventory")

    return publish_and_handle


def _placed(order: OrderNumber = ORDER, **quantities: int) -> ordering_contracts.OrderPlaced:
    return order_placed(order, [(sku, sku, quantity, Money("1", "USD")) for sku, quantity in quantities.items()])


def _dispatched(
    order: OrderNumber = ORDER, shipment: ShipmentId = SHIPMENT, **quantities: int
) -> fulfillment_contracts.ShipmentDispatched:
    lines = tuple(fulfillment_contracts.PackedLine(Sku(sku), quantity) for sku, quantity in quantities.items())
    return fulfillment_contracts.ShipmentDispatched(
        order=order, shipment=shipment, carrier="DHL", tracking_number="JD0143", lines=lines
    )


def _stock(sku: Sku = MUG) -> tuple[int, int]:
    item = queries.stock_item(sku)
    return item.on_hand, item.reserved


def _status(order: OrderNumber = ORDER) -> str:
    return Reservation.objects.get(pk=order).status


def _all_handled() -> bool:
    """Whether every delivery to inventory is done, after at most one attempt."""
    return not Delivery.objects.filter(context="inventory").exclude(status="done", attempts__lte=1).exists()


# --- Stock ---


def test_a_listed_product_gets_one_stock_item(consume: PublishAll) -> None:
    consume(
        ordering_contracts.ProductListed(sku=MUG, name="Mug"), ordering_contracts.ProductListed(sku=LAMP, name="Lamp")
    )
    consume(ordering_contracts.ProductListed(sku=MUG, name="Mug"))

    assert _all_handled()
    assert _stock(MUG) == _stock(LAMP) == (0, 0)
    assert History.objects.filter(name="inventory.stock_item_opened").count() == 2


def test_received_units_are_available(published: Published) -> None:
    commands.open_stock_item(MUG)

    item = commands.receive_stock(MUG, 10, "PO-2")

    assert item.available == 10
    assert _stock() == (10, 0)
    assert published(inventory_contracts.StockReplenished) == [
        inventory_contracts.StockReplenished(sku=MUG, available=10, sequence=3)
    ]


def test_stocking_up_creates_missing_stock_items_and_adds_to_existing_ones(stock: None) -> None:
    commands.stock_up([(MUG, 1), (ATLAS, 3), (ATLAS, 4)])

    assert (_stock(MUG), _stock(ATLAS)) == ((11, 0), (7, 0))


def test_stocking_up_with_an_invalid_quantity_changes_nothing(stock: None) -> None:
    with pytest.raises(QuantityOutOfBounds):
        commands.stock_up([(MUG, 1), (ATLAS, 0)])

    assert _stock(MUG) == (10, 0)
    assert not StockItem.objects.filter(pk=ATLAS).exists()


def test_an_adjustment_changes_the_stock_and_is_in_the_history(stock: None) -> None:
    commands.adjust_stock(MUG, -3, "broken")

    assert _stock() == (7, 0)
    adjusted = History.objects.get(name="inventory.stock_adjusted")
    assert adjusted.data == {"delta": -3, "reason": "broken"}


def test_units_go_through_quarantine_and_availability_is_published(stock: None, published: Published) -> None:
    commands.quarantine_stock(MUG, 8, "box damaged")
    assert commands.clear_stock(MUG, 5, "good").available == 7
    item = commands.write_off_stock(MUG, 3, "broken")

    assert (item.on_hand, item.quarantined) == (7, 0)
    assert [level for level in published(inventory_contracts.StockRanLow) if level.sku == MUG] == [  # type: ignore[attr-defined]
        inventory_contracts.StockRanLow(sku=MUG, available=2, sequence=5)
    ]


def test_invalid_changes_are_refused_and_change_nothing(stock: None) -> None:
    commands.reserve_stock(ORDER, [ReservedLine(MUG, 8)])
    before = History.objects.count()

    with pytest.raises(ReservedGoods):
        commands.adjust_stock(MUG, -3, "broken")
    with pytest.raises(NothingAdjusted):
        commands.adjust_stock(MUG, 0, "nothing")
    with pytest.raises(QuantityOutOfBounds):
        commands.receive_stock(MUG, -1)
    with pytest.raises(NotFound):
        commands.receive_stock(ATLAS, 1)
    with pytest.raises(NotFound):
        commands.adjust_stock(ATLAS, 1, "found")
    with pytest.raises(NotThatMany):
        commands.quarantine_stock(MUG, 3, "box damaged")
    for leave in commands.clear_stock, commands.write_off_stock:
        with pytest.raises(NotInQuarantine):
            leave(MUG, 1, "looked at")
        with pytest.raises(NotFound):
            leave(ATLAS, 1, "looked at")
    with pytest.raises(NotFound):
        commands.quarantine_stock(ATLAS, 1, "box damaged")

    assert (_stock(), History.objects.count()) == ((10, 8), before)


def test_changes_of_the_level_are_published(stock: None, published: Published) -> None:
    for order, quantity in [(ORDER, 5), (OTHER, 5)]:
        commands.reserve_stock(order, [ReservedLine(MUG, quantity)])
    commands.release_reservation(OTHER, "by_buyer")

    levels = published(
        inventory_contracts.StockRanLow, inventory_contracts.StockRanOut, inventory_contracts.StockReplenished
    )
    assert [level for level in levels if level.sku == MUG] == [  # type: ignore[attr-defined]
        inventory_contracts.StockReplenished(sku=MUG, available=10, sequence=3),
        inventory_contracts.StockRanLow(sku=MUG, available=5, sequence=5),
        inventory_contracts.StockRanOut(sku=MUG, sequence=7),
        inventory_contracts.StockRanLow(sku=MUG, available=5, sequence=9),
    ]


def test_stock_to_reorder_is_at_or_below_its_reorder_point(stock: None) -> None:
    commands.open_stock_item(ATLAS)

    assert {item.sku for item in queries.running_low()} == {"LAMP", "ATLAS"}


# --- Reservations ---


def test_the_goods_of_an_order_are_reserved(stock: None, consume: PublishAll, published: Published) -> None:
    consume(_placed(MUG=3, LAMP=2))

    assert (_stock(MUG), _stock(LAMP)) == ((10, 3), (2, 2))
    assert published(inventory_contracts.StockReserved) == [inventory_contracts.StockReserved(order=ORDER)]
    assert [(line.sku, line.quantity) for line in Reservation.objects.get().line_rows.order_by("pk")] == [
        ("MUG", 3),
        ("LAMP", 2),
    ]


def test_no_goods_are_reserved_if_some_are_short(stock: None, consume: PublishAll, published: Published) -> None:
    consume(_placed(MUG=3, LAMP=3, ATLAS=1))

    assert (_stock(MUG), _stock(LAMP)) == ((10, 0), (2, 0))
    assert published(inventory_contracts.StockReserved) == []
    assert published(inventory_contracts.StockReservationFailed) == [
        inventory_contracts.StockReservationFailed(
            order=ORDER, shortages=(inventory_contracts.Shortage(LAMP, 3, 2), inventory_contracts.Shortage(ATLAS, 1, 0))
        )
    ]
    assert _status() == "refused"


def test_an_order_consumed_twice_is_reserved_once(stock: None, consume: PublishAll, published: Published) -> None:
    consume(_placed(MUG=3))
    consume(_placed(MUG=3))

    assert _stock() == (10, 3)
    assert len(published(inventory_contracts.StockReserved)) == 1
    assert _all_handled()


def test_a_refusal_is_final_even_if_goods_come_in_later(stock: None, consume: PublishAll, published: Published) -> None:
    consume(_placed(LAMP=3))
    commands.receive_stock(LAMP, 10)
    consume(_placed(LAMP=3))

    assert (_stock(LAMP), _status()) == ((12, 0), "refused")
    assert _all_handled()


def test_no_more_orders_are_reserved_than_units_are_left(stock: None, consume: PublishAll) -> None:
    orders = [OrderNumber(f"R-{n}") for n in range(1, 26)]

    consume(*(_placed(order, MUG=1) for order in orders))

    assert _stock() == (10, 10)
    statuses = list(Reservation.objects.order_by("created_at").values_list("status", flat=True))
    assert (statuses.count("held"), statuses.count("refused")) == (10, 15)


def test_goods_of_a_confirmed_order_stay_reserved_until_they_are_shipped(stock: None, consume: PublishAll) -> None:
    consume(_placed(MUG=3), ordering_contracts.OrderConfirmed(order=ORDER))
    assert (_stock(), _status()) == ((10, 3), "committed")

    consume(_dispatched(MUG=3))
    consume(_dispatched(MUG=3))

    assert (_stock(), _status()) == ((7, 0), "shipped")
    assert _all_handled()


def test_goods_of_an_order_leave_in_several_shipments(stock: None, consume: PublishAll) -> None:
    first, second = _dispatched(MUG=1, LAMP=1), _dispatched(shipment=ShipmentId("S-1-2"), MUG=2, LAMP=1)
    consume(_placed(MUG=3, LAMP=2), ordering_contracts.OrderConfirmed(order=ORDER))

    consume(second, second)
    assert (_stock(MUG), _stock(LAMP), _status()) == ((8, 1), (1, 1), "committed")
    consume(first, second, first)

    assert (_stock(MUG), _stock(LAMP), _status()) == ((7, 0), (0, 0), "shipped")
    assert _all_handled()


def test_a_shipment_of_more_than_is_reserved_is_refused_and_changes_nothing(stock: None, consume: PublishAll) -> None:
    consume(_placed(MUG=3, LAMP=1), ordering_contracts.OrderConfirmed(order=ORDER))

    consume(_dispatched(MUG=1, LAMP=2))

    assert (_stock(MUG), _stock(LAMP), _status()) == ((10, 3), (2, 1), "committed")
    refused = Delivery.objects.get(consumer="inventory.take-off-the-shelf")
    assert "NotReserved" in refused.error


@pytest.mark.parametrize(
    ("reason", "status"),
    [
        ("by_buyer", "released"),
        ("by_operator", "released"),
        ("payment_failed", "released"),
        ("payment_timeout", "expired"),
    ],
)
def test_goods_of_a_cancelled_order_are_freed_once(stock: None, consume: PublishAll, reason: str, status: str) -> None:
    consume(_placed(MUG=3), ordering_contracts.OrderCancelled(order=ORDER, reason=reason))
    consume(ordering_contracts.OrderCancelled(order=ORDER, reason=reason))

    assert (_stock(), _status()) == ((10, 0), status)
    assert _all_handled()


def test_goods_of_a_confirmed_order_are_freed_when_it_is_cancelled(stock: None, consume: PublishAll) -> None:
    consume(_placed(MUG=3), ordering_contracts.OrderConfirmed(order=ORDER))
    consume(ordering_contracts.OrderCancelled(order=ORDER, reason="by_buyer"))

    assert (_stock(), _status()) == ((10, 0), "released")


def test_a_refused_reservation_has_nothing_to_free(stock: None, consume: PublishAll) -> None:
    consume(_placed(MUG=11), ordering_contracts.OrderCancelled(order=ORDER, reason="out_of_stock"))

    assert (_stock(), _status()) == ((10, 0), "refused")
    assert _all_handled()


def test_commands_that_need_a_reservation_are_too_early_without_one() -> None:
    for command in (
        lambda: commands.commit_reservation(ORDER),
        lambda: commands.release_reservation(ORDER, "by_buyer"),
        lambda: commands.ship_reservation(ORDER, SHIPMENT, [ReservedLine(MUG, 1)]),
    ):
        with pytest.raises(NotYet):
            command()


SHIPPED = [_placed(MUG=3), ordering_contracts.OrderConfirmed(order=ORDER), _dispatched(MUG=3)]
CANCELLED = [_placed(MUG=3), ordering_contracts.OrderCancelled(order=ORDER, reason="payment_failed")]
CANCELLED_AFTER_CONFIRMATION = [
    _placed(MUG=3),
    ordering_contracts.OrderConfirmed(order=ORDER),
    ordering_contracts.OrderCancelled(order=ORDER, reason="by_buyer"),
]


@pytest.mark.parametrize(
    ("contracts", "stock_at_end"),
    [
        *((order, (7, 0)) for order in permutations(SHIPPED)),
        *((order, (10, 0)) for order in permutations(CANCELLED)),
        *((order, (10, 0)) for order in permutations(CANCELLED_AFTER_CONFIRMATION)),
    ],
    ids=lambda value: "-".join(getattr(type(event), "wire_name", f"{event}") for event in value),
)
def test_the_stock_is_the_same_in_whatever_order_contracts_arrive(
    stock: None,
    consume: PublishAll,
    drain: Callable[..., int],
    later: Callable[[timedelta], None],
    contracts: Sequence[IntegrationEvent],
    stock_at_end: tuple[int, int],
) -> None:
    for event in contracts:
        consume(event)
    for _ in contracts:
        later(timedelta(seconds=1))
        drain("inventory")

    assert _stock() == stock_at_end
    assert _all_handled()
