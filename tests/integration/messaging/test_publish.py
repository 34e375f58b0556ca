"""A published message is stored with its cause and one delivery per consumer; workers are woken after the commit."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from kombu.exceptions import OperationalError

from integration.aggregates.unit_of_work import unit_of_work
from integration.contracts.inventory import StockRanOut
from integration.domain import clock
from integration.domain.identifiers import Sku, new_event_id
from integration.domain.metadata import Cause, caused_by, new_story
from integration.domain.naming import UnknownName
from integration.messaging import wakeups
from integration.messaging.models import Delivery, Message, Status
from integration.messaging.publish import publish
from integration.messaging.wakeups import DeliveryQueue

pytestmark = pytest.mark.django_db

Listen = Callable[..., None]
MUGS_RAN_OUT = StockRanOut(sku=Sku("MUG"), sequence=3)
TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def _publish_and_fail() -> None:
    with unit_of_work():
        publish(MUGS_RAN_OUT)
        _ = 1 / 0


@pytest.fixture
def three_consumers(listen: Listen) -> None:
    listen(print, name="ordering.show")
    listen(print, name="ordering.mail", external=True)
    listen(print, name="inventory.reorder")


def test_a_message_is_stored_once_with_one_delivery_for_each_consumer(three_consumers: None) -> None:
    with unit_of_work():
        publish(MUGS_RAN_OUT)

    message = Message.objects.get()
    assert (message.name, message.version, message.event) == ("inventory.stock-ran-out", 1, MUGS_RAN_OUT)
    deliveries = Delivery.objects.order_by("consumer")
    assert list(deliveries.values_list("consumer", "context", "external")) == [
        ("inventory.reorder", "inventory", False),
        ("ordering.mail", "ordering", True),
        ("ordering.show", "ordering", False),
    ]
    for delivery in deliveries:
        assert (delivery.message, delivery.status, delivery.attempts) == (message, Status.PENDING, 0)
        assert delivery.due_at == message.occurred_at <= clock.now()


def test_a_message_without_consumers_is_stored(listen: Listen) -> None:
    with unit_of_work():
        publish(MUGS_RAN_OUT)

    assert Message.objects.get().event == MUGS_RAN_OUT
    assert not Delivery.objects.exists()


def test_a_message_keeps_its_cause(three_consumers: None) -> None:
    cause = Cause(correlation_id=new_event_id(), causation_id=new_event_id(), actor="user:7", traceparent=TRACE)

    with caused_by(cause), unit_of_work():
        publish(MUGS_RAN_OUT)

    assert Message.objects.get().cause == cause


def test_publishing_requires_a_unit_of_work(three_consumers: None) -> None:
    with pytest.raises(RuntimeError, match="there is no unit of work here"):
        publish(MUGS_RAN_OUT)

    assert not Message.objects.exists()


def test_a_unit_of_work_that_fails_publishes_nothing(three_consumers: None) -> None:
    with pytest.raises(ZeroDivisionError):
        _publish_and_fail()

    assert not Message.objects.exists()
    assert not Delivery.objects.exists()


def test_many_messages_need_as_many_statements_as_one(three_consumers: None, statements: Callable[[], Any]) -> None:
    counts = []
    for number in (1, 200):
        with statements() as seen, unit_of_work():
            for sku in range(number):
                publish(StockRanOut(sku=Sku(f"S{sku}"), sequence=1))
        counts.append(len(seen))

    assert counts == [1, 1]
    assert (Message.objects.count(), Delivery.objects.count()) == (201, 603)


@pytest.mark.django_db(transaction=True)
def test_each_delivery_queue_gets_one_wake_up_in_order_after_the_commit(
    three_consumers: None, woken: list[DeliveryQueue]
) -> None:
    with unit_of_work():
        for sku in range(10):
            publish(StockRanOut(sku=Sku(f"S{sku}"), sequence=1))
        assert woken == []

    assert woken == [
        DeliveryQueue("ordering", False),
        DeliveryQueue("ordering", True),
        DeliveryQueue("inventory", False),
    ]


@pytest.mark.django_db(transaction=True)
def test_a_rollback_sends_no_wake_up(three_consumers: None, woken: list[DeliveryQueue]) -> None:
    with pytest.raises(ZeroDivisionError):
        _publish_and_fail()

    assert woken == []


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("error", [OperationalError("refused"), OSError("reset"), RuntimeError("a bug of ours")])
def test_a_broker_error_does_not_fail_a_committed_request(
    three_consumers: None, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fail(*args: object, **kwargs: object) -> None:
        raise error

    monkeypatch.setattr(wakeups.current_app, "send_task", fail)

    with unit_of_work():
        publish(MUGS_RAN_OUT)

    assert Delivery.objects.filter(status=Status.PENDING).count() == 3


def test_unknown_fields_of_a_message_are_ignored() -> None:
    message = Message(name="inventory.stock-ran-out", version=1, data={"sku": "MUG", "sequence": 3, "colour": "blue"})

    assert message.event == MUGS_RAN_OUT


def test_an_unknown_contract_raises_unknown_name() -> None:
    with pytest.raises(UnknownName, match=r"no contract is named 'inventory\.shelf-painted'"):
        _ = Message(name="inventory.shelf-painted", data={}).event


def test_a_delivery_is_due_at_the_time_of_publishing(three_consumers: None) -> None:
    with clock.moved(timedelta(hours=1)), new_story(), unit_of_work():
        publish(MUGS_RAN_OUT)

    assert not Delivery.objects.filter(due_at__lte=clock.now()).exists()
