"""An order is cancelled by a command, or because its payment is overdue."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from pytest_django import Settings

from integration.aggregates.unit_of_work import unit_of_work
from integration.contracts import billing as billing_contracts
from integration.contracts import fulfillment as fulfillment_contracts
from integration.contracts import inventory as inventory_contracts
from integration.contracts import ordering as ordering_contracts
from integration.domain.errors import NotFound, StaleVersion
from integration.domain.identifiers import OrderNumber, PaymentId
from integration.domain.metadata import Cause, caused_by
from integration.domain.money import Money
from integration.domain.states import NotAllowed
from integration.messaging import routines
from integration.messaging.publish import publish
from ordering import commands, queries
from ordering.models import CancellationReason, Order
from ordering.models.order_states import CancellationUnderWay
from tests.ordering.commands.shared import SHIPMENT, PublishAll, Published, dispatched, status_of

pytestmark = pytest.mark.django_db


# --- Cancelling ---


@pytest.mark.parametrize("reason", [CancellationReason.BY_BUYER, CancellationReason.BY_OPERATOR])
def test_an_order_is_cancelled_before_it_is_paid(
    order: OrderNumber, published: Published, reason: CancellationReason
) -> None:
    commands.cancel_order(order, reason, "no longer")

    cancelled = queries.order(order)
    assert (cancelled.status, cancelled.cancellation_reason, cancelled.note) == ("cancelled", reason, "no longer")
    assert published(ordering_contracts.OrderCancelled) == [
        ordering_contracts.OrderCancelled(order=order, reason=reason.value)
    ]
    assert published(ordering_contracts.OrderCancellationRequested) == []


def test_a_confirmed_order_is_cancelled_only_after_fulfillment_agrees(
    confirmed: OrderNumber, consume: PublishAll, published: Published
) -> None:
    commands.cancel_order(confirmed, CancellationReason.BY_BUYER, "no longer")
    assert status_of(confirmed) == "confirmed"
    assert published(ordering_contracts.OrderCancellationRequested) == [
        ordering_contracts.OrderCancellationRequested(order=confirmed, reason="by_buyer")
    ]
    assert published(ordering_contracts.OrderCancelled) == []

    consume(fulfillment_contracts.ShipmentCancelled(order=confirmed, shipment=SHIPMENT, reason="by_buyer"))

    assert (status_of(confirmed), queries.order(confirmed).note) == ("cancelled", "no longer")
    assert published(ordering_contracts.OrderCancelled) == [
        ordering_contracts.OrderCancelled(order=confirmed, reason="by_buyer")
    ]


def test_fulfillment_may_refuse_a_cancellation(confirmed: OrderNumber, consume: PublishAll) -> None:
    commands.cancel_order(confirmed, CancellationReason.BY_BUYER)
    consume(fulfillment_contracts.CancellationRefused(order=confirmed, shipment=SHIPMENT), dispatched(confirmed))

    assert (status_of(confirmed), queries.order(confirmed).cancellation_requested) == ("shipped", False)


def test_a_shipped_order_cannot_be_cancelled(shipped: OrderNumber) -> None:
    with pytest.raises(NotAllowed):
        commands.cancel_order(shipped, CancellationReason.BY_OPERATOR)


def test_an_order_is_cancelled_only_in_an_expected_version(order: OrderNumber) -> None:
    with pytest.raises(StaleVersion):
        commands.cancel_order(order, CancellationReason.BY_BUYER, if_version={2})

    assert status_of(order) == "pending"


def test_an_unknown_order_cannot_be_cancelled() -> None:
    with pytest.raises(NotFound):
        commands.cancel_order(OrderNumber("R-0"), CancellationReason.BY_BUYER)


@pytest.mark.parametrize("second", [CancellationReason.BY_BUYER, CancellationReason.BY_OPERATOR])
def test_a_second_request_to_cancel_is_refused_and_the_first_keeps_its_reason(
    confirmed: OrderNumber, second: CancellationReason
) -> None:
    commands.cancel_order(confirmed, CancellationReason.BY_BUYER, "changed my mind")
    with pytest.raises(CancellationUnderWay):
        commands.cancel_order(confirmed, second, "fraud")
    assert queries.order(confirmed).note == "changed my mind"


# --- Payment deadline ---


def _cancel_overdue_orders() -> None:
    routines.routines.get("ordering.cancel-overdue-orders").run()


def test_an_order_whose_payment_is_overdue_is_cancelled(
    place: Callable[..., Order], consume: PublishAll, settings: Settings, later: Callable[[timedelta], None]
) -> None:
    pending, waiting = OrderNumber(place().number), OrderNumber(place().number)
    consume(inventory_contracts.StockReserved(order=waiting))
    assert status_of(pending) == "pending"
    publish_payment_requested(waiting)

    later(settings.PAYMENT_DEADLINE - timedelta(seconds=5))
    _cancel_overdue_orders()
    assert (status_of(pending), status_of(waiting)) == ("pending", "payment_pending")

    later(timedelta(seconds=10))
    young = OrderNumber(place().number)
    _cancel_overdue_orders()
    _cancel_overdue_orders()
    assert queries.order(waiting).cancellation_reason == "payment_timeout"
    assert queries.order(pending).cancellation_reason == "not_processed", "nobody asked for its payment"
    assert status_of(young) == "pending"


def publish_payment_requested(order: OrderNumber) -> None:
    story = queries.order(order).correlation_id
    with caused_by(Cause(correlation_id=story)), unit_of_work():
        publish(billing_contracts.PaymentRequested(order=order, payment=PaymentId("P-1-1"), amount=Money("1", "USD")))


def test_a_paid_order_has_no_payment_deadline(
    confirmed: OrderNumber, settings: Settings, later: Callable[[timedelta], None]
) -> None:
    later(settings.PAYMENT_DEADLINE + timedelta(days=1))
    _cancel_overdue_orders()

    assert status_of(confirmed) == "confirmed"
