"""Erasing a buyer at the very moment at which something else moves: nothing personal survives, nothing deadlocks."""

from collections.abc import Callable
from datetime import timedelta
from threading import Event
from typing import Any

import pytest
from at_once import InThread
from django.db import connection, transaction

from billing.models import Invoice
from fulfillment.models import Shipment
from integration import contracts
from integration.aggregates import rebuild
from integration.aggregates.direct_writes import bypassing_history
from integration.aggregates.snapshots import Snapshot
from integration.aggregates.unit_of_work import unit_of_work
from integration.domain import clock
from integration.domain.address import Address
from integration.domain.identifiers import BuyerId, PaymentMethodId, Sku
from integration.domain.metadata import Cause, caused_by
from integration.history.personal_data import PersonalData
from integration.messaging import archive, deliver, past
from integration.messaging.claim import claim
from integration.messaging.consumers import Consumer
from integration.messaging.deliver import deliver_due
from integration.messaging.erasure import ERASED, forget_errors
from integration.messaging.models import ArchivedMessage, Delivery, Message, Status
from integration.messaging.publish import publish
from integration.messaging.wakeups import DeliveryQueue
from ordering import commands
from ordering.commands import erasing
from ordering.models import Buyer, CancellationReason, Order

pytestmark = [
    pytest.mark.postgres,
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has one writer, so there are no races"),
]

LONG = timedelta(days=200)


@pytest.fixture
def quoting() -> Message:
    """A message whose only delivery was skipped long ago, with an error that quotes a person."""
    with clock.moved(-LONG), unit_of_work():
        publish(contracts.ordering.OrderConfirmed(order="R-1"))
    message = Message.objects.get()
    long_ago = clock.now() - LONG
    Delivery.objects.exclude(pk=Delivery.objects.order_by("pk").first().pk).delete()
    Message.objects.update(addressed_to=1, occurred_at=long_ago)
    Delivery.objects.update(
        status=Status.SKIPPED, skipped_at=long_ago, skip_reason="r", skipped_by="user:1", error="Ada", traceback="Ada"
    )
    return message


def test_an_error_that_is_being_archived_is_erased(quoting: Message, monkeypatch: pytest.MonkeyPatch) -> None:
    has_read, may_go_on, archived = Event(), Event(), archive._archived

    def slowly(message: Message, deliveries: Any) -> ArchivedMessage:
        has_read.set()
        may_go_on.wait(10)
        return archived(message, deliveries)

    monkeypatch.setattr(archive, "_archived", slowly)
    monkeypatch.setattr(archive, "first_key_of", lambda moment: archive.UUID(int=2**128 - 1))
    archiving = InThread(archive.archive_batch, 10)
    assert has_read.wait(10)
    forgetting = InThread(_forget, quoting)
    forgetting.waits_for_a_lock()
    may_go_on.set()

    assert (archiving.end(), forgetting.end()) == (1, None)
    (delivery,) = ArchivedMessage.objects.get().deliveries
    assert (delivery["error"], delivery["traceback"]) == (ERASED, "")


def _forget(message: Message) -> None:
    with unit_of_work():
        forget_errors([message.correlation_id])


def test_an_error_that_is_being_brought_back_is_erased(quoting: Message, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "first_key_of", lambda moment: archive.UUID(int=2**128 - 1))
    assert archive.archive_batch(10) == 1
    has_locked, may_go_on, bring_back = Event(), Event(), past.bring_back

    def slowly(archived: Any) -> None:
        has_locked.set()
        may_go_on.wait(10)
        bring_back(archived)

    monkeypatch.setattr(past, "bring_back", slowly)
    new = Consumer("ordering.read-confirmations", contracts.ordering.OrderConfirmed, lambda event: None)
    giving = InThread(past.give_past, new, clock.now() - 2 * LONG)
    assert has_locked.wait(10)
    forgetting = InThread(_forget, quoting)
    forgetting.waits_for_a_lock()
    may_go_on.set()

    assert (giving.end(), forgetting.end()) == (1, None)
    assert sorted(Delivery.objects.values_list("error", flat=True)) == ["", ERASED]


@pytest.fixture
def buyer(shop: object, address: Address) -> Buyer:
    return commands.register_customer("ada", "a-long-pass-phrase-9", "Ada", "ada@example.org")


@pytest.fixture
def place(address: Address) -> Callable[[Buyer], Order]:
    def place(buyer: Buyer) -> Order:
        return commands.place_order(BuyerId(buyer.id), [(Sku("MUG"), 1)], address, PaymentMethodId("pm_card_visa"))

    return place


def test_an_order_that_is_placed_while_its_buyer_is_erased_waits_for_the_end_of_it(
    buyer: Buyer, place: Callable[[Buyer], Order], monkeypatch: pytest.MonkeyPatch
) -> None:
    has_looked, may_go_on, under_way = Event(), Event(), erasing.orders_under_way

    def slowly(buyer: BuyerId) -> Any:
        found = under_way(buyer)
        has_looked.set()
        may_go_on.wait(10)
        return found

    monkeypatch.setattr(erasing, "orders_under_way", slowly)
    forgetting = InThread(commands.erase_buyer, BuyerId(buyer.id))
    assert has_looked.wait(10)
    placing = InThread(place, buyer)
    placing.waits_for_a_lock()
    assert not Order.objects.filter(buyer_id=buyer.id).exists()
    may_go_on.set()

    placing.end()
    forgetting.end()
    named = Order.objects.filter(buyer_id=buyer.id).exclude(payment_method="")
    if named:  # the order came after the erasing, which says so when it is asked again
        monkeypatch.setattr(erasing, "orders_under_way", under_way)
        with pytest.raises(erasing.OrdersUnderWay):
            commands.erase_buyer(BuyerId(buyer.id))


def test_a_buyer_whose_order_is_being_placed_is_not_erased(
    buyer: Buyer, place: Callable[[Buyer], Order], monkeypatch: pytest.MonkeyPatch
) -> None:
    has_looked, may_go_on, number = Event(), Event(), commands.placing.next_order_number

    def slowly() -> Any:
        has_looked.set()
        may_go_on.wait(10)
        return number()

    monkeypatch.setattr(commands.placing, "next_order_number", slowly)
    placing = InThread(place, buyer)
    assert has_looked.wait(10)
    forgetting = InThread(commands.erase_buyer, BuyerId(buyer.id))
    forgetting.waits_for_a_lock()
    may_go_on.set()

    assert isinstance(placing.end(), Order)
    assert isinstance(forgetting.end(), erasing.OrdersUnderWay)
    assert Buyer.objects.get(pk=buyer.id).name == "Ada"


@pytest.mark.parametrize("context", ["billing", "fulfillment", "inventory"])
def test_a_delivery_that_commits_late_brings_nothing_personal_back(
    buyer: Buyer,
    place: Callable[[Buyer], Order],
    monkeypatch: pytest.MonkeyPatch,
    drain: Callable[..., int],
    context: str,
) -> None:
    """The worker has read the personal values of its message when the buyer is erased."""
    order = place(buyer)
    if context == "fulfillment":
        drain("inventory", "billing", "ordering")
        monkeypatch.setattr(erasing, "orders_under_way", lambda buyer: [])  # as if it had ended meanwhile
        with bypassing_history():
            Order.objects.filter(pk=order.number).update(status="cancelled", cancellation_reason="by_buyer")
    else:
        commands.cancel_order(order.number, CancellationReason.BY_BUYER)
    has_taken, may_go_on, take = Event(), Event(), deliver.take

    def slowly(*arguments: Any, **options: Any) -> Any:
        taken = take(*arguments, **options)
        if not has_taken.is_set():
            has_taken.set()
            may_go_on.wait(10)
        return taken

    monkeypatch.setattr(deliver, "take", slowly)
    working = InThread(deliver_due, DeliveryQueue(context, False))
    assert has_taken.wait(10)
    forgetting = InThread(commands.erase_buyer, BuyerId(buyer.id))
    forgetting.waits_for_a_lock()
    may_go_on.set()
    assert isinstance(forgetting.end(), erasing.Erased)
    working.end()
    for seconds in range(0, 40, 2):
        with clock.moved(timedelta(seconds=seconds)):
            drain()

    assert not Invoice.objects.exclude(payment_method="").exists()
    assert not Shipment.objects.exclude(recipient__street="(erased)").exists()
    assert not PersonalData.objects.exists()


def test_a_value_that_is_deleted_while_a_worker_waits_for_its_delivery_is_not_read(
    buyer: Buyer, place: Callable[[Buyer], Order]
) -> None:
    place(buyer)
    queue = DeliveryQueue("billing", False)
    claims = claim(queue, 10)
    taken: list[Any] = []

    def take_one() -> None:
        with unit_of_work():
            taken.extend(deliver.take(claims, locked=True))

    with transaction.atomic():
        PersonalData.objects.all().delete()
        taking = InThread(take_one)
        taking.waits_for_a_lock()
    taking.end()
    assert [delivery.message.personal for delivery in taken] == [{}]


def test_snapshots_that_are_being_rebuilt_hold_nothing_of_an_erased_buyer(
    buyer: Buyer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rebuild, "EVERY", 2)
    with unit_of_work() as work:
        found = work.get(Buyer, buyer.id)
        for percent in range(1, 9):
            found.grant_discount(percent, "loyal")
    has_read, may_go_on, write = Event(), Event(), rebuild.write

    def slowly(writes: Any) -> None:
        has_read.set()
        may_go_on.wait(10)
        write(writes)

    monkeypatch.setattr(rebuild, "write", slowly)
    rebuilding = InThread(rebuild.rebuild_snapshots, Buyer)
    assert has_read.wait(10)
    forgetting = InThread(commands.erase_buyer, BuyerId(buyer.id))
    forgetting.waits_for_a_lock()
    may_go_on.set()
    assert rebuilding.end() == 4
    assert isinstance(forgetting.end(), erasing.Erased)
    assert not Snapshot.objects.filter(stream_id=buyer.id, state__name="Ada").exists()


@pytest.fixture
def retried(buyer: Buyer, place: Callable[[Buyer], Order], drain: Callable[..., int]) -> Order:
    """A cancelled order with a delivery that failed once and is due again."""
    order = place(buyer)
    commands.cancel_for_shortage(order.number)
    drain()
    with caused_by(Cause(correlation_id=Order.objects.get(pk=order.number).correlation_id)), unit_of_work():
        publish(contracts.inventory.StockReserved(order=order.number))
    Delivery.objects.exclude(consumer="ordering.await-payment").filter(status=Status.PENDING).update(
        status=Status.DONE, done_at=clock.now()
    )
    Delivery.objects.filter(status=Status.PENDING).update(attempts=1, error="X: failed once")
    return order


def test_erasing_and_a_worker_that_retries_do_not_deadlock(
    buyer: Buyer, retried: Order, monkeypatch: pytest.MonkeyPatch
) -> None:
    has_taken, may_go_on, take = Event(), Event(), deliver.take

    def slowly(*arguments: Any, **options: Any) -> Any:
        taken = take(*arguments, **options)
        has_taken.set()  # the worker holds the delivery, and not yet the order
        may_go_on.wait(10)
        return taken

    monkeypatch.setattr(deliver, "take", slowly)
    working = InThread(deliver_due, DeliveryQueue("ordering", False))
    assert has_taken.wait(10)
    forgetting = InThread(commands.erase_buyer, BuyerId(buyer.id))
    forgetting.waits_for_a_lock()
    may_go_on.set()

    assert isinstance(forgetting.end(), erasing.Erased)
    working.end()
    assert Order.objects.get(pk=retried.number).payment_method == ""
    assert "deadlock" not in Delivery.objects.filter(consumer="ordering.await-payment").latest("id").error
