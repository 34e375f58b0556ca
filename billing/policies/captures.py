"""Cards may be authorized when an order is placed, and charged as its goods leave.

The order is confirmed by the authorization. Billing captures what each shipment costs, never captures what is cancelled
before it leaves, and releases the rest. An authorization that ends before all goods have left is said to lapse a day
earlier, so that nothing more leaves without its money.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta

from billing import commands, events
from billing.models import Capture, Payment
from billing.policies.saga import lock_all_payments_and_invoices
from integration import contracts
from integration.domain.identifiers import CaptureId, OrderNumber
from integration.messaging.publish import publish
from integration.policies import every, whenever

# --- Reactions to billing's own events, in the same transaction ---


@whenever(events.PaymentAuthorized)
def authorize_invoice(event: events.PaymentAuthorized) -> None:
    commands.authorize_invoice(event.invoice, event.payment, event.amount)


@whenever(events.InvoiceCaptureOwed)
def request_capture(event: events.InvoiceCaptureOwed) -> None:
    commands.request_capture(event)


@whenever(events.CaptureSettled)
def record_capture(event: events.CaptureSettled) -> None:
    commands.record_capture(event)


@whenever(events.CaptureFailed)
def fail_capture(event: events.CaptureFailed) -> None:
    commands.fail_capture(event)


@whenever(events.PaymentLapsed)
def lapse_invoice(event: events.PaymentLapsed) -> None:
    commands.lapse_invoice(event.invoice, event.payment)


# --- Contracts that billing publishes ---


@whenever(events.InvoiceAuthorized)
def publish_payment_authorized(event: events.InvoiceAuthorized) -> None:
    publish(
        contracts.billing.PaymentAuthorized(
            order=event.order, payment=event.payment, amount=event.amount, sequence=event.sequence
        )
    )


@whenever(events.CaptureRequested)
def publish_capture_requested(event: events.CaptureRequested) -> None:
    publish(contracts.billing.CaptureRequested(order=event.order, capture=event.capture, amount=event.amount))


@whenever(events.InvoiceCaptured)
@whenever(events.InvoiceAuthorizationReduced)
def publish_authorization_changed(event: events.InvoiceCaptured | events.InvoiceAuthorizationReduced) -> None:
    publish(commands.authorization_of(event.invoice))


@whenever(events.InvoiceAuthorizationLapsed)
def publish_authorization_lapsed(event: events.InvoiceAuthorizationLapsed) -> None:
    publish(
        contracts.billing.AuthorizationLapsed(
            order=event.order, payment=event.payment, amount=event.amount, sequence=event.sequence
        )
    )


@whenever(events.VoidInvoiceAuthorized)
@whenever(events.InvoiceCaptureCompleted)
@whenever(events.InvoiceVoided)
def publish_release_requested(
    event: events.VoidInvoiceAuthorized | events.InvoiceCaptureCompleted | events.InvoiceVoided,
) -> None:
    if commands.is_to_be_released(event.invoice):
        publish(contracts.billing.AuthorizationReleaseRequested(order=event.order))


# --- Reactions to the contracts of other contexts ---


def lock_invoices(due: Sequence[contracts.ordering.PaymentDue]) -> None:
    """Lock the invoices of a batch of events, before the first of them is handled."""
    commands.lock_invoices([event.order for event in due])


@whenever(contracts.ordering.PaymentDue, name="billing.request-capture", prepare=lock_invoices)
def capture_due_payment(event: contracts.ordering.PaymentDue) -> None:
    commands.capture_for(event.order, event.shipment, {line.sku: line.quantity for line in event.lines})


# --- Requests to the payment provider, made while no transaction is open ---


def captures_to_make(requested: Sequence[contracts.billing.CaptureRequested]) -> Mapping[CaptureId, Capture]:
    """Read the captures of a batch of events in one query."""
    return commands.captures_to_make([event.capture for event in requested])


def lock_captures(requested: Sequence[contracts.billing.CaptureRequested]) -> None:
    """Lock the captures, payments and invoices of a batch of events, before the first outcome is recorded."""
    commands.lock_captures({event.capture: event.order for event in requested})


@whenever(
    contracts.billing.CaptureRequested,
    name="billing.make-capture",
    external=True,
    read=captures_to_make,
    until_known=True,
    prepare=lock_captures,
)
def make_capture(
    event: contracts.billing.CaptureRequested, captures: Mapping[CaptureId, Capture]
) -> Callable[[], None]:
    return commands.make_capture(captures[event.capture])


def payments_to_release(
    requested: Sequence[contracts.billing.AuthorizationReleaseRequested],
) -> Mapping[OrderNumber, Payment]:
    """Read the payments of a batch of events in one query."""
    return commands.payments_to_release([event.order for event in requested])


@whenever(
    contracts.billing.AuthorizationReleaseRequested,
    name="billing.release-authorization",
    external=True,
    read=payments_to_release,
    until_known=True,
    prepare=lock_all_payments_and_invoices,
)
def release_authorization(
    event: contracts.billing.AuthorizationReleaseRequested, payments: Mapping[OrderNumber, Payment]
) -> Callable[[], None]:
    return commands.release_authorization(payments[event.order])


# --- Routines, which run at an interval ---


@every(timedelta(minutes=1), name="billing.lapse-authorizations")
def lapse_authorizations() -> None:
    commands.lapse_authorizations()
