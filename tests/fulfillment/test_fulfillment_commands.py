"""What can be done in fulfillment, by its commands and by what ordering tells, and what it tells the others."""

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

PublishAll = Callable[..., None]
Published = Callable[..., list[IntegrationEvent]]


@pytest.fixture
def hear(publish_all: PublishAll, drain: Callable[..., int]) -> PublishAll:
    """Let fulfillment hear what others tell; nobody else does anything."""

    def listen(*events: IntegrationEvent) -> None:
        publish_all(*events)
        drain("fulfillment")

    return listen


@pytest.fixture
def requested(address: Address) -> from_ordering.ShippingRequested:
    lines = (from_ordering.LineToShip(MUG, "Mug", 2), from_ordering.LineToShip(LAMP, "Lamp", 1))
    return from_ordering.ShippingRequested(order=ORDER, recipient=address, lines=lines)


@pytest.fixture
def arranged(hear: PublishAll, requested: from_ordering.ShippingRequested) -> ShipmentId:
    hear(requested)
    return ID


def _all_handled() -> bool:
    """Whether fulfillment heard all it was told, without a failure."""
    return not Delivery.objects.filter(context="fulfillment").exclude(status="done", attempts__lte=1).exists()


NO_LONGER_WANTED = from_ordering.OrderCancellationRequested(ORDER, "by_buyer")


def test_a_confirmed_order_gets_one_shipment_however_often_it_is_asked_for(
    hear: PublishAll, published: Published, requested: from_ordering.ShippingRequested, address: Address
) -> None:
    hear(requested)
    hear(requested)

    shipment = queries.shipment(ID)
    assert (shipment.order, shipment.status) == (ORDER, "arranged")
    assert Address(**shipment.recipient) == address
    assert [(line.sku, line.name, line.quantity) for line in shipment.lines] == [("MUG", "Mug", 2), ("LAMP", "Lamp", 1)]
    assert published(to_others.ShipmentArranged) == [to_others.ShipmentArranged(ORDER, ID)]
    assert _all_handled()


def test_a_shipment_is_named_after_its_order() -> None:
    assert commands.shipment_of(OrderNumber("R-1234")) == "S-1234-1"


def test_a_shipment_leaves_and_arrives_and_the_others_hear_of_it(arranged: ShipmentId, published: Published) -> None:
    commands.dispatch_shipment(arranged, "DHL", "JD0143")
    commands.deliver_shipment(arranged)

    assert queries.shipment(arranged).status == "delivered"
    assert published(to_others.ShipmentDispatched) == [
        to_others.ShipmentDispatched(
            ORDER, ID, "DHL", "JD0143", (to_others.PackedLine(MUG, 2), to_others.PackedLine(LAMP, 1))
        )
    ]
    assert published(to_others.ShipmentDelivered) == [to_others.ShipmentDelivered(ORDER, ID)]


def test_where_a_shipment_goes_is_nobody_elses_business(arranged: ShipmentId, address: Address) -> None:
    commands.dispatch_shipment(arranged, "DHL", "JD0143")
    commands.deliver_shipment(arranged)

    told = str(list(Message.objects.filter(name__startswith="fulfillment.").values_list("data", flat=True)))
    assert "JD0143" in told
    for private in (address.recipient, address.street, address.postal_code):
        assert private not in told


def test_a_shipment_leaves_once(arranged: ShipmentId, published: Published) -> None:
    commands.dispatch_shipment(arranged, "DHL", "JD0143")

    with pytest.raises(NotAllowed, match="shipment S-1-1 is dispatched: cannot dispatch"):
        commands.dispatch_shipment(arranged, "UPS", "1Z")

    assert queries.shipment(arranged).carrier == "DHL"
    assert len(published(to_others.ShipmentDispatched)) == 1


def test_what_has_not_left_has_not_arrived(arranged: ShipmentId, published: Published) -> None:
    with pytest.raises(NotAllowed):
        commands.deliver_shipment(arranged)

    assert published(to_others.ShipmentDelivered) == []


def test_a_shipment_is_handled_only_in_the_version_somebody_read(arranged: ShipmentId) -> None:
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


def test_what_has_not_left_is_stopped_once(arranged: ShipmentId, hear: PublishAll, published: Published) -> None:
    hear(NO_LONGER_WANTED)
    hear(NO_LONGER_WANTED)

    assert queries.shipment(arranged).status == "cancelled"
    assert published(to_others.ShipmentCancelled) == [to_others.ShipmentCancelled(ORDER, ID, "by_buyer")]
    assert _all_handled()
    with pytest.raises(NotAllowed):
        commands.dispatch_shipment(arranged, "DHL", "JD0143")


def test_what_has_left_is_not_stopped_and_ordering_is_told(
    arranged: ShipmentId, hear: PublishAll, published: Published
) -> None:
    commands.dispatch_shipment(arranged, "DHL", "JD0143")
    hear(NO_LONGER_WANTED)

    assert queries.shipment(arranged).status == "dispatched"
    assert published(to_others.CancellationRefused) == [to_others.CancellationRefused(ORDER, ID)]
    assert published(to_others.ShipmentCancelled) == []


def test_a_shipment_no_longer_wanted_before_it_is_arranged_is_waited_for_and_stopped(
    hear: PublishAll,
    drain: Callable[..., int],
    later: Callable[[timedelta], None],
    requested: from_ordering.ShippingRequested,
) -> None:
    hear(NO_LONGER_WANTED)
    assert not Shipment.objects.exists()
    assert Delivery.objects.get(consumer="fulfillment.stop-shipment").status == "pending"

    hear(requested)
    later(timedelta(seconds=1))
    drain("fulfillment")

    assert queries.shipment(ID).status == "cancelled"
