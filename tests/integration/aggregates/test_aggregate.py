"""An aggregate changes only by recording events."""

import pytest
from django.db import models

from integration.aggregates import past
from integration.aggregates.aggregate import Aggregate
from integration.domain.errors import StaleVersion
from integration.domain.identifiers import OrderNumber, Sku
from integration.domain.metadata import new_story
from integration.domain.money import Money
from integration.history.entries import HistoryEntry
from inventory import events
from inventory.events import ReservedLine
from inventory.models import History, Reservation, StockItem
from ordering.models import Order, OrderLine, Product

ORDER = OrderNumber("R-1")


@pytest.fixture
def mugs() -> StockItem:
    item = StockItem.open(Sku("MUG"), reorder_point=2)
    item.receive(10, "PO-1")
    return item


def _history_of(aggregate: Aggregate) -> list[HistoryEntry]:
    return [History.of(recorded) for recorded in aggregate.recorded_events]


def test_recording_an_event_changes_the_state_and_queues_the_event(mugs: StockItem) -> None:
    assert mugs.on_hand == 10
    assert [recorded.event for recorded in mugs.recorded_events] == [
        events.StockItemOpened(sku=Sku("MUG"), reorder_point=2),
        events.StockReceived(quantity=10, reference="PO-1"),
        events.StockLevelChanged(sku=Sku("MUG"), level="in_stock", available=10, sequence=3),
    ]


def test_the_version_counts_the_events(mugs: StockItem) -> None:
    assert [recorded.metadata.version for recorded in mugs.recorded_events] == [1, 2, 3]
    assert mugs.version == 3


def test_a_recorded_event_names_its_stream(mugs: StockItem) -> None:
    assert {(recorded.stream, recorded.stream_id) for recorded in mugs.recorded_events} == {("stock_item", "MUG")}


def test_an_aggregate_can_be_rebuilt_from_its_history(mugs: StockItem) -> None:
    mugs.set_aside(ORDER, 4)
    mugs.ship(ORDER, 4)
    rebuilt = past.from_history(StockItem, _history_of(mugs))

    assert (rebuilt.sku, rebuilt.on_hand, rebuilt.reserved, rebuilt.version) == ("MUG", 6, 0, mugs.version)
    assert (rebuilt.created_at, rebuilt.updated_at) == (mugs.created_at, mugs.updated_at)
    assert mugs.created_at < mugs.updated_at


def test_an_aggregate_of_one_story_keeps_its_first_story() -> None:
    with new_story() as first_story:
        reservation = Reservation.hold(ORDER, [ReservedLine(Sku("MUG"), 1)])
    with new_story() as other_story:
        reservation.commit()

    assert {recorded.metadata.correlation_id for recorded in reservation.recorded_events} == {
        first_story.correlation_id
    }
    assert reservation.correlation_id == first_story.correlation_id != other_story.correlation_id
    assert past.from_history(Reservation, _history_of(reservation)).correlation_id == first_story.correlation_id


def test_events_of_other_aggregates_belong_to_the_current_story() -> None:
    product = Product.list_for_sale(Sku("MUG"), "Mug", "", Money("1", "USD"))
    with new_story() as change:
        product.change(name="Cup", description="", price=product.price, on_sale=True)

    assert product.recorded_events[-1].metadata.correlation_id == change.correlation_id
    assert product.recorded_events[0].metadata.correlation_id != change.correlation_id


def test_an_event_of_another_kind_of_aggregate_is_refused(mugs: StockItem) -> None:
    with pytest.raises(TypeError, match="StockItem does not apply ReservationExpired"):
        mugs.record(events.ReservationExpired(order=ORDER))

    assert mugs.version == 3


def test_an_outdated_version_is_refused(mugs: StockItem) -> None:
    mugs.expect_version(None)
    mugs.expect_version({3})
    mugs.expect_version({2, 3})
    with pytest.raises(StaleVersion):
        mugs.expect_version({2})


def test_require_raises_an_error_class_or_an_instance(mugs: StockItem) -> None:
    mugs.require(True, StaleVersion)
    with pytest.raises(StaleVersion, match="was changed after it was read"):
        mugs.require(False, StaleVersion)
    with pytest.raises(StaleVersion, match="read it again"):
        mugs.require(False, StaleVersion("read it again"))


class TestAPart:
    def test_refuses_a_value_that_is_not_a_column(self) -> None:
        with pytest.raises(TypeError, match="OrderLine has no shiped"):
            OrderLine.of(Order(number="R-1"), sku="MUG", shiped=1)

    def test_belongs_to_its_aggregate_and_has_the_defaults_of_its_columns(self) -> None:
        order = Order(number="R-1")
        line = OrderLine.of(order, sku="MUG")
        assert (line.order, line.order_id, line.shipped, line.pk) == (order, "R-1", 0, None)
        assert line._state.adding


@pytest.mark.parametrize("kind", [Order, StockItem])
def test_an_aggregate_without_arguments_equals_one_made_by_django(kind: type[Aggregate]) -> None:
    made, expected = kind(), kind.__new__(kind)
    models.Model.__init__(expected)
    states = [vars(each).pop("_state") for each in (made, expected)]
    assert [(state.adding, state.db) for state in states] == [(True, None)] * 2
    assert vars(made) == vars(expected)


def test_two_new_aggregates_do_not_share_a_default_list() -> None:
    one, other = Order(), Order()
    one.shipments.append("S-1")
    assert (one.shipments, other.shipments) == (["S-1"], [])
