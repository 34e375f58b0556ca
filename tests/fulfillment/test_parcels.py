"""An order in several parcels: the rest of a dispatch becomes the next shipment, and no unit is lost or doubled."""

from collections.abc import Callable

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fulfillment import commands, events, queries
from fulfillment.events import LineToPack
from fulfillment.models import FulfillmentOrder, History, NothingLeft, NotInShipment, Shipment, TooManyUnits
from integration.contracts import IntegrationEvent
from integration.contracts import fulfillment as to_others
from integration.contracts.fulfillment import PackedLine
from integration.domain.address import Address
from integration.domain.errors import StaleVersion
from integration.domain.identifiers import OrderNumber, ShipmentId, Sku
from integration.domain.states import NotAllowed
from integration.domain.versions import from_data

pytestmark = pytest.mark.django_db

ORDER, FIRST, SECOND, THIRD = OrderNumber("R-1"), *(ShipmentId(f"S-1-{n}") for n in (1, 2, 3))
MUG, LAMP = Sku("MUG"), Sku("LAMP")

Published = Callable[..., list[IntegrationEvent]]


@pytest.fixture
def arranged(address: Address) -> None:
    commands.arrange_shipment(ORDER, address, [LineToPack(MUG, "Mug", 2), LineToPack(LAMP, "Lamp", 1)])


def _goods() -> dict[str, tuple[int, int]]:
    """By SKU of the order's goods, the units to ship and those that left."""
    goods = FulfillmentOrder.objects.get()
    return {line.sku: (line.to_ship, line.dispatched) for line in goods.line_rows.all()}


def test_the_rest_becomes_the_next_shipment_at_once(arranged: None, published: Published, address: Address) -> None:
    commands.dispatch_shipment(FIRST, "DHL", "JD0143", [(MUG, 1)])

    first, second = queries.shipment(FIRST), queries.shipment(SECOND)
    assert (first.status, first.quantities) == ("dispatched", {MUG: 1})
    assert (second.status, second.quantities, second.order) == ("arranged", {MUG: 1, LAMP: 1}, ORDER)
    assert Address(**second.recipient) == address
    assert [line.name for line in second.lines] == ["Mug", "Lamp"]
    assert second.correlation_id == first.correlation_id
    assert published(to_others.ShipmentArranged)[1:] == [
        to_others.ShipmentArranged(order=ORDER, shipment=SECOND, lines=(PackedLine(MUG, 1), PackedLine(LAMP, 1)))
    ]
    (dispatched,) = published(to_others.ShipmentDispatched)
    assert dispatched.lines == (PackedLine(MUG, 1),)
    assert _goods() == {"MUG": (2, 1), "LAMP": (1, 0)}


def test_each_part_may_be_split_again(
    arranged: None, published: Published, compare_rows_with_history: Callable[[], set[str]]
) -> None:
    commands.dispatch_shipment(FIRST, "DHL", "1", [(LAMP, 1)])
    commands.dispatch_shipment(SECOND, "DHL", "2", [(MUG, 1)])
    commands.dispatch_shipment(THIRD, "UPS", "3")
    for shipment in (SECOND, FIRST, THIRD):
        commands.deliver_shipment(shipment)

    assert [(each.pk, each.status) for each in Shipment.objects.order_by("pk")] == [
        (shipment, "delivered") for shipment in (FIRST, SECOND, THIRD)
    ]
    assert _goods() == {"MUG": (2, 2), "LAMP": (1, 1)}
    assert "fulfillment_order" in compare_rows_with_history()
    assert [event.lines for event in published(to_others.ShipmentDelivered)] == [
        (PackedLine(MUG, 1),),
        (PackedLine(LAMP, 1),),
        (PackedLine(MUG, 1),),
    ]


@pytest.mark.parametrize("lines", [None, [(LAMP, 1), (MUG, 2)]])
def test_an_order_that_leaves_whole_needs_no_count_of_its_goods(
    arranged: None, lines: list[tuple[Sku, int]] | None
) -> None:
    commands.dispatch_shipment(FIRST, "DHL", "JD0143", lines)

    assert Shipment.objects.count() == 1
    assert not FulfillmentOrder.objects.exists()


@pytest.mark.parametrize(
    ("lines", "refusal"), [([(MUG, 3)], TooManyUnits), ([(LAMP, 1), (Sku("BRICK"), 1)], NotInShipment)]
)
def test_a_dispatch_that_is_refused_changes_nothing(
    arranged: None, lines: list[tuple[Sku, int]], refusal: type[Exception]
) -> None:
    before = History.objects.count()

    with pytest.raises(refusal):
        commands.dispatch_shipment(FIRST, "DHL", "JD0143", lines)

    assert History.objects.count() == before
    assert (Shipment.objects.count(), queries.shipment(FIRST).status) == (1, "arranged")


def test_a_version_that_is_not_expected_splits_nothing(arranged: None) -> None:
    with pytest.raises(StaleVersion):
        commands.dispatch_shipment(FIRST, "DHL", "JD0143", [(MUG, 1)], if_version={7})

    assert not FulfillmentOrder.objects.exists()


def test_a_part_that_left_cannot_leave_again(arranged: None) -> None:
    commands.dispatch_shipment(FIRST, "DHL", "JD0143", [(MUG, 1)])

    with pytest.raises(NotAllowed):
        commands.dispatch_shipment(FIRST, "DHL", "JD0143", [(MUG, 1)])

    assert _goods() == {"MUG": (2, 1), "LAMP": (1, 0)}


def test_an_order_of_which_a_part_left_is_not_cancelled(arranged: None, published: Published) -> None:
    commands.dispatch_shipment(FIRST, "DHL", "JD0143", [(MUG, 1)])
    commands.stop_shipment(ORDER, "by_buyer")

    assert published(to_others.CancellationRefused) == [to_others.CancellationRefused(order=ORDER, shipment=FIRST)]
    assert published(to_others.ShipmentCancelled) == []
    assert queries.shipment(SECOND).status == "arranged"


def test_an_order_that_is_cancelled_is_not_split(arranged: None) -> None:
    commands.stop_shipment(ORDER, "by_buyer")

    with pytest.raises(NotAllowed):
        commands.dispatch_shipment(FIRST, "DHL", "JD0143", [(MUG, 1)])

    assert Shipment.objects.count() == 1


def test_all_parcels_lose_their_recipient(arranged: None, address: Address) -> None:
    commands.dispatch_shipment(FIRST, "DHL", "1", [(MUG, 1)])
    commands.dispatch_shipment(SECOND, "DHL", "2")
    commands.anonymize_shipments([ORDER])

    for shipment in Shipment.objects.all():
        assert Address(**shipment.recipient) == address.erased()


def test_goods_count_no_more_than_they_are() -> None:
    goods = FulfillmentOrder.open(ORDER, {MUG: 2})
    goods.dispatch(FIRST, {MUG: 1})

    for too_many in ({MUG: 2}, {LAMP: 1}):
        with pytest.raises(NothingLeft):
            goods.dispatch(SECOND, too_many)

    assert [type(recorded.event) for recorded in goods.recorded_events] == [
        events.FulfillmentOrderOpened,
        events.GoodsDispatched,
    ]


@given(st.lists(st.dictionaries(st.sampled_from([MUG, LAMP]), st.integers(1, 6), min_size=1), max_size=6))
@settings(max_examples=40, suppress_health_check=list(HealthCheck), deadline=None)
def test_any_sequence_of_parcels_sends_each_unit_once(address: Address, parcels: list[dict[Sku, int]]) -> None:
    with transaction.atomic():
        commands.arrange_shipment(ORDER, address, [LineToPack(MUG, "Mug", 5), LineToPack(LAMP, "Lamp", 4)])
        left, shipment = {MUG: 5, LAMP: 4}, FIRST
        for parcel in parcels:
            if all(quantity <= left.get(sku, 0) for sku, quantity in parcel.items()):
                commands.dispatch_shipment(shipment, "DHL", "1", list(parcel.items()))
                left = {sku: n for sku, n in ((sku, n - parcel.get(sku, 0)) for sku, n in left.items()) if n}
                shipment = commands.next_shipment(shipment)
            else:
                with pytest.raises((TooManyUnits, NotInShipment)):
                    commands.dispatch_shipment(shipment, "DHL", "1", list(parcel.items()))
            if not left:
                break
        if left:
            assert queries.shipment(shipment).quantities == left
        gone: dict[str, int] = {}
        for sent in Shipment.objects.filter(status="dispatched"):
            for line in sent.line_rows.all():
                gone[line.sku] = gone.get(line.sku, 0) + line.quantity
        assert {sku: n for sku, n in gone.items() if n} == {
            sku: n for sku, n in ((sku, n - left.get(sku, 0)) for sku, n in {MUG: 5, LAMP: 4}.items()) if n
        }

        transaction.set_rollback(True)


def test_the_contracts_of_older_code_say_what_they_meant() -> None:
    of_order = {"order": "R-1", "shipment": "S-1-1"}
    sent = {**of_order, "carrier": "DHL", "tracking_number": "1", "lines": [{"sku": "MUG", "quantity": 2}]}

    assert from_data(to_others.ShipmentArranged, of_order, 1).lines == ()
    assert from_data(to_others.ShipmentDelivered, of_order, 1).lines == ()
    assert from_data(to_others.ShipmentDispatched, sent, 1).lines == (PackedLine(MUG, 2),)
