"""Parcels that are lost or come back, through all contexts: decided once, and the same in any order of messages."""

import random
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import hypothesis
import pytest
from django.core import mail

from billing.models import Refund
from config.verification import verify
from fulfillment import commands, queries
from fulfillment.gateways.carriers import CarrierScan
from fulfillment.models import AlreadyResolved, FulfillmentOrder
from integration.aggregates.direct_writes import bypassing_history
from integration.contracts import IntegrationEvent
from integration.contracts import fulfillment as contracts
from integration.domain import clock
from integration.domain.identifiers import OrderNumber, ShipmentId, Sku
from integration.messaging.claim import due_delivery_queues
from integration.messaging.deliver import deliver_due
from integration.messaging.models import Delivery
from ordering.models import Buyer, Order, OrderBoard
from ordering.queries import order_board

pytestmark = pytest.mark.django_db

MUG, LAMP = Sku("MUG"), Sku("LAMP")

Drain = Callable[..., int]
Published = Callable[..., list[IntegrationEvent]]


@pytest.fixture
def sent(placed: Callable[..., OrderNumber], drain: Drain) -> Order:
    """An order of two mugs and a lamp, on its way."""
    number = placed()
    drain()
    commands.dispatch_shipment(parcel(number), "sandbox", "SB1")
    drain()
    return Order.objects.get(pk=number)


def parcel(order: OrderNumber | str, n: int = 1) -> ShipmentId:
    return ShipmentId(f"S{order[1:]}-{n}")


def shown(order: Order | str) -> Order:
    return Order.objects.get(pk=order if isinstance(order, str) else order.pk)


def on_board(order: Order) -> OrderBoard:
    return order_board().get(number=order.pk)


def nothing_is_wrong() -> None:
    assert [complaint for finding in verify().values() for complaint in finding.complaints] == []


def test_an_order_shows_where_its_parcel_is(sent: Order, drain: Drain) -> None:
    shipment = parcel(sent.pk)
    (known,) = sent.shipments
    assert known["tracking_url"] == "https://carrier.example/track/SB1"

    commands.fail_shipment(shipment, "nobody there")
    drain()

    assert shown(sent).shipments[0]["status"] == "failed"
    assert on_board(sent).shipment_status == "failed"
    assert shown(sent).status == "shipped"
    commands.deliver_shipment(shipment)
    drain()
    assert (shown(sent).status, on_board(sent).shipment_status) == ("delivered", "delivered")
    nothing_is_wrong()


@pytest.mark.parametrize("say", [commands.lose_shipment, commands.return_to_sender])
def test_what_goes_wrong_needs_a_person(sent: Order, drain: Drain, say: Callable[..., Any]) -> None:
    say(parcel(sent.pk))
    drain()

    assert shown(sent).needs_human
    assert on_board(sent).needs_human
    assert shown(sent).status == "shipped"
    nothing_is_wrong()


def test_what_was_lost_is_sent_again_for_nothing(sent: Order, drain: Drain) -> None:
    commands.lose_shipment(parcel(sent.pk))
    drain()
    commands.resolve_shipment(parcel(sent.pk), "send_again")
    drain()

    again = Order.objects.get(replaces=sent.pk)
    assert (again.status, again.total.minor, again.buyer_id) == ("confirmed", 0, sent.buyer_id)
    assert [(line.sku, line.quantity) for line in again.lines] == [("MUG", 2), ("LAMP", 1)]
    assert again.shipping_address == sent.shipping_address
    assert again.correlation_id != sent.correlation_id
    first = shown(sent)
    assert (first.status, first.shipments[0]["replaced_by"], first.refunded.minor) == ("delivered", again.pk, 0)
    assert not first.needs_human
    assert [line.lost for line in first.lines] == [0, 0]
    assert queries.shipment(parcel(again.pk)).status == "arranged"
    nothing_is_wrong()


def test_goods_that_cannot_be_sent_again_need_a_person(
    sent: Order, drain: Drain, placed: Callable[..., OrderNumber]
) -> None:
    placed({"LAMP": 19})
    drain()
    commands.lose_shipment(parcel(sent.pk))
    commands.resolve_shipment(parcel(sent.pk), "send_again")
    drain()

    again = Order.objects.get(replaces=sent.pk)
    assert (again.status, again.cancellation_reason) == ("cancelled", "out_of_stock")
    assert again.needs_human
    assert on_board(again).needs_human
    nothing_is_wrong()


def test_a_part_that_was_lost_is_counted_as_lost(placed: Callable[..., OrderNumber], drain: Drain) -> None:
    number = placed()
    drain()
    commands.dispatch_shipment(parcel(number), "DHL", "1", [(MUG, 1)])
    commands.dispatch_shipment(parcel(number, 2), "DHL", "2")
    commands.lose_shipment(parcel(number))
    commands.deliver_shipment(parcel(number, 2))
    drain()
    assert shown(number).status == "shipped"

    commands.resolve_shipment(parcel(number), "refund")
    drain()

    order = shown(number)
    assert [(line.sku, line.lost) for line in order.lines] == [("MUG", 1), ("LAMP", 0)]
    assert order.status == "delivered"
    goods = FulfillmentOrder.objects.get(pk=number)
    assert {line.sku: line.lost for line in goods.lines} == {"MUG": 1, "LAMP": 0}
    nothing_is_wrong()


def test_a_whole_order_that_was_lost_is_counted_from_then_on(sent: Order, drain: Drain) -> None:
    commands.lose_shipment(parcel(sent.pk))
    commands.resolve_shipment(parcel(sent.pk), "refund")
    drain()

    goods = FulfillmentOrder.objects.get(pk=sent.pk)
    assert {line.sku: (line.dispatched, line.lost) for line in goods.lines} == {"MUG": (2, 2), "LAMP": (1, 1)}
    assert (shown(sent).status, on_board(sent).status) == ("returned", "returned")
    assert shown(sent).refunded == sent.total
    assert Refund.objects.count() == 1
    with pytest.raises(AlreadyResolved):
        commands.resolve_shipment(parcel(sent.pk), "send_again")
    assert not Order.objects.exclude(replaces="").exists()
    nothing_is_wrong()


def test_what_is_scanned_after_the_decision_is_a_task_until_it_is_seen(sent: Order, drain: Drain) -> None:
    commands.lose_shipment(parcel(sent.pk))
    commands.resolve_shipment(parcel(sent.pk), "refund")
    drain()
    before = shown(sent)
    assert not before.needs_human

    commands.note_scan("sandbox", CarrierScan(id="e1", tracking_number="SB1", status="delivered", at=clock.now()))
    drain()

    after = shown(sent)
    assert after.needs_human
    assert on_board(sent).needs_human
    assert (after.status, after.refunded, [line.lost for line in after.lines]) == (
        before.status,
        before.refunded,
        [line.lost for line in before.lines],
    )
    commands.close_task(parcel(sent.pk), "the buyer keeps it")
    drain()
    assert not shown(sent).needs_human
    nothing_is_wrong()


@pytest.mark.parametrize("seed", range(30 if hypothesis.settings.get_current_profile_name() == "chaos" else 4))
def test_messages_in_any_order_lead_to_one_state(sent: Order, drain: Drain, seed: int) -> None:
    shipment = parcel(sent.pk)
    commands.fail_shipment(shipment)
    commands.lose_shipment(shipment)
    commands.resolve_shipment(shipment, "send_again" if seed % 2 else "refund")
    chance = random.Random(seed)
    waiting = [*Delivery.objects.filter(status="pending").values_list("pk", flat=True)]
    chance.shuffle(waiting)
    _deliver_one_by_one(waiting)
    drain()

    order = shown(sent)
    assert (order.shipments[0]["status"], order.shipments[0]["sequence"]) == ("lost", 2)
    assert order.status == ("delivered" if seed % 2 else "returned")
    assert not order.needs_human
    nothing_is_wrong()


def _deliver_one_by_one(deliveries: list[int]) -> None:
    """Handle deliveries in this order, each again until what it needs has arrived."""
    for _ in range(6):
        for pk in deliveries:
            later = clock.now() + timedelta(hours=1)
            Delivery.objects.filter(status="pending").update(due_at=later)
            Delivery.objects.filter(pk=pk, status="pending").update(due_at=clock.now() - timedelta(seconds=5))
            for queue in sorted(due_delivery_queues()):
                deliver_due(queue)
    Delivery.objects.filter(status="pending").update(due_at=clock.now() - timedelta(seconds=5))


def test_the_buyer_is_written_to(sent: Order, drain: Drain) -> None:
    with bypassing_history():
        Buyer.objects.filter(pk=sent.buyer_id).update(email="ada@example.com")
    shipment = parcel(sent.pk)
    commands.fail_shipment(shipment)
    drain()
    commands.lose_shipment(shipment)
    drain()
    commands.resolve_shipment(shipment, "send_again")
    drain()

    again = Order.objects.get(replaces=sent.pk)
    ours = [letter for letter in mail.outbox if f"Your order {sent.pk} is" in letter.subject]
    assert [letter.subject.partition(" is ")[2] for letter in ours] == [
        f"not delivered yet ({shipment})",
        f"lost on its way ({shipment})",
        f"sent again ({shipment})",
    ]
    assert again.pk in str(ours[-1].body)


def test_the_contracts_say_what_happened(sent: Order, drain: Drain, published: Published) -> None:
    shipment = parcel(sent.pk)
    commands.fail_shipment(shipment)
    commands.return_to_sender(shipment)
    commands.resolve_shipment(shipment, "refund")

    about = {"order": sent.pk, "shipment": shipment}
    lines = (contracts.PackedLine(MUG, 2), contracts.PackedLine(LAMP, 1))
    assert published(contracts.ShipmentTracked) == [
        contracts.ShipmentTracked(**about, sequence=1, status="delivery_failed")
    ]
    assert published(contracts.ShipmentReturnedToSender) == [
        contracts.ShipmentReturnedToSender(**about, sequence=2, lines=lines)
    ]
    assert published(contracts.ShipmentResolved) == [
        contracts.ShipmentResolved(**about, status="returned_to_sender", resolution="refund", lines=lines)
    ]
