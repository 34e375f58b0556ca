"""Sagas of cancelled lines and of holds: every order of arrival leads to one state, in which all contexts agree."""

from collections.abc import Callable

import pytest

from fulfillment.commands import deliver_shipment, dispatch_shipment, next_shipment, shipment_of
from fulfillment.models import OnHold, Shipment
from integration.domain.identifiers import CancellationId, HoldId, OrderNumber, Sku
from integration.domain.money import Money
from integration.domain.states import NotAllowed
from inventory.models import StockItem
from ordering.commands import cancel_lines, cancel_order, hold_order, lift_hold
from ordering.models import Buyer, CancellationReason, HoldReason, Order, OrderLine
from tests.test_saga import Courier, Place, _dispatch, _end, check_all, courier

__all__ = ["check_all", "courier"]

pytestmark = pytest.mark.django_db

BUYER = CancellationReason.BY_BUYER
MUG, LAMP = Sku("MUG"), Sku("LAMP")


def _cancelled(order: OrderNumber) -> dict[str, int]:
    return dict(OrderLine.objects.filter(order=order, cancelled__gt=0).values_list("sku", "cancelled"))


def _refunded(order: OrderNumber) -> Money:
    return Order.objects.get(pk=order).refunded


def _requests(order: OrderNumber) -> list[str]:
    return [each["status"] for each in Order.objects.get(pk=order).cancellations]


def test_a_cancelled_unit_is_stopped_released_and_refunded(
    placed: Place, courier: Courier, check_all: Callable[[], None]
) -> None:
    order = placed()
    courier.deliver_all()

    cancel_lines(order, [(MUG, 1)], BUYER, "one is enough")
    courier.deliver_all()
    assert (_end(order), _cancelled(order), _requests(order)) == (("confirmed", ""), {"MUG": 1}, ["cancelled"])
    assert _refunded(order) == Money("12.50", "USD")
    assert StockItem.objects.get(pk="MUG").reserved == 1
    check_all()

    _dispatch(order)
    deliver_shipment(shipment_of(order))
    courier.deliver_all()
    assert _end(order) == ("delivered", "")
    assert Buyer.objects.get().spend == Money("92.50", "USD")
    check_all()


def test_cancelling_the_open_rest_of_a_shipped_order_makes_it_shipped(
    placed: Place, courier: Courier, check_all: Callable[[], None]
) -> None:
    order = placed()
    courier.deliver_all()
    dispatch_shipment(shipment_of(order), "DHL", "1", [(LAMP, 1)])
    courier.deliver_all()

    cancel_lines(order, [(MUG, 1)], BUYER)
    cancel_lines(order, [(MUG, 1)], BUYER)
    courier.deliver_all()
    assert (_end(order), _requests(order)) == (("shipped", ""), ["cancelled", "cancelled"])
    assert _refunded(order) == Money("25.00", "USD")
    check_all()

    deliver_shipment(shipment_of(order))
    courier.deliver_all()
    assert _end(order) == ("delivered", "")
    check_all()


def test_cancelling_the_open_rest_of_a_delivered_order_makes_it_delivered(
    placed: Place, courier: Courier, check_all: Callable[[], None]
) -> None:
    order = placed()
    courier.deliver_all()
    dispatch_shipment(shipment_of(order), "DHL", "1", [(LAMP, 1)])
    deliver_shipment(shipment_of(order))
    courier.deliver_all()

    cancel_lines(order, [(MUG, 2)], BUYER)
    courier.deliver_all()

    assert _end(order) == ("delivered", "")
    check_all()


def test_cancelling_all_lines_in_parts_cancels_the_order(
    placed: Place, courier: Courier, check_all: Callable[[], None]
) -> None:
    order = placed()
    courier.deliver_all()

    cancel_lines(order, [(MUG, 2)], BUYER)
    cancel_lines(order, [(LAMP, 1)], BUYER)
    courier.deliver_all()

    assert _end(order) == ("cancelled", "by_buyer")
    assert _refunded(order) == Money("105.00", "USD")
    assert set(Shipment.objects.values_list("status", flat=True)) == {"cancelled"}
    assert Buyer.objects.get().spend == Money.zero("USD")
    check_all()


def test_the_rest_of_an_order_with_cancelled_lines_can_be_cancelled(
    placed: Place, courier: Courier, check_all: Callable[[], None]
) -> None:
    order = placed()
    courier.deliver_all()
    cancel_lines(order, [(MUG, 1)], BUYER)
    cancel_order(order, BUYER)

    courier.deliver_all()

    assert _end(order) == ("cancelled", "by_buyer")
    assert _refunded(order) == Money("105.00", "USD")
    check_all()


def test_lines_that_left_before_are_not_cancelled(
    placed: Place, courier: Courier, check_all: Callable[[], None]
) -> None:
    order = placed()
    courier.deliver_all()
    dispatch_shipment(shipment_of(order), "DHL", "1", [(MUG, 1)])
    cancel_lines(order, [(MUG, 2), (LAMP, 1)], BUYER)  # ordering has not handled the dispatch yet
    courier.deliver_all()

    assert (_end(order), _cancelled(order)) == (("shipped", ""), {"MUG": 1, "LAMP": 1})
    assert _requests(order) == ["partially_cancelled"]
    check_all()


def test_a_cancellation_of_lines_is_refused_once_all_left(
    placed: Place, courier: Courier, check_all: Callable[[], None]
) -> None:
    order = placed()
    courier.deliver_all()
    _dispatch(order)
    cancel_lines(order, [(LAMP, 1)], BUYER)
    courier.deliver_all()

    assert (_end(order), _cancelled(order), _requests(order)) == (("shipped", ""), {}, ["refused"])
    assert _refunded(order) == Money.zero("USD")
    check_all()


def test_two_parcels_and_a_cancellation_that_nobody_knew_of_end_in_one_state(
    placed: Place, courier: Courier, check_all: Callable[[], None]
) -> None:
    order = placed({"MUG": 3, "LAMP": 2})
    courier.deliver_all()
    first = shipment_of(order)
    cancel_lines(order, [(MUG, 1), (LAMP, 1)], BUYER)
    courier.deliver_some(1)
    dispatch_shipment(first, "DHL", "1", [(MUG, 1)])
    courier.deliver_some(2)
    dispatch_shipment(next_shipment(first), "DHL", "2")
    courier.deliver_all()

    assert _end(order) == ("shipped", "")
    shipped = dict(OrderLine.objects.filter(order=order).values_list("sku", "shipped"))
    assert {sku: shipped[sku] + _cancelled(order).get(sku, 0) for sku in shipped} == {"MUG": 3, "LAMP": 2}
    check_all()


# --- Holds ---


def _holds(order: OrderNumber) -> list[str]:
    return [hold["status"] for hold in Order.objects.get(pk=order).holds]


def test_a_held_order_is_dispatched_only_after_the_hold_is_lifted(
    placed: Place, courier: Courier, check_all: Callable[[], None]
) -> None:
    order = placed()
    courier.deliver_all()
    hold_order(order, HoldReason.FRAUD_RISK, "strange")
    courier.deliver_all()
    assert _holds(order) == ["active"]
    check_all()

    with pytest.raises(OnHold, match=r"H-.* \(fraud_risk\)"):
        _dispatch(order)

    lift_hold(order, HoldId(f"H{order[1:]}-1"))
    courier.deliver_all()
    _dispatch(order)
    courier.deliver_all()
    assert (_holds(order), _end(order)) == (["lifted"], ("shipped", ""))
    check_all()


def test_a_hold_from_before_the_confirmation_is_active_from_the_beginning(
    placed: Place, courier: Courier, check_all: Callable[[], None]
) -> None:
    order = placed()
    hold_order(order, HoldReason.INCORRECT_ADDRESS)
    courier.deliver_all()

    assert _holds(order) == ["active"]
    with pytest.raises(OnHold):
        _dispatch(order)
    check_all()


def test_a_hold_after_the_dispatch_is_too_late(placed: Place, courier: Courier, check_all: Callable[[], None]) -> None:
    order = placed()
    courier.deliver_all()
    _dispatch(order)
    hold_order(order, HoldReason.OTHER)
    courier.deliver_all()

    assert (_holds(order), _end(order)) == (["too_late"], ("shipped", ""))
    check_all()


def test_a_lift_that_overtakes_its_hold_ends_it(placed: Place, courier: Courier, check_all: Callable[[], None]) -> None:
    order = placed()
    courier.deliver_all()
    hold_order(order, HoldReason.OTHER)
    lift_hold(order, HoldId(f"H{order[1:]}-1"))
    courier.deliver_all()

    assert _holds(order) == ["lifted"]
    _dispatch(order)
    courier.deliver_all()
    check_all()


def test_a_hold_does_not_outlive_its_order(placed: Place, courier: Courier, check_all: Callable[[], None]) -> None:
    order = placed()
    courier.deliver_all()
    hold_order(order, HoldReason.OTHER)
    cancel_order(order, BUYER)
    courier.deliver_all()

    assert _holds(order) in (["lifted"], ["too_late"])  # whichever fulfillment handled first
    assert _end(order) == ("cancelled", "by_buyer")
    check_all()


@pytest.mark.parametrize("after", ["hold", "cancel"])
def test_nothing_can_be_requested_once_all_is_shipped(placed: Place, drain: Callable[..., int], after: str) -> None:
    order = placed()
    drain()
    _dispatch(order)
    drain()

    with pytest.raises(NotAllowed):
        hold_order(order, HoldReason.OTHER) if after == "hold" else cancel_lines(order, [(MUG, 1)], BUYER)


def test_a_cancellation_has_an_identifier_of_its_order(placed: Place, drain: Callable[..., int]) -> None:
    order = placed()
    drain()
    cancel_lines(order, [(MUG, 1)], BUYER)
    cancel_lines(order, [(MUG, 1)], BUYER, cancellation=CancellationId("W-7-1"))

    asked = Order.objects.get().cancellations
    assert {each["id"] for each in asked} == {"W-7-1", f"C{order[1:]}-1"}
