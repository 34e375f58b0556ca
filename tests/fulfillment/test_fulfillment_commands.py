"""Fulfillment's commands, its reactions to ordering's contracts, and the contracts it publishes."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from fulfillment import commands, queries
from fulfillment.models import Shipment
from integration.contracts import IntegrationEvent
from integration.contracts import fulfillment as to_others
from integration.contracts import ordering as from_ordering
from integration.domain.address import Address
from integration.domain.errors import NotFound, StaleVersion
from integration.domain.identifiers import OrderNumber, ShipmentId, Sku
from integration.domain.states import NotAllowed
from integration.messaging.models import Delivery, Message

pytestmark = pytest.mark.django_db

ORDER, ID = OrderNumber("R-1"), ShipmentId("S-1-1")
MUG, LAMP = Sku("MUG"), Sku("LAMP")
ALL = (to_others.PackedLine(MUG, 2), to_others.PackedLine(LAMP, 1))

PublishAll = Callable[..., None]
Published = Callable[..., list[IntegrationEvent]]


@pytest.fixture
def consume(publish_all: PublishAll, drain: Callable[..., int]) -> PublishAll:
    """A function that publishes contracts and lets fulfillment handle them; no other context reacts."""

    def publish_and_handle(*events: IntegrationEvent) -> None:
        publish_all(*events)
        drain("fulfillment")

    return publish_and_handle


@pytest.fixture
def requested(address: Address) -> from_ordering.ShippingRequested:
    lines = (from_ordering.LineToShip(MUG, "Mug", 2), from_ordering.LineToShip(LAMP, "Lamp", 1))
    return from_ordering.ShippingRequested(order=ORDER, recipient=address, lines=lines)


@pytest.fixture
def arranged(consume: PublishAll, requested: from_ordering.ShippingRequested) -> ShipmentId:
    consume(requested)
    return ID


def _all_handled() -> bool:
    """Whether each of fulfillment's deliveries is done, at its first attempt."""
    return not Delivery.objects.filter(context="fulfillment").exclude(status="done", attempts__lte=1).exists()


CANCELLATION_REQUESTED = from_ordering.OrderCancellationRequested(order=ORDER, reason="by_buyer")


def test_a_confirmed_order_gets_one_shipment_however_often_it_is_requested(
    consume: PublishAll, published: Published, requested: from_ordering.ShippingRequested, address: Address
) -> None:
    consume(requested)
    consume(requested)

    shipment = queries.shipment(ID)
    assert (shipment.order, shipment.status) == (ORDER, "arranged")
    assert Address(**shipment.recipient) == address
    assert [(line.sku, line.name, line.quantity) for line in shipment.lines] == [("MUG", "Mug", 2), ("LAMP", "Lamp", 1)]
    assert published(to_others.ShipmentArranged) == [to_others.ShipmentArranged(order=ORDER, shipment=ID, lines=ALL)]
    assert _all_handled()


def test_a_shipment_is_named_after_its_order() -> None:
    assert commands.shipment_of(OrderNumber("R-1234")) == "S-1234-1"


def test_dispatch_and_delivery_are_published(arranged: ShipmentId, published: Published) -> None:
    commands.dispatch_shipment(arranged, "DHL", "JD0143")
    commands.deliver_shipment(arranged)

    assert queries.shipment(arranged).status == "delivered"
    assert published(to_others.ShipmentDispatched) == [
        to_others.ShipmentDispatched(
            order=ORDER,
            shipment=ID,
            carrier="DHL",
            tracking_number="JD0143",
            lines=ALL,
        )
    ]
    assert published(to_others.ShipmentDelivered) == [to_others.ShipmentDelivered(order=ORDER, shipment=ID, lines=ALL)]


def test_no_contract_of_fulfillment_contains_the_address(arranged: ShipmentId, address: Address) -> None:
    commands.dispatch_shipment(arranged, "DHL", "JD0143")
    commands.deliver_shipment(arranged)

    stored = str(list(Message.objects.filter(name__startswith="fulfillment.").values_list("data", flat=True)))
    assert "JD0143" in stored
    for personal in (address.recipient, address.street, address.postal_code):
        assert personal not in stored


def test_a_shipment_is_dispatched_once(arranged: ShipmentId, published: Published) -> None:
    commands.dispatch_shipment(arranged, "DHL", "JD0143")

    with pytest.raises(NotAllowed, match="shipment S-1-1 is dispatched: cannot dispatch"):
        commands.dispatch_shipment(arranged, "UPS", "1Z")

    assert queries.shipment(arranged).carrier == "DHL"
    assert len(published(to_others.ShipmentDispatched)) == 1


def test_a_shipment_that_is_not_dispatched_cannot_be_delivered(arranged: ShipmentId, published: Published) -> None:
    with pytest.raises(NotAllowed):
        commands.deliver_shipment(arranged)

    assert published(to_others.ShipmentDelivered) == []


def test_a_command_refuses_a_version_that_the_caller_did_not_read(arranged: ShipmentId) -> None:
    with pytest.raises(StaleVersion):
        commands.dispatch_shipment(arranged, "DHL", "JD0143", if_version={2})
    commands.dispatch_shipment(arranged, "DHL", "JD0143", if_version={1})
    with pytest.raises(StaleVersion):
        commands.deliver_shipment(arranged, if_version={1})

    assert queries.shipment(arranged).status == "dispatched"


def test_an_unknown_shipment_is_not_found() -> None:
    for act in (lambda: commands.dispatch_shipment(ID, "DHL", ""), lambda: commands.deliver_shipment(ID)):
        with pytest.raises(NotFound):
            act()
    with pytest.raises(NotFound):
        queries.shipment(ID)


def test_an_arranged_shipment_is_cancelled_once(
    arranged: ShipmentId, consume: PublishAll, published: Published
) -> None:
    consume(CANCELLATION_REQUESTED)
    consume(CANCELLATION_REQUESTED)

    assert queries.shipment(arranged).status == "cancelled"
    assert published(to_others.ShipmentCancelled) == [
        to_others.ShipmentCancelled(order=ORDER, shipment=ID, reason="by_buyer")
    ]
    assert _all_handled()
    with pytest.raises(NotAllowed):
        commands.dispatch_shipment(arranged, "DHL", "JD0143")


def test_a_dispatched_shipment_is_not_cancelled_and_the_refusal_is_published(
    arranged: ShipmentId, consume: PublishAll, published: Published
) -> None:
    commands.dispatch_shipment(arranged, "DHL", "JD0143")
    consume(CANCELLATION_REQUESTED)

    assert queries.shipment(arranged).status == "dispatched"
    assert published(to_others.CancellationRefused) == [to_others.CancellationRefused(order=ORDER, shipment=ID)]
    assert published(to_others.ShipmentCancelled) == []


def test_a_cancellation_that_arrives_before_the_shipment_is_arranged_is_retried(
    consume: PublishAll,
    drain: Callable[..., int],
    later: Callable[[timedelta], None],
    requested: from_ordering.ShippingRequested,
) -> None:
    consume(CANCELLATION_REQUESTED)
    assert not Shipment.objects.exists()
    assert Delivery.objects.get(consumer="fulfillment.stop-shipment").status == "pending"

    consume(requested)
    later(timedelta(seconds=1))
    drain("fulfillment")

    assert queries.shipment(ID).status == "cancelled"
