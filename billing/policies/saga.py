"""Billing's part of the order process: issue invoices, collect payments, refund cancelled orders."""

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from billing import commands, events
from billing.events import InvoicedLine, InvoicedTax
from billing.models import Payment, Refund
from integration import contracts
from integration.domain.identifiers import OrderNumber, PaymentId, RefundId
from integration.domain.money import Money
from integration.messaging.publish import publish
from integration.policies import whenever

# --- Reactions to billing's own events, in the same transaction ---


@whenever(events.PaymentSucceeded)
def settle_invoice(event: events.PaymentSucceeded) -> None:
    commands.settle_invoice(event.invoice, event.payment, event.amount)


@whenever(events.InvoiceSurplusReceived)
def refund_surplus(event: events.InvoiceSurplusReceived) -> None:
    commands.request_refund(event.refund, event.invoice, event.payment, event.order, event.amount, "paid twice")


@whenever(events.InvoiceRefundOwed)
def request_refund(event: events.InvoiceRefundOwed) -> None:
    commands.request_refund(event.refund, event.invoice, event.payment, event.order, event.amount, event.reason)


@whenever(events.RefundIssued)
def record_refund(event: events.RefundIssued) -> None:
    commands.record_refund(event.invoice, event.refund, event.amount)


@whenever(events.RefundFailed)
def take_back_refund(event: events.RefundFailed) -> None:
    commands.take_back_refund(event.invoice, event.refund, event.amount, event.reason, was_issued=event.was_issued)


# --- Contracts that billing publishes ---


@whenever(events.PaymentRequested)
def publish_payment_requested(event: events.PaymentRequested) -> None:
    publish(contracts.billing.PaymentRequested(order=event.order, payment=event.payment, amount=event.amount))


@whenever(events.InvoiceSettledWithoutPayment)
def publish_payment_not_required(event: events.InvoiceSettledWithoutPayment) -> None:
    publish(contracts.billing.PaymentNotRequired(order=event.order))


@whenever(events.PaymentSucceeded)
def publish_payment_succeeded(event: events.PaymentSucceeded) -> None:
    publish(contracts.billing.PaymentSucceeded(order=event.order, payment=event.payment, amount=event.amount))


@whenever(events.PaymentFailed)
def publish_payment_failed(event: events.PaymentFailed) -> None:
    publish(contracts.billing.PaymentFailed(order=event.order, payment=event.payment, reason=event.reason))


@whenever(events.RefundRequested)
def publish_refund_requested(event: events.RefundRequested) -> None:
    publish(contracts.billing.RefundRequested(order=event.order, refund=event.refund, amount=event.amount))


@whenever(events.InvoiceRefunded)
def publish_refund_issued(event: events.InvoiceRefunded) -> None:
    publish(
        contracts.billing.RefundIssued(
            order=event.order,
            refund=event.refund,
            amount=event.amount,
            refunded=event.refunded,
            sequence=event.sequence,
        )
    )


@whenever(events.InvoiceRefundFailed)
def publish_refund_failed(event: events.InvoiceRefundFailed) -> None:
    publish(
        contracts.billing.RefundFailed(
            order=event.order,
            refund=event.refund,
            amount=event.amount,
            refunded=event.refunded,
            sequence=event.sequence,
        )
    )


@whenever(events.RefundRetried)
def publish_refund_requested_again(event: events.RefundRetried) -> None:
    publish(contracts.billing.RefundRequested(order=event.order, refund=event.refund, amount=event.amount))


# --- Reactions to the contracts of other contexts ---


def lock_invoices(about: Sequence[contracts.ordering.OrderPlaced]) -> None:
    """Lock the invoices of a batch of events, before the first of them is handled."""
    commands.lock_invoices([event.order for event in about])


def lock_invoices_to_void(cancelled: Sequence[contracts.ordering.OrderCancelled]) -> None:
    """Lock the invoices of a batch of events, and look at their payments, before the first of them is handled."""
    commands.lock_invoices_to_void([event.order for event in cancelled])


def lock_invoices_and_payments(reserved: Sequence[contracts.inventory.StockReserved]) -> None:
    """Lock the invoices and then the payments of a batch of events, before the first of them is handled."""
    commands.lock_invoices_and_payments([event.order for event in reserved])


@whenever(contracts.ordering.OrderPlaced, name="billing.issue-invoice", prepare=lock_invoices)
def issue_invoice(event: contracts.ordering.OrderPlaced) -> None:
    commands.issue_invoice(
        event.order,
        payer=event.buyer,
        payment_method=event.payment_method,
        lines=[
            InvoicedLine(line.sku, line.name, line.quantity, line.unit_price, line.total, line.tax, line.tax_rate)
            for line in event.lines
        ],
        discount=event.discount,
        shipping=event.shipping.total if event.shipping else Money.zero(event.total.currency),
        total=event.total,
        taxes=[InvoicedTax(tax.rate, tax.amount) for tax in event.taxes or ()],
        prices_include_tax=None if event.taxes is None else event.prices_include_tax,
    )


@whenever(contracts.inventory.StockReserved, name="billing.request-payment", prepare=lock_invoices_and_payments)
def request_payment(event: contracts.inventory.StockReserved) -> None:
    commands.request_payment(event.order)


@whenever(contracts.ordering.OrderCancelled, name="billing.call-off-invoice", prepare=lock_invoices_to_void)
def void_invoice(event: contracts.ordering.OrderCancelled) -> None:
    commands.void_invoice(event.order, event.reason, event.shipping_withheld)


# --- Requests to the payment provider, made while no transaction is open ---


def payments_to_collect(requested: Sequence[contracts.billing.PaymentRequested]) -> Mapping[PaymentId, Payment]:
    """Read the payments of a batch of events in one query."""
    return commands.payments_to_collect([event.payment for event in requested])


class AboutAnOrder(Protocol):
    """A contract that has the number of an order."""

    @property
    def order(self) -> OrderNumber: ...


class AboutAPayment(AboutAnOrder, Protocol):
    """A contract that names a payment and its order."""

    @property
    def payment(self) -> PaymentId: ...


def lock_payments_and_invoices(batch: Sequence[AboutAPayment]) -> None:
    """Lock the payments and then the invoices of a batch of events, before the first outcome is recorded."""
    commands.lock_payments_and_invoices({event.payment: event.order for event in batch})


def lock_all_payments_and_invoices(batch: Sequence[AboutAnOrder]) -> None:
    """Lock all payments of the orders, and then their invoices, before the first outcome is recorded."""
    commands.lock_all_payments_and_invoices([event.order for event in batch])


@whenever(
    contracts.billing.PaymentRequested,
    name="billing.collect-payment",
    external=True,
    read=payments_to_collect,
    until_known=True,
    prepare=lock_payments_and_invoices,
)
def collect_payment(
    event: contracts.billing.PaymentRequested, payments: Mapping[PaymentId, Payment]
) -> Callable[[], None]:
    return commands.collect_payment(payments[event.payment])


def refunds_to_issue(requested: Sequence[contracts.billing.RefundRequested]) -> Mapping[RefundId, Refund]:
    """Read the refunds of a batch of events in one query."""
    return commands.refunds_to_issue([event.refund for event in requested])


def lock_refunds_and_invoices(requested: Sequence[contracts.billing.RefundRequested]) -> None:
    """Lock the refunds and then the invoices of a batch of events, before the first outcome is recorded."""
    commands.lock_refunds_and_invoices({event.refund: event.order for event in requested})


@whenever(
    contracts.billing.RefundRequested,
    name="billing.issue-refund",
    external=True,
    read=refunds_to_issue,
    until_known=True,
    prepare=lock_refunds_and_invoices,
)
def issue_refund(event: contracts.billing.RefundRequested, refunds: Mapping[RefundId, Refund]) -> Callable[[], None]:
    return commands.issue_refund(refunds[event.refund])
