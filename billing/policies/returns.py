"""Billing refunds what came back, less a fee or diminished value, and says how much that is."""

from collections.abc import Sequence

from billing import commands
from integration import contracts
from integration.domain.identifiers import Sku
from integration.domain.money import Money
from integration.messaging.publish import publish
from integration.policies import whenever

MISSING = "missing"


def lock_invoices(received: Sequence[contracts.fulfillment.ReturnReceived]) -> None:
    """Lock the invoices of a batch of events, before the first of them is handled."""
    commands.lock_invoices([event.order for event in received])


@whenever(contracts.fulfillment.ReturnReceived, name="billing.refund-return", prepare=lock_invoices)
def refund_return(event: contracts.fulfillment.ReturnReceived) -> None:
    units: dict[Sku, int] = {}
    for line in event.lines:
        if line.disposition != MISSING:
            units[line.sku] = units.get(line.sku, 0) + line.quantity
    amount = commands.refund_units(
        event.order,
        event.receipt,
        units,
        f"returned ({event.receipt})",
        less=_sum(event.fee, event.reduction),
        shipping_withheld=event.shipping_withheld,
    )
    if amount is not None:
        publish(
            contracts.billing.ReturnSettled(
                order=event.order, return_=event.return_, receipt=event.receipt, amount=amount
            )
        )


def _sum(*amounts: Money | None) -> Money | None:
    known = [amount for amount in amounts if amount]
    return Money.sum(known, known[0].currency) if known else None
