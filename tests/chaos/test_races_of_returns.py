"""Races of returns and withdrawals between real connections: both orders and at once lead to one valid state."""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from at_once import at_once
from django.db import connection

from config.verification import verify
from fulfillment import commands as fulfillment
from fulfillment.commands.returns import NothingToReturn
from fulfillment.models import FulfillmentLine, Return
from fulfillment.models.return_policy import ReturnReason
from integration.domain.errors import DomainError
from integration.domain.identifiers import OrderNumber, ShipmentId, Sku, sibling
from integration.messaging.deliver import deliver_due
from integration.messaging.wakeups import DeliveryQueue
from ordering.commands import erase_buyer, withdraw
from ordering.models import Order

pytestmark = [
    pytest.mark.postgres,
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has one writer, so there are no races"),
]

MUG, LAMP = Sku("MUG"), Sku("LAMP")
DAMAGED = ReturnReason.DAMAGED
Placed, Drain = Callable[..., OrderNumber], Callable[..., int]


def together(*functions: Callable[[], Any]) -> list[BaseException]:
    """Run functions at the same moment; returns the refusals, and raises any other error."""
    refusals = [result for result in at_once(*functions) if isinstance(result, BaseException)]
    for refusal in refusals:
        if not isinstance(refusal, DomainError):
            raise refusal
    return refusals


def in_turn(*functions: Callable[[], Any]) -> list[BaseException]:
    """Run functions one after the other; returns the refusals."""
    refusals: list[BaseException] = []
    for function in functions:
        try:
            function()
        except DomainError as refusal:
            refusals.append(refusal)
    return refusals


def reversed_turn(*functions: Callable[[], Any]) -> list[BaseException]:
    """Run functions one after the other, the last first."""
    return in_turn(*functions[::-1])


WAYS = pytest.mark.parametrize("run", [together, in_turn, reversed_turn])


def shipment(order: OrderNumber, n: int = 1) -> ShipmentId:
    return ShipmentId(sibling("S", order, n))


def assert_valid() -> None:
    assert [what for finding in verify().values() for what in finding.complaints] == []


@pytest.fixture
def shipped(placed: Placed, drain: Drain) -> OrderNumber:
    """An order of 2 mugs and a lamp, all of it shipped."""
    number = placed()
    drain()
    fulfillment.dispatch_shipment(shipment(number), "DHL", "1")
    drain()
    return number


@WAYS
def test_of_two_returns_of_one_line_one_wins(run: Callable[..., list[Any]], shipped: OrderNumber, drain: Drain) -> None:
    refusals = run(*[partial(fulfillment.request_return, shipped, [(LAMP, 1, DAMAGED)])] * 2)
    assert [type(refusal) for refusal in refusals] == [NothingToReturn]
    drain()
    assert len(Order.objects.get(pk=shipped).returns) == 1
    assert_valid()


def test_of_fifty_simultaneous_returns_of_one_line_one_wins(shipped: OrderNumber, drain: Drain) -> None:
    refusals = together(*[partial(fulfillment.request_return, shipped, [(LAMP, 1, DAMAGED)])] * 50)
    assert len(refusals) == 49
    drain()
    assert Return.objects.count() == 1
    assert FulfillmentLine.objects.get(sku=LAMP).return_asked == 1
    assert_valid()


@WAYS
def test_a_return_that_races_the_second_parcel(run: Callable[..., list[Any]], placed: Placed, drain: Drain) -> None:
    number = placed()
    drain()
    fulfillment.dispatch_shipment(shipment(number), "DHL", "1", [(MUG, 1)])
    drain()
    refusals = run(
        partial(fulfillment.dispatch_shipment, shipment(number, 2), "DHL", "2"),
        partial(fulfillment.request_return, number, [(MUG, 2, DAMAGED)]),
    )
    drain()
    assert [type(refusal) for refusal in refusals] in ([], [NothingToReturn])
    assert Return.objects.count() == (0 if refusals else 1)
    assert Order.objects.get(pk=number).status == "shipped"
    assert_valid()


@WAYS
def test_a_withdrawal_that_races_the_dispatch(run: Callable[..., list[Any]], placed: Placed, drain: Drain) -> None:
    number = placed()
    drain()
    withdraw(number)
    assert not run(
        partial(fulfillment.dispatch_shipment, shipment(number), "DHL", "1", [(MUG, 1)]),
        lambda: deliver_due(DeliveryQueue("fulfillment", False)),
    ) or (Order.objects.get(pk=number).status == "confirmed")
    drain()
    order = Order.objects.get(pk=number)
    back = sum(found.quantities.get(MUG, 0) for found in Return.objects.all())
    assert (order.status, back) in {("shipped", 1), ("cancelled", 0)}
    assert_valid()


@WAYS
def test_erasing_a_buyer_that_races_a_return(run: Callable[..., list[Any]], placed: Placed, drain: Drain) -> None:
    number = placed(buyer="B-7")
    drain()
    fulfillment.dispatch_shipment(shipment(number), "DHL", "1")
    drain()
    fulfillment.deliver_shipment(shipment(number))
    drain()
    run(
        lambda: (erase_buyer("B-7"), deliver_due(DeliveryQueue("fulfillment", False))),
        partial(fulfillment.request_return, number, [(LAMP, 1, DAMAGED)], "call me: 0123"),
    )
    drain()
    if open_returns := Return.objects.filter(status="requested"):
        assert in_turn(lambda: erase_buyer("B-7")), "erasing waits for open returns"
    for found in open_returns:
        fulfillment.refuse_return(found.pk, "used")
    drain()
    erase_buyer("B-7")
    drain()
    assert not Return.objects.filter(note__gt="").exists()
    assert_valid()
