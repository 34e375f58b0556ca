"""A dispute takes money away from an invoice, lets its refunds wait, and ends both if it is won."""

from billing import commands, events
from integration import contracts
from integration.domain.money import Money
from integration.messaging.publish import publish
from integration.policies import whenever


@whenever(events.DisputeFundsWithdrawn)
def withdraw_funds(event: events.DisputeFundsWithdrawn) -> None:
    commands.withdraw_funds(event.invoice, event.dispute, event.amount)


@whenever(events.DisputeWon)
def return_funds(event: events.DisputeWon) -> None:
    commands.close_dispute(event.invoice, event.dispute, event.returned, event.returned)


@whenever(events.DisputeLost)
def write_off_funds(event: events.DisputeLost) -> None:
    commands.close_dispute(event.invoice, event.dispute, event.amount, Money.zero(event.amount.currency))


@whenever(events.RefundReleased)
def publish_refund_requested(event: events.RefundReleased) -> None:
    publish(contracts.billing.RefundRequested(order=event.order, refund=event.refund, amount=event.amount))


@whenever(events.DisputeOpened)
def publish_dispute_opened(event: events.DisputeOpened) -> None:
    publish(
        contracts.billing.DisputeOpened(
            order=event.order, dispute=event.dispute, payment=event.payment, amount=event.amount, kind=event.kind
        )
    )


@whenever(events.DisputeWon)
def publish_dispute_won(event: events.DisputeWon) -> None:
    publish(contracts.billing.DisputeClosed(order=event.order, dispute=event.dispute, amount=event.amount, is_won=True))


@whenever(events.DisputeLost)
def publish_dispute_lost(event: events.DisputeLost) -> None:
    publish(
        contracts.billing.DisputeClosed(order=event.order, dispute=event.dispute, amount=event.amount, is_won=False)
    )
