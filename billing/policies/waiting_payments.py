"""Payments that wait for the buyer or their bank: billing says so, and ends them when their time is over."""

from collections.abc import Callable, Mapping, Sequence

from billing import commands, events
from billing.models import Payment
from billing.policies.saga import lock_all_payments_and_invoices, lock_payments_and_invoices
from integration import contracts
from integration.domain.identifiers import OrderNumber, PaymentId
from integration.messaging.publish import publish
from integration.policies import whenever

# --- Reactions to billing's own events, in the same transaction ---


@whenever(events.PaymentActionRequired)
def publish_payment_action_required(event: events.PaymentActionRequired) -> None:
    publish(
        contracts.billing.PaymentActionRequired(
            order=event.order,
            payment=event.payment,
            kind=event.kind,
            expires_at=event.expires_at,
            sequence=event.sequence,
        )
    )


@whenever(events.PaymentPending)
def publish_payment_pending(event: events.PaymentPending) -> None:
    publish(
        contracts.billing.PaymentPending(
            order=event.order, payment=event.payment, expires_at=event.expires_at, sequence=event.sequence
        )
    )


@whenever(events.PaymentExpired)
def publish_payment_expired(event: events.PaymentExpired) -> None:
    publish(contracts.billing.PaymentExpired(order=event.order, payment=event.payment))


@whenever(events.InvoiceVoided)
def cancel_payment_of_void_invoice(event: events.InvoiceVoided) -> None:
    if payment := commands.waiting_payment(event.order):
        _request_cancellation(event.order, payment)


@whenever(events.PaymentActionRequired)
@whenever(events.PaymentPending)
def cancel_payment_that_came_too_late(event: events.PaymentActionRequired | events.PaymentPending) -> None:
    if commands.is_called_off(event.order):
        _request_cancellation(event.order, event.payment)


def _request_cancellation(order: OrderNumber, payment: PaymentId) -> None:
    publish(contracts.billing.PaymentCancellationRequested(order=order, payment=payment))


# --- Requests to the payment provider, made while no transaction is open ---

Ending = contracts.ordering.PaymentOverdue | contracts.billing.PaymentCancellationRequested


def payments_to_end(batch: Sequence[Ending]) -> Mapping[OrderNumber, Payment]:
    """Read the payments of a batch of events in one query."""
    return commands.unsettled_payments([event.order for event in batch])


@whenever(
    contracts.ordering.PaymentOverdue,
    name="billing.expire-payment",
    external=True,
    read=payments_to_end,
    until_known=True,
    prepare=lock_all_payments_and_invoices,
)
def expire_payment(
    event: contracts.ordering.PaymentOverdue, payments: Mapping[OrderNumber, Payment]
) -> Callable[[], None] | None:
    """A payment that is settled has been published before, so nothing is to be done."""
    return commands.end_payment(payments[event.order]) if event.order in payments else None


@whenever(
    contracts.billing.PaymentCancellationRequested,
    name="billing.cancel-payment",
    external=True,
    read=payments_to_end,
    until_known=True,
    prepare=lock_payments_and_invoices,
)
def cancel_payment(
    event: contracts.billing.PaymentCancellationRequested, payments: Mapping[OrderNumber, Payment]
) -> Callable[[], None] | None:
    return commands.end_payment(payments[event.order]) if event.order in payments else None
