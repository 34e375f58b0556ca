"""One command runs in one unit of work and one transaction: everything is committed, or nothing."""

import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction

from fulfillment.commands import deliver_shipment, dispatch_shipment, shipment_of
from integration.aggregates.aggregate import PastIsFixed
from integration.aggregates.direct_writes import bypassing_history
from integration.aggregates.unit_of_work import SavepointRolledBack, UnitFailed, current_unit_of_work, unit_of_work
from integration.contracts import inventory as contracts
from integration.domain import dispatcher
from integration.domain.dispatcher import EndlessCascade, NoTransaction, dispatch, subscribe
from integration.domain.errors import NotFound, NotYet
from integration.domain.identifiers import BuyerId, OrderNumber, PaymentId, ShipmentId, Sku
from integration.domain.metadata import current_cause, new_story
from integration.messaging.models import Delivery, Message
from integration.messaging.publish import publish
from inventory import commands, events
from inventory.models import History, Reservation, StockItem
from ordering.commands import cancel_order, change_product, change_profile
from ordering.models import CancellationReason, Order

Subscribe = Callable[[type, Callable[[Any], None]], None]
MUG, LAMP = Sku("MUG"), Sku("LAMP")
ORDER = OrderNumber("R-7")

pytestmark = pytest.mark.django_db


class HandlerFailed(Exception):
    """Raised by the handlers of these tests."""


@pytest.fixture
def mugs() -> None:
    """Ten mugs in stock."""
    commands.open_stock_item(MUG)
    commands.receive_stock(MUG, 10)


@pytest.fixture
def react(monkeypatch: pytest.MonkeyPatch) -> Iterator[Subscribe]:
    """Subscribe a handler for this test only."""
    before = {event: list(handlers) for event, handlers in dispatcher._handlers.items()}
    yield subscribe
    dispatcher._handlers.clear()
    dispatcher._handlers.update(before)


def _on_hand(sku: Sku = MUG) -> int:
    return StockItem.objects.get(pk=sku).on_hand


# --- Loading and writing aggregates ---


def test_an_aggregate_loaded_twice_is_the_same_object(mugs: None) -> None:
    with unit_of_work() as work:
        item = work.get(StockItem, MUG)
        item.receive(1, "")

        assert work.get(StockItem, MUG) is item
        assert work.find(StockItem, MUG) is item
        assert work.get_many(StockItem, [MUG, LAMP]) == {MUG: item}

    assert _on_hand() == 11


def test_a_new_aggregate_is_found_before_it_is_written(mugs: None) -> None:
    with unit_of_work() as work:
        item = StockItem.open(LAMP)
        work.add(item)

        assert work.get(StockItem, LAMP) is item
        assert not StockItem.objects.filter(pk=LAMP).exists()

    assert _on_hand(LAMP) == 0


def test_a_missing_aggregate_is_not_found() -> None:
    with pytest.raises(NotFound, match="there is no stock item MUG"), unit_of_work() as work:
        work.get(StockItem, MUG)


def test_an_unchanged_aggregate_is_not_written(mugs: None, statements: Callable[[], Any]) -> None:
    with statements() as seen, unit_of_work() as work:
        work.get(StockItem, MUG)

    assert len(seen) == 1


def test_aggregates_are_locked_in_the_order_of_their_keys(statements: Callable[[], Any]) -> None:
    commands.stock_up([(Sku(sku), 1) for sku in "ABC"])

    with statements() as seen, unit_of_work() as work:
        assert list(work.get_many(StockItem, [Sku("C"), Sku("A"), Sku("B")])) == ["C", "A", "B"]

    (lock,) = seen
    assert re.search(r'ORDER BY ("inventory_stockitem"\.)?"sku"', lock)
    assert ("FOR NO KEY UPDATE" in lock) == (connection.vendor == "postgresql")


def test_parts_are_loaded_on_first_use_for_all_aggregates_loaded_together(
    placed: Callable[..., OrderNumber], statements: Callable[[], Any]
) -> None:
    numbers = [placed({"MUG": 1}), placed({"MUG": 2, "LAMP": 3})]
    with unit_of_work() as work:
        with statements() as seen:
            first, second = work.get_many(Order, numbers).values()
        assert len(seen) == 1

        with statements() as seen:
            assert [(line.sku, line.quantity) for line in second.lines] == [("MUG", 2), ("LAMP", 3)]
            assert [(line.sku, line.quantity) for line in first.lines] == [("MUG", 1)]
            assert first.lines[0] is work.get(Order, numbers[0]).lines[0]
        assert len(seen) == 1


def test_version_and_history_agree(mugs: None) -> None:
    with unit_of_work() as work:
        item = work.get(StockItem, MUG)
        item.receive(1, "")
        item.receive(2, "")

    history = History.objects.filter(stream_id=MUG).order_by("version")
    assert [entry.version for entry in history] == list(range(1, StockItem.objects.get(pk=MUG).version + 1))
    assert [entry.data.get("quantity") for entry in history][-2:] == [1, 2]


def test_the_database_refuses_two_events_of_one_version(mugs: None) -> None:
    duplicate = History.objects.order_by("version").first()
    assert duplicate is not None
    duplicate.pk, duplicate._state.adding = "018f0000-0000-7000-8000-000000000000", True

    with pytest.raises(IntegrityError, match=r"(?i)unique|append-only"):
        History.objects.bulk_create([duplicate])


def test_the_number_of_statements_does_not_depend_on_the_number_of_aggregates(statements: Callable[[], Any]) -> None:
    counts = []
    for skus in (["A"], [f"B{n}" for n in range(200)]):
        with statements() as opened:
            commands.stock_up([(Sku(sku), 1) for sku in skus])
        with statements() as changed:
            commands.stock_up([(Sku(sku), 1) for sku in skus])
        counts.append((len(opened), len(changed)))

    assert counts[0] == counts[1]


def test_a_new_aggregate_can_be_changed_in_the_same_unit_of_work(
    placed: Callable[..., OrderNumber], compare_rows_with_history: Callable[[], set[str]]
) -> None:
    with unit_of_work() as work:
        order = work.get(Order, placed())
        order.await_payment()
        order.confirm(PaymentId("P-1-1"), order.total)
        order.mark_shipped(ShipmentId("S-1-1"), "DHL", "1", {Sku(line.sku): line.quantity for line in order.lines})

    assert [line.shipped for line in Order.objects.get().line_rows.order_by("pk")] == [2, 1]
    compare_rows_with_history()


# --- Nested units of work ---


def test_a_nested_unit_of_work_joins_the_enclosing_one(mugs: None) -> None:
    with unit_of_work() as outer:
        with unit_of_work() as inner:
            assert inner is outer is current_unit_of_work()
            inner.get(StockItem, MUG).receive(1, "")
        assert _on_hand() == 10

    assert _on_hand() == 11


def test_without_a_unit_of_work_there_is_no_current_one() -> None:
    with pytest.raises(RuntimeError, match="there is no unit of work here"):
        current_unit_of_work()


def test_a_failed_unit_of_work_is_no_longer_current(mugs: None) -> None:
    with pytest.raises(HandlerFailed), unit_of_work():
        raise HandlerFailed

    with pytest.raises(RuntimeError, match="there is no unit of work here"):
        current_unit_of_work()
    commands.receive_stock(MUG, 1)
    assert _on_hand() == 11


def test_a_nested_failure_rolls_everything_back(mugs: None) -> None:
    def fail_inside() -> None:
        with unit_of_work() as work:
            work.get(StockItem, MUG).receive(1, "")
            with unit_of_work():
                raise HandlerFailed

    with pytest.raises(HandlerFailed):
        fail_inside()

    assert _on_hand() == 10


def test_a_swallowed_nested_failure_fails_the_unit_of_work(mugs: None) -> None:
    def fail_and_go_on() -> None:
        with unit_of_work():
            commands.receive_stock(MUG, 1)
            with suppress(NotFound):
                commands.receive_stock(Sku("NO-SUCH"), 1)

    with pytest.raises(UnitFailed):
        fail_and_go_on()

    assert _on_hand() == 10


def test_a_failure_that_a_handler_swallows_fails_the_unit_of_work(mugs: None, react: Subscribe) -> None:
    def receive_something_unknown(event: events.StockReceived) -> None:
        with suppress(NotFound):
            commands.receive_stock(Sku("NO-SUCH"), 1)

    react(events.StockReceived, receive_something_unknown)

    with pytest.raises(UnitFailed):
        commands.receive_stock(MUG, 1)

    assert _on_hand() == 10


# --- Handlers, in the same transaction ---


def test_a_handlers_changes_are_committed_with_the_event_that_caused_them(mugs: None, react: Subscribe) -> None:
    react(events.StockReceived, lambda event: commands.open_stock_item(LAMP))

    commands.receive_stock(MUG, 1)

    cause = History.objects.filter(stream_id=MUG, name="inventory.stock_received").latest("version")
    effect = History.objects.get(stream_id=LAMP)
    assert effect.causation_id == cause.id
    assert effect.correlation_id == cause.correlation_id


def test_all_handlers_of_all_events_are_called(mugs: None, react: Subscribe) -> None:
    seen: list[str] = []
    react(events.StockReceived, lambda event: seen.append("received, says one"))
    react(events.StockReceived, lambda event: seen.append("received, says another"))
    react(events.StockReceived, lambda event: commands.open_stock_item(LAMP))
    react(events.StockItemOpened, lambda event: seen.append("opened"))

    commands.receive_stock(MUG, 1)

    assert seen == ["received, says one", "received, says another", "opened"]


def test_a_failing_handler_rolls_everything_back(mugs: None, react: Subscribe) -> None:
    def fail_at_last(event: events.StockReceived) -> None:
        commands.open_stock_item(LAMP)
        publish(contracts.StockRanOut(sku=MUG, sequence=1))
        raise HandlerFailed

    before = History.objects.count(), Message.objects.count(), Delivery.objects.count()
    react(events.StockReceived, fail_at_last)

    with pytest.raises(HandlerFailed):
        commands.receive_stock(MUG, 1)

    assert _on_hand() == 10
    assert not StockItem.objects.filter(pk=LAMP).exists()
    assert (History.objects.count(), Message.objects.count(), Delivery.objects.count()) == before


@pytest.mark.django_db(transaction=True)
def test_a_failing_command_writes_nothing_and_wakes_no_worker(
    mugs: None, react: Subscribe, woken: list[object]
) -> None:
    def fail(event: events.StockReceived) -> None:
        publish(contracts.StockRanOut(sku=MUG, sequence=1))
        raise HandlerFailed

    before = History.objects.count(), Message.objects.count()
    woken.clear()
    react(events.StockReceived, fail)

    with pytest.raises(HandlerFailed):
        commands.receive_stock(MUG, 1)

    assert (_on_hand(), woken) == (10, [])
    assert (History.objects.count(), Message.objects.count()) == before


@pytest.mark.django_db(transaction=True)
def test_nothing_is_dispatched_without_a_transaction(react: Subscribe) -> None:
    handled: list[object] = []
    react(events.StockItemOpened, handled.append)
    recorded = StockItem.open(MUG).recorded_events[0]

    assert not connection.in_atomic_block
    with pytest.raises(NoTransaction):
        dispatch([recorded], in_transaction=False)

    assert handled == []


def test_an_endless_cascade_of_handlers_is_stopped(mugs: None, react: Subscribe) -> None:
    react(events.StockReceived, lambda event: commands.adjust_stock(MUG, -1, "one too many"))
    react(events.StockAdjusted, lambda event: commands.receive_stock(MUG, 1))

    with pytest.raises(EndlessCascade, match=r"inventory\.stock_received → inventory\.stock_adjusted"):
        commands.receive_stock(MUG, 1)

    assert _on_hand() == 10


def test_a_chain_of_the_maximum_length_is_allowed(mugs: None, react: Subscribe) -> None:
    react(events.StockReceived, lambda event: event.quantity > 1 and commands.receive_stock(MUG, event.quantity - 1))

    commands.receive_stock(MUG, dispatcher.LONGEST_CHAIN)

    assert _on_hand() == 10 + sum(range(dispatcher.LONGEST_CHAIN + 1))


# --- Stories ---


def test_a_command_without_a_cause_starts_a_new_story(mugs: None) -> None:
    commands.receive_stock(MUG, 1)
    commands.receive_stock(MUG, 1)

    one, other = History.objects.filter(data__quantity=1)
    assert one.correlation_id != other.correlation_id


def test_a_command_belongs_to_the_current_story(mugs: None) -> None:
    with new_story(actor="user:7") as story:
        commands.receive_stock(MUG, 1)

    entry = History.objects.get(data__quantity=1)
    assert (entry.correlation_id, entry.actor, entry.causation_id) == (story.correlation_id, "user:7", None)


def test_a_command_on_an_aggregate_of_one_story_joins_that_story(mugs: None) -> None:
    commands.reserve_stock(ORDER, [events.ReservedLine(MUG, 2)])
    reservation = Reservation.objects.get()

    with new_story(actor="user:7") as other_story:
        commands.release_reservation(ORDER, "by_operator")
        assert current_cause().correlation_id == reservation.correlation_id != other_story.correlation_id

    freed = History.objects.get(name="inventory.stock_freed")
    assert (freed.correlation_id, freed.actor) == (reservation.correlation_id, "user:7")


# --- The row is the snapshot of the history ---

KINDS = {
    "product", "buyer", "order", "stock_item", "reservation", "invoice", "payment", "refund", "shipment",
    "document",
}  # fmt: skip


def test_every_aggregate_equals_its_history_after_complete_sagas(
    placed: Callable[..., OrderNumber],
    drain: Callable[..., int],
    later: Callable[[timedelta], None],
    compare_rows_with_history: Callable[[], set[str]],
) -> None:
    delivered, stopped = placed(), placed({"ATLAS": 7})
    placed({"RELIC": 1})
    placed(method="pm_card_chargeDeclined")
    drain()
    dispatch_shipment(shipment_of(delivered), "DHL", "JD0143")
    cancel_order(stopped, CancellationReason.BY_OPERATOR, "never mind")
    drain()
    deliver_shipment(shipment_of(delivered))
    change_product(MUG, {"on_sale": False, "name": "Cup"})
    change_profile(BuyerId("B-1"), {"name": "Ada", "locale": "de"})
    commands.adjust_stock(MUG, -1, "broken")
    later(timedelta(seconds=2))
    drain()

    assert compare_rows_with_history() == KINDS
    assert set(Order.objects.values_list("status", flat=True)) == {"delivered", "cancelled"}


def test_a_row_that_was_changed_by_sql_is_reported(
    mugs: None, compare_rows_with_history: Callable[[], set[str]]
) -> None:
    with bypassing_history():
        StockItem.objects.update(on_hand=11)

    with pytest.raises(AssertionError):
        compare_rows_with_history()


def test_events_recorded_before_the_unit_of_work_are_saved() -> None:
    item = StockItem.open(MUG)

    with unit_of_work() as work:
        work.add(item)

    assert item.recorded_events == []
    assert History.objects.count() == 1


def test_a_prefetched_missing_aggregate_is_not_queried_again(django_assert_num_queries: Any) -> None:
    with unit_of_work() as work:
        with django_assert_num_queries(1):
            assert work.prefetch(StockItem, ["MUG", "LAMP"]) == {}
        with django_assert_num_queries(0):
            assert work.find(StockItem, "MUG") is None
        work.add(StockItem.open(Sku("MUG")))
        assert work.get(StockItem, "MUG").sku == "MUG"


def test_look_at_reads_once_without_a_lock_and_returns_read_only_aggregates(
    mugs: None, statements: Callable[[], Any]
) -> None:
    with statements() as seen, unit_of_work() as work:
        for _ in range(2):
            looked_at = work.look_at(StockItem, [MUG, Sku("NO-SUCH")])

    assert list(looked_at) == [MUG]
    (look,) = seen
    assert "FOR" not in look
    with pytest.raises(PastIsFixed):
        looked_at[MUG].receive(1, "")


def test_look_ahead_reads_several_kinds_in_one_query(mugs: None, statements: Callable[[], Any]) -> None:
    with statements() as seen, unit_of_work() as work:
        assert list(work.look_at(StockItem, [MUG])) == [MUG]
        work.look_ahead({StockItem: [MUG, Sku("LAMP")], Reservation: ["R-1"]})
        assert list(work.look_at(StockItem, [MUG, Sku("LAMP")])) == [MUG]
        assert work.look_at(Reservation, ["R-1"]) == {}
        work.look_ahead({StockItem: [MUG], Reservation: ["R-1"]})

    assert len(seen) == 2
    assert not any("FOR" in look for look in seen)


def test_look_at_sees_the_changes_of_its_own_unit_of_work(mugs: None, django_assert_num_queries: Any) -> None:
    with unit_of_work() as work:
        assert work.look_at(StockItem, [MUG, LAMP])[MUG].on_hand == 10
        commands.receive_stock(MUG, 5)
        commands.open_stock_item(LAMP)

        with django_assert_num_queries(0):
            seen = work.look_at(StockItem, [MUG, LAMP])

        assert {sku: item.on_hand for sku, item in seen.items()} == {MUG: 15, LAMP: 0}


# --- Inner transactions ---


def _swallow(step: Callable[[], Any]) -> None:
    """What code does that tries something in an inner transaction and goes on without it."""
    with suppress(HandlerFailed), transaction.atomic():
        step()
        raise HandlerFailed


@pytest.mark.parametrize(
    "step",
    [
        lambda: current_unit_of_work().get(StockItem, MUG),
        lambda: commands.receive_stock(MUG, 5),
        lambda: publish(contracts.StockRanOut(sku=MUG, sequence=1)),
        lambda: current_unit_of_work().defer(lambda items: None, 1),
        lambda: _swallow(lambda: current_unit_of_work().get(StockItem, MUG)),
    ],
    ids=["loads", "changes", "publishes", "defers", "in a further one"],
)
def test_an_inner_transaction_that_is_rolled_back_fails_the_unit_of_work(mugs: None, step: Callable[[], Any]) -> None:
    with pytest.raises(SavepointRolledBack), unit_of_work():  # noqa: PT012 - the whole unit fails
        commands.open_stock_item(LAMP)
        _swallow(step)

    assert _on_hand() == 10
    assert not StockItem.objects.filter(pk=LAMP).exists()


def test_a_change_of_what_was_loaded_before_the_inner_transaction_fails_too(mugs: None) -> None:
    with pytest.raises(SavepointRolledBack), unit_of_work() as work:  # noqa: PT012 - the whole unit fails
        mug = work.get(StockItem, MUG)
        _swallow(lambda: mug.receive(5, "X-1"))

    assert _on_hand() == 10


def test_an_inner_transaction_that_commits_or_does_not_use_the_unit_of_work_is_fine(mugs: None) -> None:
    with unit_of_work():
        with transaction.atomic():
            commands.receive_stock(MUG, 5)
        _swallow(lambda: Message.objects.update(actor="somebody"))

    assert _on_hand() == 15
    assert not Message.objects.filter(actor="somebody").exists()


def test_a_step_that_came_too_early_in_an_inner_transaction_fails_its_batch(mugs: None) -> None:
    def step() -> None:
        with transaction.atomic():
            current_unit_of_work().get(StockItem, MUG)
            raise NotYet

    with pytest.raises(NotYet), unit_of_work() as work:
        work.came_too_early(step)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("failing", [lambda: 1 / 0, partial(int, "no number")], ids=["a function", "a partial"])
def test_a_callback_that_fails_is_logged_and_skips_no_wake_up(
    woken: list[Any], caplog: pytest.LogCaptureFixture, failing: Callable[[], Any]
) -> None:
    with unit_of_work():
        transaction.on_commit(failing)
        publish(contracts.StockRanOut(sku=MUG, sequence=1))

    assert woken, "its deliveries are there, so a worker is woken"
    assert "Error calling" in caplog.text
