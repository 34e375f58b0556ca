"""Leaves a guest's order with a voucher, a held order, a lost parcel and a return to receive in the demo shop.

Each is left only if the shop has none of its kind yet.
"""

from datetime import timedelta
from random import Random

from config.shop.carry import carry_on
from config.shop.demo_orders import ACTOR, Kind, Wish, place, wishes
from config.shop.demo_shop import VOUCHER, offer_voucher
from config.shop.shipping import deliver, dispatch
from fulfillment.commands import approve_return, lose_shipment, request_return
from fulfillment.models import Return, ReturnStatus, Shipment, ShipmentStatus
from fulfillment.models.return_policy import ReturnReason
from integration.domain.identifiers import CartId, OrderNumber, ReturnId, ShipmentId
from integration.domain.metadata import new_story
from ordering.commands import check_out, hold_order, name_voucher, open_cart, set_address, set_item
from ordering.models import Cart, CartStatus, HoldReason, Order

GUEST = "guest@example.com"


def leave_special_work(random: Random, timeout: timedelta) -> list[str]:
    """Leave what is missing of it; returns in words what an operator finds."""
    good = iter([wish for wish in wishes(20, random) if wish.kind is Kind.GOOD])
    offer_voucher()
    if not Cart.objects.filter(status=CartStatus.CHECKED_OUT, buyer="").exists():
        _leave_carts(next(good), timeout)
    if not Order.objects.filter(order_holds__isnull=False).exists():
        _leave_a_hold(next(good), timeout)
    if not Shipment.objects.filter(status=ShipmentStatus.LOST).exists():
        _leave_a_lost_parcel(next(good), timeout)
    if not Return.objects.filter(status=ReturnStatus.APPROVED).exists():
        _leave_a_return(next(good), timeout)
    return ["a guest's order with a voucher", "a held order", "a lost parcel", "a return to receive"]


def _leave_carts(wish: Wish, timeout: timedelta) -> None:
    """Fill two carts of guests with a voucher, and check one out."""
    with new_story(actor=ACTOR) as story:
        for is_checked_out in (False, True):
            cart = CartId(open_cart(None)[0].id)
            for sku, quantity in wish.lines:
                set_item(cart, None, sku, quantity)
            set_address(cart, None, wish.address)
            name_voucher(cart, None, VOUCHER)
            if is_checked_out:
                check_out(cart, None, wish.payment_method, email=GUEST)
    carry_on({story.correlation_id}, timeout)


def _leave_a_hold(wish: Wish, timeout: timedelta) -> None:
    number = _confirmed(wish, timeout)
    with new_story(actor=ACTOR):
        order = hold_order(number, HoldReason.FRAUD_RISK, "Ask the buyer for a proof of identity.")
    carry_on({order.correlation_id}, timeout)


def _leave_a_lost_parcel(wish: Wish, timeout: timedelta) -> None:
    number = _confirmed(wish, timeout)
    dispatch({number: f"DEMO-{number}"}, ACTOR)
    with new_story(actor=ACTOR):
        lost = lose_shipment(ShipmentId(Shipment.objects.get(order=number).id))
    carry_on({lost.correlation_id}, timeout)


def _leave_a_return(wish: Wish, timeout: timedelta) -> None:
    number = _confirmed(wish, timeout)
    dispatch({number: f"DEMO-{number}"}, ACTOR)
    deliver([number], ACTOR)
    carry_on({Order.objects.get(pk=number).correlation_id}, timeout)
    with new_story(actor=ACTOR):
        sku, _ = wish.lines[0]
        found = request_return(number, [(sku, 1, ReturnReason.DAMAGED)], "The handle is broken.")
        if found.status == ReturnStatus.REQUESTED:
            found = approve_return(ReturnId(found.id))
    carry_on({found.correlation_id}, timeout)


def _confirmed(wish: Wish, timeout: timedelta) -> OrderNumber:
    """Place an order and wait until it is confirmed and packed."""
    order = place(wish)
    carry_on({order.correlation_id}, timeout)
    return OrderNumber(order.pk)
