"""Payments that wait for the buyer or their bank, or that the buyer tries again: the order shows it."""

from integration import contracts
from integration.messaging.publish import publish
from integration.policies import whenever
from ordering import commands, events
from ordering.models.order_payment import ACTION_REQUIRED, PENDING
from ordering.policies.saga import lock_orders, lock_unpaid_orders


@whenever(events.OrderPaymentOverdue)
def publish_payment_overdue(event: events.OrderPaymentOverdue) -> None:
    publish(contracts.ordering.PaymentOverdue(order=event.order))


@whenever(events.OrderPaymentRetried)
def publish_payment_retried(event: events.OrderPaymentRetried) -> None:
    publish(
        contracts.ordering.PaymentRetried(order=event.order, payment_method=event.payment_method, attempt=event.attempt)
    )


@whenever(contracts.billing.PaymentActionRequired, name="ordering.await-action", prepare=lock_orders)
def await_action(event: contracts.billing.PaymentActionRequired) -> None:
    commands.await_payment_until(event.order, event.payment, ACTION_REQUIRED, event.expires_at, event.sequence)


@whenever(contracts.billing.PaymentPending, name="ordering.await-money", prepare=lock_orders)
def await_money(event: contracts.billing.PaymentPending) -> None:
    commands.await_payment_until(event.order, event.payment, PENDING, event.expires_at, event.sequence)


@whenever(contracts.billing.PaymentExpired, name="ordering.end-unpaid-order", prepare=lock_unpaid_orders)
def end_unpaid_order(event: contracts.billing.PaymentExpired) -> None:
    commands.end_unpaid_order(event.order, event.payment)
