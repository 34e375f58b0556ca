"""What can be done in inventory, by its commands and by what the other contexts tell, and what it tells them."""

from collections.abc import Callable, Sequence
from datetime import timedelta
from itertools import permutations

import pytest

from integration.contracts import IntegrationEvent
from integration.contracts import fulfillment as from_fulfillment
from integration.contracts import inventory as to_others
from integration.contracts import ordering as from_ordering
from integration.domain.errors import NotFound, NotYet
from integration.domain.identifiers import BuyerId, OrderNumber, PaymentMethodId, ShipmentId, Sku
from integration.domain.money import Money
from integration.messaging.models import Delivery
from inventory import commands, queries
from inventory.events import ReservedLine
from inventory.models import (
    History,
    NothingAdjusted,
    QuantityOutOfBounds,
    Reservation,
    ReservedGoods,
    StockItem,
)

pytestmark = pytest.mark.django_db

MUG, LAMP, ATLAS = Sku("MUG"), Sku("LAMP"), Sku("ATLAS")
ORDER, OTHER = OrderNumber("R-1"), OrderNumber("R-2")
SHIPMENT = ShipmentId("S-1-1")

PublishAll = Callable[..., None]
Published = Callable[..., list[IntegrationEvent]]


@pytest.fixture
def shelf() -> None:
    """Ten mugs and two lamps."""
    commands.stock_up([(MUG, 10), (LAMP, 2)], "PO-1")


@pytest.fixture
def hear(publish_all: PublishAll, drain: Callable[..., int]) -> PublishAll:
    """Let inventory hear what others tell; nobody else does anything."""

    def listen(*events: IntegrationEvent) -> None:
        publish_all(*events)
        drain("inventory")

    return listen


def _placed(order: OrderNumber = ORDER, **quantities: int) -> from_ordering.OrderPlaced:
    price = Money("1", "USD")
    lines = tuple(from_ordering.OrderedLine(Sku(sku), sku, quantity, price) for sku, quantity in quantities.items())
    return from_ordering.OrderPlaced(
        order=order,
        buyer=BuyerId("B-1"),
        payment_method=PaymentMethodId("pm_card_visa"),
        lines=lines,
        discount=Money.zero("USD"),
        total=price * sum(quantities.values()),
    )


def _dispatched(order: OrderNumber = ORDER) -> from_fulfillment.ShipmentDispatched:
    return from_fulfillment.ShipmentDispatched(order, SHIPMENT, "DHL", "JD0143", ())


def _stock(sku: Sku = MUG) -> tuple[int, int]:
    item = queries.stock_item(sku)
    return item.on_hand, item.reserved


def _status(order: OrderNumber = ORDER) -> str:
    return Reservation.objects.get(pk=order).status


def _all_handled() -> bool:
    """Whether inventory heard all it was told, without a failure."""
    return not Delivery.objects.filter(context="inventory").exclude(status="done", attempts__lte=1).exists()


# --- By hand ---


def test_a_product_that_is_listed_gets_its_place_on_the_shelf_once(hear: PublishAll) -> None:
    hear(from_ordering.ProductListed(MUG, "Mug"), from_ordering.ProductListed(LAMP, "Lamp"))
    hear(from_ordering.ProductListed(MUG, "Mug"))

    assert _all_handled()
    assert _stock(MUG) == _stock(LAMP) == (0, 0)
    assert History.objects.filter(name="inventory.stock_item_opened").count() == 2


def test_goods_that_come_in_can_be_promised(published: Published) -> None:
    commands.open_stock_item(MUG)

    item = commands.receive_stock(MUG, 10, "PO-2")

    assert item.available == 10
    assert _stock() == (10, 0)
    assert published(to_others.StockReplenished) == [to_others.StockReplenished(MUG, 10, 3)]


def test_stocking_up_opens_the_places_that_are_missing_and_adds_to_the_others(shelf: None) -> None:
    commands.stock_up([(MUG, 1), (ATLAS, 3), (ATLAS, 4)])

    assert (_stock(MUG), _stock(ATLAS)) == ((11, 0), (7, 0))


def test_one_bad_quantity_stocks_nothing_up(shelf: None) -> None:
    with pytest.raises(QuantityOutOfBounds):
        commands.stock_up([(MUG, 1), (ATLAS, 0)])

    assert _stock(MUG) == (10, 0)
    assert not StockItem.objects.filter(pk=ATLAS).exists()


def test_somebody_counts_and_the_books_follow(shelf: None) -> None:
    commands.adjust_stock(MUG, -3, "broken")

    assert _stock() == (7, 0)
    adjusted = History.objects.get(name="inventory.stock_adjusted")
    assert adjusted.data == {"delta": -3, "reason": "broken"}


def test_what_is_impossible_is_refused_and_changes_nothing(shelf: None) -> None:
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

    assert (_stock(), History.objects.count()) == ((10, 8), before)


def test_levels_are_told_when_they_change(shelf: None, published: Published) -> None:
    for order, quantity in [(ORDER, 5), (OTHER, 5)]:
        commands.reserve_stock(order, [ReservedLine(MUG, quantity)])
    commands.release_reservation(OTHER, "by_buyer")

    levels = published(to_others.StockRanLow, to_others.StockRanOut, to_others.StockReplenished)
    assert [level for level in levels if level.sku == MUG] == [  # type: ignore[attr-defined]
        to_others.StockReplenished(MUG, 10, 3),
        to_others.StockRanLow(MUG, 5, 5),
        to_others.StockRanOut(MUG, 7),
        to_others.StockRanLow(MUG, 5, 9),
    ]


def test_what_should_be_reordered_can_be_asked(shelf: None) -> None:
    commands.open_stock_item(ATLAS)

    assert {item.sku for item in queries.running_low()} == {"LAMP", "ATLAS"}


# --- For an order ---


def test_an_orders_goods_are_set_aside(shelf: None, hear: PublishAll, published: Published) -> None:
    hear(_placed(MUG=3, LAMP=2))

    assert (_stock(MUG), _stock(LAMP)) == ((10, 3), (2, 2))
    assert published(to_others.StockReserved) == [to_others.StockReserved(ORDER)]
    assert [(line.sku, line.quantity) for line in Reservation.objects.get().line_rows.order_by("pk")] == [
        ("MUG", 3),
        ("LAMP", 2),
    ]


def test_all_goods_are_there_or_none_is_set_aside(shelf: None, hear: PublishAll, published: Published) -> None:
    hear(_placed(MUG=3, LAMP=3, ATLAS=1))

    assert (_stock(MUG), _stock(LAMP)) == ((10, 0), (2, 0))
    assert published(to_others.StockReserved) == []
    assert published(to_others.StockReservationFailed) == [
        to_others.StockReservationFailed(ORDER, (to_others.Shortage(LAMP, 3, 2), to_others.Shortage(ATLAS, 1, 0)))
    ]
    assert _status() == "refused"


def test_an_order_heard_twice_is_reserved_once(shelf: None, hear: PublishAll, published: Published) -> None:
    hear(_placed(MUG=3))
    hear(_placed(MUG=3))

    assert _stock() == (10, 3)
    assert len(published(to_others.StockReserved)) == 1
    assert _all_handled()


def test_a_refusal_stands_even_if_goods_come_in_later(shelf: None, hear: PublishAll, published: Published) -> None:
    hear(_placed(LAMP=3))
    commands.receive_stock(LAMP, 10)
    hear(_placed(LAMP=3))

    assert (_stock(LAMP), _status()) == ((12, 0), "refused")
    assert _all_handled()


def test_the_last_units_go_to_as_many_as_there_are(shelf: None, hear: PublishAll) -> None:
    orders = [OrderNumber(f"R-{n}") for n in range(1, 26)]

    hear(*(_placed(order, MUG=1) for order in orders))

    assert _stock() == (10, 10)
    statuses = list(Reservation.objects.order_by("created_at").values_list("status", flat=True))
    assert (statuses.count("held"), statuses.count("refused")) == (10, 15)


def test_confirmed_goods_stay_set_aside_until_they_leave(shelf: None, hear: PublishAll) -> None:
    hear(_placed(MUG=3), from_ordering.OrderConfirmed(ORDER))
    assert (_stock(), _status()) == ((10, 3), "committed")

    hear(_dispatched())
    hear(_dispatched())

    assert (_stock(), _status()) == ((7, 0), "shipped")
    assert _all_handled()


@pytest.mark.parametrize(
    ("reason", "status"),
    [
        ("by_buyer", "released"),
        ("by_operator", "released"),
        ("payment_failed", "released"),
        ("payment_timeout", "expired"),
    ],
)
def test_a_cancelled_orders_goods_are_free_again_once(shelf: None, hear: PublishAll, reason: str, status: str) -> None:
    hear(_placed(MUG=3), from_ordering.OrderCancelled(ORDER, reason))
    hear(from_ordering.OrderCancelled(ORDER, reason))

    assert (_stock(), _status()) == ((10, 0), status)
    assert _all_handled()


def test_a_confirmed_orders_goods_are_free_again_when_it_is_cancelled(shelf: None, hear: PublishAll) -> None:
    hear(_placed(MUG=3), from_ordering.OrderConfirmed(ORDER))
    hear(from_ordering.OrderCancelled(ORDER, "by_buyer"))

    assert (_stock(), _status()) == ((10, 0), "released")


def test_what_was_refused_has_nothing_to_give_back(shelf: None, hear: PublishAll) -> None:
    hear(_placed(MUG=11), from_ordering.OrderCancelled(ORDER, "out_of_stock"))

    assert (_stock(), _status()) == ((10, 0), "refused")
    assert _all_handled()


def test_before_a_reservation_is_decided_everything_about_it_is_too_early() -> None:
    for command in (
        lambda: commands.commit_reservation(ORDER),
        lambda: commands.release_reservation(ORDER, "by_buyer"),
        lambda: commands.ship_reservation(ORDER, SHIPMENT),
    ):
        with pytest.raises(NotYet):
            command()


GOOD_WAY = [_placed(MUG=3), from_ordering.OrderConfirmed(ORDER), _dispatched()]
BAD_WAY = [_placed(MUG=3), from_ordering.OrderCancelled(ORDER, "payment_failed")]
LATE_CHANGE = [_placed(MUG=3), from_ordering.OrderConfirmed(ORDER), from_ordering.OrderCancelled(ORDER, "by_buyer")]


@pytest.mark.parametrize(
    ("heard", "stock"),
    [
        *((order, (7, 0)) for order in permutations(GOOD_WAY)),
        *((order, (10, 0)) for order in permutations(BAD_WAY)),
        *((order, (10, 0)) for order in permutations(LATE_CHANGE)),
    ],
    ids=lambda value: "-".join(getattr(type(event), "wire_name", f"{event}") for event in value),
)
def test_in_whatever_order_it_is_heard_the_stock_is_the_same(
    shelf: None,
    hear: PublishAll,
    drain: Callable[..., int],
    later: Callable[[timedelta], None],
    heard: Sequence[IntegrationEvent],
    stock: tuple[int, int],
) -> None:
    for event in heard:
        hear(event)
    for _ in heard:
        later(timedelta(seconds=1))
        drain("inventory")

    assert _stock() == stock
    assert _all_handled()
