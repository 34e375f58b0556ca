"""A buyer whose payment failed may try another method while their order waits; each try is a payment of its own."""

from collections.abc import Sequence

from billing import commands
from integration import contracts
from integration.policies import whenever


def lock_invoices(retried: Sequence[contracts.ordering.PaymentRetried]) -> None:
    """Lock the invoices of a batch of events, before the first of them is handled."""
    commands.lock_invoices([event.order for event in retried])


@whenever(contracts.ordering.PaymentRetried, name="billing.retry-payment", prepare=lock_invoices)
def retry_payment(event: contracts.ordering.PaymentRetried) -> None:
    commands.retry_payment(event.order, event.payment_method, event.attempt)
