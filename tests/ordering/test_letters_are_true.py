"""An e-mail that waited for the mail server is sent only while it is true of the order."""

from collections.abc import Callable

import pytest
from django.core import mail

from fulfillment.commands import deliver_shipment, dispatch_shipment
from integration.domain.identifiers import BuyerId, OrderNumber, ShipmentId
from integration.messaging.claim import due_delivery_queues
from integration.messaging.deliver import deliver_due
from ordering.commands import cancel_order, change_profile
from ordering.models import CancellationReason, Order

pytestmark = pytest.mark.django_db

Placed = Callable[..., OrderNumber]
Drain = Callable[..., int]


@pytest.fixture
def order(placed: Placed) -> OrderNumber:
    number = placed({"MUG": 1})
    change_profile(BuyerId("B-1"), {"email": "ada@example.org"})
    return number


def drain_without_letters() -> None:
    while queues := [queue for queue in due_delivery_queues() if queue != ("ordering", True)]:
        for queue in queues:
            deliver_due(queue)


def shipment_of(order: OrderNumber) -> ShipmentId:
    return ShipmentId(f"S-{order.partition('-')[2]}-1")


def subjects() -> list[str]:
    found = [message.subject.partition(" is ")[2] for message in mail.outbox]
    return [subject for subject in found if subject]  # without the acknowledgement of receipt


def test_a_cancelled_order_is_not_being_packed(order: OrderNumber, drain: Drain) -> None:
    drain_without_letters()
    cancel_order(order, CancellationReason.BY_BUYER)
    drain_without_letters()
    drain()
    assert sorted(subjects()) == ["cancelled", f"refunded (F-{order[2:]}-1)"]


def test_a_shipped_order_is_not_being_packed(order: OrderNumber, drain: Drain) -> None:
    drain_without_letters()
    dispatch_shipment(shipment_of(order), "DHL", "1")
    drain_without_letters()
    drain()
    assert subjects() == [f"on its way ({shipment_of(order)})"]


def test_a_delivered_order_is_not_on_its_way(order: OrderNumber, drain: Drain) -> None:
    drain_without_letters()
    dispatch_shipment(shipment_of(order), "DHL", "1")
    drain_without_letters()
    deliver_shipment(shipment_of(order))
    drain_without_letters()
    drain()
    assert subjects() == [f"delivered ({shipment_of(order)})"]


def test_letters_that_are_true_are_sent(order: OrderNumber, drain: Drain) -> None:
    drain()
    dispatch_shipment(shipment_of(order), "DHL", "1")
    drain()
    assert subjects() == ["confirmed", f"on its way ({shipment_of(order)})"]


def test_a_buyer_learns_that_the_cancellation_was_refused(order: OrderNumber, drain: Drain) -> None:
    drain()
    dispatch_shipment(shipment_of(order), "DHL", "1")
    cancel_order(order, CancellationReason.BY_BUYER, "too late?")
    drain()
    assert Order.objects.get().status == "shipped"
    assert "not cancelled" in subjects()
    assert "its goods had already left" in next(m.body for m in mail.outbox if "not cancelled" in m.subject)
