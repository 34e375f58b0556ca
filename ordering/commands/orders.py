"""Commands on orders: each places an order or sends it one message of its state table.

Those that send a message raise `NotFound` for an unknown order, and the errors of the method of `Order` they call.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from django.conf import settings

from integration.aggregates.unit_of_work import unit_of_work
from integration.contracts.billing import PaymentRequested
from integration.contracts.ordering import LineToShip, OpenHold, PayerNamed, ShippingRequested
from integration.domain import clock
from integration.domain.address import Address
from integration.domain.identifiers import BuyerId, HoldId, OrderNumber, PaymentId, PaymentMethodId, ShipmentId, Sku
from integration.domain.money import Money
from integration.messaging.on_the_way import was_published
from ordering.commands.placing import UnknownPaymentMethod
from ordering.gateways.payments import payments
from ordering.models import Buyer, CancellationReason, Order

NO_PAYMENT = PaymentId("")
"""What an order that costs nothing is confirmed by."""


def await_payment(number: OrderNumber) -> None:
    """Let an order wait for its payment, because its goods are reserved."""
    with unit_of_work() as work:
        work.get(Order, number).await_payment()


def cancel_for_shortage(number: OrderNumber) -> None:
    """Cancel an order because some of its goods are out of stock."""
    with unit_of_work() as work:
        work.get(Order, number).cancel_for_shortage()


def lock_orders(numbers: Sequence[OrderNumber]) -> None:
    """Lock several orders in key order, so that two batches cannot deadlock."""
    with unit_of_work() as work:
        work.prefetch(Order, numbers)


def lock_orders_and_buyers(numbers: Sequence[OrderNumber]) -> None:
    """Lock several orders and then their buyers, each in key order, so that two batches cannot deadlock."""
    with unit_of_work() as work:
        orders = work.get_many(Order, numbers)
        work.get_many(Buyer, {order.buyer_id for order in orders.values()})


def confirm_order(number: OrderNumber, payment: PaymentId, amount: Money, *, authorized_as: int = 0) -> None:
    """Confirm an order because its payment succeeded, or is authorized.

    If the order was cancelled before, record only that the payment came too late.

    Args:
        authorized_as: billing's number of the news that the payment is authorized; zero if it succeeded.
    """
    with unit_of_work() as work:
        work.get(Order, number).confirm(payment, amount, authorized_as=authorized_as)


def confirm_free_order(number: OrderNumber) -> None:
    """Confirm an order because nothing is to be paid for it; do nothing if it was cancelled before.

    Raises:
        AmountMismatch: the order costs something.
    """
    with unit_of_work() as work:
        order = work.get(Order, number)
        order.confirm(NO_PAYMENT, Money.zero(order.currency))


def shipping_request(number: OrderNumber) -> ShippingRequested:
    """The contract that asks fulfillment to ship an order.

    Only it, `named_payer` and the request to correct an address let an address leave ordering.
    """
    with unit_of_work() as work:
        order = work.get(Order, number)
    return ShippingRequested(
        order=number,
        recipient=Address(**order.shipping_address),
        lines=tuple(LineToShip(Sku(line.sku), line.name, line.quantity) for line in order.lines),
        holds=tuple(OpenHold(HoldId(hold["id"]), hold["reason"]) for hold in order.open_holds),
    )


def named_payer(number: OrderNumber) -> PayerNamed:
    """The contract that names who pays for an order. The address of the invoice is that of the order."""
    with unit_of_work() as work:
        order = work.get(Order, number)
    return PayerNamed(order=number, payer=Address(**order.shipping_address))


def decline_payment(number: OrderNumber, payment: PaymentId, reason: str) -> None:
    """Cancel an order because its payment was declined, or let it wait for another method (`PAYMENT_RETRY_MINUTES`).

    Args:
        payment: the payment; news of one that has ended before change nothing.
        reason: the provider's, such as `insufficient_funds`.
    """
    with unit_of_work() as work:
        order = work.get(Order, number)
        if not order.has_ended(payment) and not _waits_for_another_payment(order, payment, reason):
            order.cancel_for_declined_payment(reason)


def _waits_for_another_payment(order: Order, payment: PaymentId, reason: str) -> bool:
    """Let an order wait for another payment method, where the shop allows that; returns whether it waits."""
    retry = settings.PAYMENT_RETRY
    return bool(retry) and order.await_another_payment(payment, reason, clock.now() + retry)


def try_another_payment(
    number: OrderNumber, method: PaymentMethodId, if_version: Collection[int] | None = None
) -> Order:
    """Pay an order with another method, because its payment failed.

    Args:
        method: a payment method of the order's buyer, or a token of the provider.
        if_version: the versions of the order that the caller accepts; None accepts any.

    Raises:
        NotAllowed: the order does not wait for a payment.
        NothingToRetry: its payment has not failed, or its deadline has passed.
        UnknownPaymentMethod: there is no such method, or it is another buyer's.
        StaleVersion: the order is in none of the versions in `if_version`.
    """
    with unit_of_work() as work:
        order = work.get(Order, number)
        order.expect_version(if_version)
        if not payments().can_pay_with(method, BuyerId(order.buyer_id)):
            raise UnknownPaymentMethod(f"there is no payment method {method!r}", pointer="/payment_method")
        order.try_another_payment(method, clock.now())
    return order


def await_payment_until(
    number: OrderNumber, payment: PaymentId, status: str, expires_at: datetime, sequence: int
) -> None:
    """Record that the payment of an order waits for the buyer or their bank, and until when."""
    with unit_of_work() as work:
        work.get(Order, number).await_payment_until(payment, status, expires_at, sequence)


def end_unpaid_order(number: OrderNumber, payment: PaymentId) -> None:
    """Act upon the expiry of a payment, as upon a declined one; after the deadline the order is cancelled.

    Do nothing if the order is past that stage, or if it is known that the payment has ended.
    """
    with unit_of_work() as work:
        order = work.get(Order, number)
        if not order.has_ended(payment) and not _waits_for_another_payment(order, payment, "expired"):
            order.expire()


def expire_order(number: OrderNumber) -> None:
    """Act upon the payment deadline of an order; do nothing if it is past that stage.

    If the payment waits for the buyer or their bank, billing is asked for it, and only what billing says cancels the
    order. If it failed, and nobody chose another method, the order is cancelled for that. Otherwise the order is
    cancelled at once; the reason is another one if nobody asked for the payment.
    """
    with unit_of_work() as work:
        order = work.get(Order, number)
        if order.needs_another_payment:
            order.cancel_for_declined_payment(order.decline_reason)
            return
        if order.payment_progress:
            order.ask_for_payment()
            return
        order.expire(payment_was_requested=was_published(PaymentRequested, order.correlation_id))


def cancel_order(
    number: OrderNumber,
    reason: CancellationReason,
    note: str = "",
    if_version: Collection[int] | None = None,
    *,
    of: BuyerId | None = None,
) -> Order:
    """Cancel an order on behalf of its buyer or an operator.

    An order that is not confirmed is cancelled at once. For a confirmed order the command only requests the
    cancellation: fulfillment decides whether it can still stop the shipment.

    Args:
        note: free text about the cancellation, stored with the order.
        if_version: the versions of the order that the caller accepts; None accepts any.
        of: the buyer whose order it must be; None for an operator.

    Returns:
        The order, cancelled or with its cancellation requested.

    Raises:
        NotFound: there is no such order.
        NotAllowed: the order is shipped, delivered or cancelled.
        CancellationUnderWay: its cancellation is requested already, with another note.
        StaleVersion: the order is in none of the versions in `if_version`.
    """
    with unit_of_work() as work:
        order = work.get(Order, number)
        order.expect_buyer(of)
        order.expect_version(if_version)
        order.cancel(reason, note)
    return order


def complete_cancellation(number: OrderNumber, reason: CancellationReason) -> None:
    """Cancel a confirmed order because fulfillment stopped its shipment."""
    with unit_of_work() as work:
        work.get(Order, number).complete_cancellation(reason)


def reject_cancellation(number: OrderNumber) -> None:
    """Withdraw the cancellation request of an order because fulfillment could not stop its shipment."""
    with unit_of_work() as work:
        work.get(Order, number).reject_cancellation()


def mark_arranged(number: OrderNumber, shipment: ShipmentId) -> None:
    """Record that fulfillment arranged a shipment of an order; do nothing if the shipment is known."""
    with unit_of_work() as work:
        work.get(Order, number).mark_arranged(shipment)


def mark_shipped(
    number: OrderNumber,
    shipment: ShipmentId,
    carrier: str,
    tracking_number: str,
    quantities: Mapping[Sku, int],
    tracking_url: str = "",
) -> None:
    """Record that goods of an order left the warehouse in a shipment; a shipment counts once."""
    with unit_of_work() as work:
        work.get(Order, number).mark_shipped(shipment, carrier, tracking_number, quantities, tracking_url)


def mark_delivered(number: OrderNumber, shipment: ShipmentId, sequence: int = 0) -> None:
    """Record that a shipment of an order reached its recipient; `sequence` as in `Order.mark_delivered`."""
    with unit_of_work() as work:
        work.get(Order, number).mark_delivered(shipment, sequence)


def record_refund(number: OrderNumber, refunded: Money, sequence: int = 0) -> None:
    """Record the total refunded so far, unless a later one is recorded; `sequence` as in `Order.record_refund`."""
    with unit_of_work() as work:
        work.get(Order, number).record_refund(refunded, sequence)
