"""Ordering's part of the order process: confirm, cancel and complete orders as other contexts report their steps."""

import logging
from collections.abc import Sequence
from datetime import timedelta
from typing import Protocol

import msgspec
from django.db import DatabaseError

from integration import contracts
from integration.contracts.ordering import GivenDiscount, OrderedLine, OrderedShipping, OrderedTax
from integration.domain.identifiers import OrderNumber
from integration.messaging.publish import publish
from integration.policies import every, whenever
from ordering import commands, events, queries
from ordering.models import CancellationReason

log = logging.getLogger(__name__)

# --- Reactions to ordering's own events, in the same transaction ---


@whenever(events.OrderPlaced)
def register_new_buyer(event: events.OrderPlaced) -> None:
    commands.register_buyer_if_new(event.buyer, user=commands.user_of_buyer(event.buyer))


# --- Contracts that ordering publishes ---


@whenever(events.ProductListed)
def publish_product_listed(event: events.ProductListed) -> None:
    publish(contracts.ordering.ProductListed(sku=event.sku, name=event.name))


@whenever(events.OrderPlaced)
def publish_order_placed(event: events.OrderPlaced) -> None:
    publish(
        contracts.ordering.OrderPlaced(
            order=event.order,
            buyer=event.buyer,
            payment_method=event.payment_method,
            lines=msgspec.convert(event.lines, tuple[OrderedLine, ...], from_attributes=True),
            discounts=msgspec.convert(event.discounts, tuple[GivenDiscount, ...], from_attributes=True),
            discount=event.discount,
            shipping=msgspec.convert(event.shipping, OrderedShipping | None, from_attributes=True),
            tax=event.tax,
            prices_include_tax=event.prices_include_tax,
            total=event.total,
            taxes=tuple(OrderedTax(tax.rate, tax.amount) for tax in event.taxes),
        )
    )


@whenever(events.OrderConfirmed)
def publish_order_confirmed(event: events.OrderConfirmed) -> None:
    publish(contracts.ordering.OrderConfirmed(order=event.order))


@whenever(events.OrderConfirmed)
def publish_shipping_requested(event: events.OrderConfirmed) -> None:
    publish(commands.shipping_request(event.order))


@whenever(events.OrderConfirmed)
def publish_payer_named(event: events.OrderConfirmed) -> None:
    publish(commands.named_payer(event.order))


@whenever(events.OrderCancellationRequested)
def publish_order_cancellation_requested(event: events.OrderCancellationRequested) -> None:
    publish(contracts.ordering.OrderCancellationRequested(order=event.order, reason=event.reason))


@whenever(events.OrderCancelled)
def publish_order_cancelled(event: events.OrderCancelled) -> None:
    publish(
        contracts.ordering.OrderCancelled(
            order=event.order, reason=event.reason, shipping_withheld=event.shipping_withheld
        )
    )


# --- Reactions to the contracts of other contexts ---


class AboutAnOrder(Protocol):
    """A contract that has the number of an order."""

    @property
    def order(self) -> OrderNumber: ...


def lock_orders(batch: Sequence[AboutAnOrder]) -> None:
    """Lock the orders of a batch in key order, with one query instead of one per event."""
    commands.lock_orders([event.order for event in batch])


def lock_orders_and_buyers(batch: Sequence[AboutAnOrder]) -> None:
    """Lock the orders of a batch, then their buyers, each in key order, so that two batches cannot deadlock."""
    commands.lock_orders_and_buyers([event.order for event in batch])


def lock_orders_and_claims(batch: Sequence[AboutAnOrder]) -> None:
    """Lock the orders of a batch, their buyers, and their claims on vouchers, each in key order."""
    lock_orders_and_buyers(batch)
    commands.lock_claims([event.order for event in batch])


def lock_unpaid_orders(batch: Sequence[AboutAnOrder]) -> None:
    """Lock the orders of a batch and their claims, each in key order; unpaid orders do not change their buyers."""
    lock_orders(batch)
    commands.lock_claims([event.order for event in batch])


@whenever(contracts.inventory.StockReserved, name="ordering.await-payment", prepare=lock_orders)
def await_payment_for_reserved_order(event: contracts.inventory.StockReserved) -> None:
    commands.await_payment(event.order)


@whenever(
    contracts.inventory.StockReservationFailed,
    name="ordering.cancel-for-shortage",
    prepare=lock_unpaid_orders,
)
def cancel_order_out_of_stock(event: contracts.inventory.StockReservationFailed) -> None:
    commands.cancel_for_shortage(event.order)


@whenever(contracts.billing.PaymentSucceeded, name="ordering.confirm-paid-order", prepare=lock_orders_and_claims)
def confirm_paid_order(event: contracts.billing.PaymentSucceeded) -> None:
    commands.confirm_order(event.order, event.payment, event.amount)


@whenever(contracts.billing.PaymentNotRequired, name="ordering.confirm-free-order", prepare=lock_orders_and_claims)
def confirm_free_order(event: contracts.billing.PaymentNotRequired) -> None:
    commands.confirm_free_order(event.order)


@whenever(contracts.billing.PaymentFailed, name="ordering.cancel-unpaid-order", prepare=lock_unpaid_orders)
def cancel_unpaid_order(event: contracts.billing.PaymentFailed) -> None:
    commands.decline_payment(event.order, event.payment, event.reason)


@whenever(contracts.billing.RefundIssued, name="ordering.note-refund", prepare=lock_orders_and_buyers)
def record_refund(event: contracts.billing.RefundIssued) -> None:
    commands.record_refund(event.order, event.refunded, event.sequence)


@whenever(contracts.billing.RefundFailed, name="ordering.note-failed-refund", prepare=lock_orders_and_buyers)
def record_failed_refund(event: contracts.billing.RefundFailed) -> None:
    commands.record_refund(event.order, event.refunded, event.sequence)


@whenever(contracts.fulfillment.ShipmentArranged, name="ordering.note-shipment", prepare=lock_orders)
def mark_arranged(event: contracts.fulfillment.ShipmentArranged) -> None:
    commands.mark_arranged(event.order, event.shipment)


@whenever(contracts.fulfillment.ShipmentDispatched, name="ordering.note-dispatch", prepare=lock_orders)
def mark_shipped(event: contracts.fulfillment.ShipmentDispatched) -> None:
    quantities = {line.sku: line.quantity for line in event.lines}
    sent = (event.carrier, event.tracking_number, quantities, event.tracking_url)
    commands.mark_shipped(event.order, event.shipment, *sent)


@whenever(contracts.fulfillment.ShipmentDelivered, name="ordering.note-delivery", prepare=lock_orders)
def mark_delivered(event: contracts.fulfillment.ShipmentDelivered) -> None:
    commands.mark_delivered(event.order, event.shipment, event.sequence)


@whenever(
    contracts.fulfillment.ShipmentCancelled, name="ordering.complete-cancellation", prepare=lock_orders_and_claims
)
def complete_cancellation(event: contracts.fulfillment.ShipmentCancelled) -> None:
    commands.complete_cancellation(event.order, CancellationReason(event.reason))


@whenever(contracts.fulfillment.CancellationRefused, name="ordering.give-up-cancellation", prepare=lock_orders)
def reject_cancellation(event: contracts.fulfillment.CancellationRefused) -> None:
    commands.reject_cancellation(event.order)


# --- Routines, which run at an interval ---

OVERDUE_AT_ONCE = 200
"""How many overdue orders one run cancels; the next run, seconds later, cancels more."""


@every(timedelta(seconds=5), name="ordering.cancel-overdue-orders")
def cancel_overdue_orders() -> None:
    for number in queries.orders_past_payment_deadline(OVERDUE_AT_ONCE):
        try:
            commands.expire_order(OrderNumber(number))
        except DatabaseError:
            raise
        except Exception:  # whatever is wrong with one order, the others are cancelled
            log.exception("order %s cannot be cancelled", number)
