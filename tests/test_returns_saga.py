"""Returns and withdrawals through all contexts: goods, money, order and letters agree at the end."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.core import mail

from billing.commands import number_documents
from billing.models import Invoice, invoice_of
from config.verification import verify
from fulfillment import commands as fulfillment
from fulfillment.events import ReceivedLine
from fulfillment.models import Return
from fulfillment.models.return_policy import ReturnReason
from integration.domain import clock
from integration.domain.address import Address
from integration.domain.identifiers import BuyerId, OrderNumber, PaymentMethodId, ReturnId, ShipmentId, Sku, sibling
from integration.domain.money import Money
from integration.domain.states import NotAllowed
from integration.read_models.catch_up import catch_up_all
from inventory.models import StockItem
from ordering.commands import change_profile, place_order, withdraw
from ordering.commands.erasing import OrdersUnderWay, erase_buyer
from ordering.commands.products import change_product
from ordering.commands.withdrawals import ExemptFromWithdrawal, WithdrawalOver
from ordering.models import NothingToWithdraw, Order, OrderBoard, ShippingRate, WithdrawalTooEarly
from ordering.policies.overdue_refunds import note_overdue_refunds

pytestmark = pytest.mark.django_db

MUG, LAMP = Sku("MUG"), Sku("LAMP")
Placed, Drain, After = Callable[..., OrderNumber], Callable[..., int], Callable[[timedelta], None]


@pytest.fixture(autouse=True)
def a_buyer_with_an_address(placed: Placed, drain: Drain) -> None:
    """B-1 has an e-mail address."""
    placed(method="pm_card_chargeDeclined")
    change_profile("B-1", {"name": "Ada", "email": "ada@example.com"})
    drain()
    mail.outbox.clear()


@pytest.fixture
def after() -> Iterator[After]:
    """Lets time pass."""
    with clock.moved(timedelta()):
        yield clock.advance


def shipment(order: OrderNumber, n: int = 1) -> ShipmentId:
    return ShipmentId(sibling("S", order, n))


def the_return(order: OrderNumber, n: int = 1) -> ReturnId:
    return ReturnId(sibling("R", order, n))


def assert_valid() -> None:
    number_documents()  # which beat does every few seconds
    assert [what for finding in verify().values() for what in finding.complaints] == []


@pytest.fixture
def delivered(placed: Placed, drain: Drain) -> OrderNumber:
    """An order of 2 mugs and a lamp, delivered."""
    number = placed()
    drain()
    fulfillment.dispatch_shipment(shipment(number), "DHL", "1")
    drain()
    fulfillment.deliver_shipment(shipment(number))
    drain()
    mail.outbox.clear()
    return number


def units(number: OrderNumber) -> dict[str, tuple[int, int, int]]:
    """By SKU the units cancelled, shipped and returned."""
    order = Order.objects.get(pk=number)
    return {line.sku: (line.cancelled, line.shipped, line.returned) for line in order.lines}


def test_an_order_that_comes_back_in_two_parts_is_returned_and_refunded(delivered: OrderNumber, drain: Drain) -> None:
    before = {item.sku: (item.on_hand, item.quarantined) for item in StockItem.objects.all()}
    wanted = [(MUG, 2, ReturnReason.DAMAGED), (LAMP, 1, ReturnReason.DAMAGED)]
    found = fulfillment.request_return(delivered, wanted)
    fulfillment.approve_return(ReturnId(found.id))
    drain()
    assert Order.objects.get(pk=delivered).returns == [{"id": found.id, "status": "approved"}]

    fulfillment.receive_return(ReturnId(found.id), [ReceivedLine(MUG, 1, "restock")])
    drain()
    assert Order.objects.get(pk=delivered).status == "delivered"
    last = [ReceivedLine(MUG, 1, "write_off"), ReceivedLine(LAMP, 1, "quarantine")]
    fulfillment.receive_return(ReturnId(found.id), last)
    drain()

    order, invoice = Order.objects.get(pk=delivered), Invoice.objects.get(order=delivered)
    after = {item.sku: (item.on_hand, item.quarantined) for item in StockItem.objects.all()}
    assert (order.status, order.payment_status, order.refunded) == ("returned", "refunded", order.total)
    assert order.returns == [{"id": found.id, "status": "closed"}]
    assert units(delivered) == {MUG: (0, 2, 2), LAMP: (0, 1, 1)}
    assert (invoice.status, invoice.refunded) == ("refunded", invoice.paid)
    assert after[MUG] == (before[MUG][0] + 1, before[MUG][1])
    assert after[LAMP] == (before[LAMP][0], before[LAMP][1] + 1)
    subjects = [letter.subject for letter in mail.outbox]
    assert any("is approved" in subject for subject in subjects)
    assert sum("has arrived" in subject for subject in subjects) == 2
    assert sum("refunded" in subject for subject in subjects) == 2
    assert_valid()


def test_a_fee_and_a_reduction_lower_the_refund(delivered: OrderNumber, drain: Drain) -> None:
    found = fulfillment.request_return(delivered, [(LAMP, 1, ReturnReason.OTHER)])
    fulfillment.approve_return(ReturnId(found.id))
    fulfillment.receive_return(
        ReturnId(found.id),
        [ReceivedLine(LAMP, 1, "quarantine")],
        fee=Money("5.00", "USD"),
        reduction=Money("10.00", "USD"),
        reduction_reason="scratched",
    )
    drain()
    closed = Return.objects.get(pk=found.id)
    assert (closed.status, closed.refund) == ("closed", Money("65.00", "USD"))
    assert Order.objects.get(pk=delivered).refunded == Money("65.00", "USD")
    (arrived,) = [letter for letter in mail.outbox if "has arrived" in letter.subject]
    assert "scratched" in arrived.body
    assert_valid()


def test_a_refused_return_says_why_and_refunds_nothing(delivered: OrderNumber, drain: Drain) -> None:
    found = fulfillment.request_return(delivered, [(LAMP, 1, ReturnReason.DAMAGED)])
    fulfillment.refuse_return(ReturnId(found.id), "it was used for years")
    drain()
    assert Order.objects.get(pk=delivered).returns == [{"id": found.id, "status": "refused"}]
    (letter,) = mail.outbox
    assert "it was used for years" in letter.body
    assert not Order.objects.get(pk=delivered).refunded
    assert_valid()


def test_a_withdrawal_before_the_payment_cancels_the_order(placed: Placed, drain: Drain) -> None:
    number = placed()
    with pytest.raises(WithdrawalTooEarly):
        withdraw(number, [(MUG, 1)])
    withdraw(number)
    drain()
    order = Order.objects.get(pk=number)
    assert (order.status, order.cancellation_reason) == ("cancelled", "by_buyer")
    assert [each["status"] for each in order.withdrawals] == ["settled"]
    assert not order.has_open_returns
    assert_valid()


def test_a_withdrawal_before_the_dispatch_stops_and_refunds(placed: Placed, drain: Drain) -> None:
    number = placed()
    drain()
    declared = withdraw(number, [(MUG, 1)], "Ada Byron", "byron@example.com")
    assert [each["status"] for each in declared.withdrawals] == ["declared"]
    drain()
    order = Order.objects.get(pk=number)
    assert (order.status, units(number)) == ("confirmed", {MUG: (1, 0, 0), LAMP: (0, 0, 0)})
    assert [each["status"] for each in order.withdrawals] == ["settled"]
    assert order.refunded == Money("12.50", "USD")
    assert not Return.objects.exists()
    (letter,) = [letter for letter in mail.outbox if "withdrawal" in letter.subject]
    assert letter.to == ["byron@example.com"]
    assert "Hello Ada Byron," in letter.body
    assert f"{order.withdrawals[0]['declared_at']:%H:%M:%S} UTC" in letter.body
    withdraw(number)
    drain()
    order = Order.objects.get(pk=number)
    assert (order.status, order.payment_status) == ("cancelled", "refunded")
    assert_valid()


def test_a_withdrawal_stops_what_has_not_left_and_expects_the_rest(placed: Placed, drain: Drain) -> None:
    number = placed()
    drain()
    fulfillment.dispatch_shipment(shipment(number), "DHL", "1", [(MUG, 1)])
    drain()
    withdraw(number)
    drain()
    order, found = Order.objects.get(pk=number), Return.objects.get()
    assert units(number) == {MUG: (1, 1, 0), LAMP: (1, 0, 0)}
    assert (found.status, found.quantities, found.withdrawal) == ("approved", {MUG: 1}, sibling("W", number, 1))
    assert (order.status, [each["status"] for each in order.withdrawals]) == ("shipped", ["declared"])
    assert order.refund_due_at
    assert order.has_open_returns
    fulfillment.receive_return(ReturnId(found.id), [ReceivedLine(MUG, 1, "restock")])
    drain()
    order = Order.objects.get(pk=number)
    assert (order.status, order.payment_status) == ("returned", "refunded")
    assert ([each["status"] for each in order.withdrawals], order.refund_due_at) == (["settled"], None)
    assert_valid()


def test_a_refund_that_is_due_before_the_goods_are_back_needs_a_person(
    delivered: OrderNumber, drain: Drain, after: After
) -> None:
    withdraw(delivered, [(MUG, 1)])
    drain()
    after(timedelta(days=13))
    note_overdue_refunds()
    assert not Order.objects.get(pk=delivered).needs_human
    after(timedelta(days=1, hours=3))
    assert "a refund was due" in verify(["ordering.overdue"])["ordering.overdue_refunds_are_tasks"].complaints[0]
    for _ in range(2):
        note_overdue_refunds()
    catch_up_all()

    order = Order.objects.get(pk=delivered)
    assert (order.needs_human, OrderBoard.objects.get(number=delivered).needs_human) == (True, True)
    assert (order.refund_due_at, [each["status"] for each in order.withdrawals]) == (None, ["declared"])
    assert_valid()

    fulfillment.receive_return(the_return(delivered), [ReceivedLine(MUG, 1, "restock")])
    drain()
    catch_up_all()
    assert not Order.objects.get(pk=delivered).needs_human
    assert not OrderBoard.objects.get(number=delivered).needs_human
    assert_valid()


def test_a_withdrawal_that_the_dispatch_overtook_becomes_a_return(placed: Placed, drain: Drain) -> None:
    number = placed()
    drain()
    fulfillment.dispatch_shipment(shipment(number), "DHL", "1")
    withdraw(number)  # ordering does not know of the dispatch yet
    drain()
    order, found = Order.objects.get(pk=number), Return.objects.get()
    assert (found.status, found.quantities) == ("approved", {MUG: 2, LAMP: 1})
    assert order.status == "shipped"
    assert [each["status"] for each in order.withdrawals] == ["declared"]
    assert_valid()


def test_nothing_is_withdrawn_from_twice_or_too_late(delivered: OrderNumber, drain: Drain, after: After) -> None:
    withdraw(delivered, [(MUG, 2)])
    with pytest.raises(NothingToWithdraw):
        withdraw(delivered, [(MUG, 1)])
    after(timedelta(days=14))
    withdraw(delivered)
    with pytest.raises(NothingToWithdraw):
        withdraw(delivered)
    drain()
    after(timedelta(days=1))
    with pytest.raises(WithdrawalOver):
        withdraw(delivered)


def test_exempt_goods_are_not_withdrawn_from(placed: Placed, drain: Drain) -> None:
    change_product(LAMP, {"withdrawal_exempt": True})
    number, only = placed(), placed({"LAMP": 1})
    drain()
    change_product(LAMP, {"withdrawal_exempt": False})  # later, so it concerns no order before
    with pytest.raises(ExemptFromWithdrawal):
        withdraw(number, [(LAMP, 1)])
    with pytest.raises(ExemptFromWithdrawal):
        withdraw(only)
    withdraw(number)
    drain()
    assert units(number) == {MUG: (2, 0, 0), LAMP: (0, 0, 0)}
    assert_valid()


def test_a_cancelled_order_cannot_be_withdrawn_from(placed: Placed, drain: Drain) -> None:
    number = placed(method="pm_card_chargeDeclined")
    drain()
    with pytest.raises(NotAllowed):
        withdraw(number)


def test_a_buyer_is_not_erased_while_a_return_is_open(delivered: OrderNumber, drain: Drain) -> None:
    found = fulfillment.request_return(delivered, [(LAMP, 1, ReturnReason.DAMAGED)], "call me")
    drain()
    with pytest.raises(OrdersUnderWay):
        erase_buyer("B-1")
    fulfillment.refuse_return(ReturnId(found.id), "used")
    drain()
    erase_buyer("B-1")
    drain()
    assert Return.objects.get(pk=found.id).note == ""
    assert_valid()


def test_a_return_that_was_asked_for_while_the_buyer_was_erased_goes_on(delivered: OrderNumber, drain: Drain) -> None:
    erase_buyer("B-1")
    found = fulfillment.request_return(delivered, [(LAMP, 1, ReturnReason.DAMAGED)], "call me")
    fulfillment.approve_return(ReturnId(found.id))
    drain()
    assert Return.objects.get(pk=found.id).note == ""
    fulfillment.receive_return(ReturnId(found.id), [ReceivedLine(LAMP, 1, "restock")])
    drain()
    assert Order.objects.get(pk=delivered).refunded == Money("80.00", "USD")
    assert Return.objects.get(pk=found.id).status == "closed"
    assert_valid()


def test_any_order_of_arrival_leads_to_the_same_state(delivered: OrderNumber, drain: Drain) -> None:
    found = fulfillment.request_return(delivered, [(MUG, 2, ReturnReason.DAMAGED)])
    fulfillment.approve_return(ReturnId(found.id))
    fulfillment.receive_return(ReturnId(found.id), [ReceivedLine(MUG, 2, "restock")])
    drain("billing", "fulfillment", "inventory")  # the return is closed before ordering knows that it was asked for
    drain()
    order = Order.objects.get(pk=delivered)
    assert order.returns == [{"id": found.id, "status": "closed"}]
    assert units(delivered)[MUG] == (0, 2, 2)
    assert Invoice.objects.get(pk=invoice_of(delivered)).refunded == Money("25.00", "USD")
    assert_valid()


def test_a_withdrawal_before_the_dispatch_keeps_the_surcharge(shop: object, address: Address, drain: Drain) -> None:
    for option, minor in (("post", 500), ("express", 1500)):
        ShippingRate.objects.create(option=option, name=option, currency="USD", price_minor=minor)
    what, how = [(MUG, 2), (LAMP, 1)], PaymentMethodId("pm_card_visa")
    numbers = [
        OrderNumber(place_order(BuyerId("B-1"), what, address, how, shipping_option="express").number) for _ in range(2)
    ]
    whole, partly = numbers
    drain()
    withdraw(whole)
    withdraw(partly, [(LAMP, 1)])
    drain()
    withdraw(partly)
    drain()

    for number in numbers:
        order = Order.objects.get(pk=number)
        assert (order.status, order.paid - order.refunded) == ("cancelled", Money("10", "USD"))
        assert order.payment_status == "partly_refunded"
    assert_valid()


def test_shipping_comes_back_with_the_last_goods_and_the_surcharge_does_not(
    placed: Any, delivered: OrderNumber, drain: Drain
) -> None:
    withdraw(delivered)
    drain()
    found = Return.objects.get()
    assert found.shipping_withheld is None, "the shop has no shipping rates, so there is no surcharge"
