"""Leaves work in the demo shop, so that an operator finds something to do: parcels, a dead letter, goods to inspect."""

from datetime import timedelta
from decimal import Decimal
from random import Random
from uuid import uuid4

from django.conf import settings
from django.db import transaction
from django.db.models import F

from billing.gateways.sandbox.adapter import adapter as sandbox
from billing.reconciliation import open_discrepancies, reconcile
from config.shop.carry import NotCarriedThrough, carry_on
from config.shop.catalogue import CURRENCY
from config.shop.demo_orders import ACTOR, Kind, place, wishes
from integration.aggregates.unit_of_work import unit_of_work
from integration.contracts.fulfillment import ShipmentDelivered
from integration.domain import clock
from integration.domain.identifiers import OrderNumber, PaymentMethodId, ShipmentId, Sku
from integration.domain.metadata import new_story
from integration.domain.money import Money
from integration.messaging.consumers import consumers
from integration.messaging.models import Delivery, Status
from integration.messaging.publish import publish
from inventory.commands import adjust_stock, quarantine_stock
from inventory.models import StockItem

PARCELS = 2
NO_ORDER = OrderNumber("R-0000")
"""The number of an order that never existed."""


def leave_work(random: Random, timeout: timedelta) -> list[str]:
    """Leave what an operator has to do, and return it in words.

    A dead letter, a discrepancy, low stock and goods in quarantine are left only if there is none yet.
    """
    left = [f"{_leave_parcels(random, timeout)} parcels to send"]
    if Delivery.objects.filter(status=Status.DEAD).exists() or _leave_a_dead_letter(timeout):
        left.append("a dead letter")
    if settings.PAYMENT_PROVIDER == "sandbox":
        _leave_a_discrepancy()
        left.append("a discrepancy")
    _leave_low_stock(timeout)
    _leave_goods_to_inspect(timeout)
    return [*left, "low stock", "goods in quarantine"]


def _leave_parcels(random: Random, timeout: timedelta) -> int:
    good = [wish for wish in wishes(10 * PARCELS, random) if wish.kind is Kind.GOOD][:PARCELS]
    orders = [place(wish) for wish in good]
    carry_on({order.correlation_id for order in orders}, timeout)
    return len(orders)


def _leave_a_dead_letter(timeout: timedelta) -> bool:
    """Publish the delivery of an order that never existed, at its last attempt; no consumer can handle it."""
    with new_story(actor=ACTOR) as story, transaction.atomic():
        with unit_of_work():
            publish(ShipmentDelivered(order=NO_ORDER, shipment=ShipmentId("S-0000-1"), lines=()))
        for delivery in Delivery.objects.filter(message__correlation_id=story.correlation_id):
            delivery.attempts = consumers.get(delivery.consumer).retry_schedule.attempts - 1
            delivery.save(update_fields=["attempts"])
    try:
        carry_on({story.correlation_id}, timeout)
    except NotCarriedThrough:
        return True
    return False


def _leave_a_discrepancy() -> None:
    """Have the sandbox take money that the shop never asked for."""
    if not open_discrepancies():
        sandbox.charge(f"P-{uuid4().hex}", PaymentMethodId("pm_card_visa"), Money(Decimal(5), CURRENCY))
        reconcile(clock.now() - timedelta(days=1))


def _leave_low_stock(timeout: timedelta) -> None:
    available = F("on_hand") - F("reserved")
    if StockItem.objects.filter(on_hand__gt=F("reserved"), on_hand__lte=F("reserved") + F("reorder_point")).exists():
        return
    item = StockItem.objects.annotate(left=available).filter(left__gt=F("reorder_point")).order_by("left").first()
    if item is not None:
        with new_story(actor=ACTOR) as story:
            adjust_stock(Sku(item.sku), item.reorder_point - item.available, "water damage")
        carry_on({story.correlation_id}, timeout)


def _leave_goods_to_inspect(timeout: timedelta) -> None:
    if StockItem.objects.filter(quarantined__gt=0).exists():
        return
    item = StockItem.objects.filter(on_hand__gt=F("reserved") + F("reorder_point")).order_by("-on_hand", "sku").first()
    if item is not None:
        with new_story(actor=ACTOR) as story:
            quarantine_stock(Sku(item.sku), 1, "box damaged")
        carry_on({story.correlation_id}, timeout)
