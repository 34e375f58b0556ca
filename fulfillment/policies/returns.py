"""Fulfillment's part of returns: what it publishes, what billing decides, and what happens when time passes."""

import logging
from collections.abc import Sequence
from datetime import timedelta

from django.db import DatabaseError

from fulfillment import commands, events, queries
from integration import contracts
from integration.contracts.fulfillment import PackedLine, ReturnedLine
from integration.messaging.publish import publish
from integration.policies import every, whenever

log = logging.getLogger(__name__)

AT_ONCE = 200
"""How many returns one run of the routine closes; the next run closes more."""


@whenever(events.ReturnRequested)
def publish_return_requested(event: events.ReturnRequested) -> None:
    lines = tuple(PackedLine(line.sku, line.quantity) for line in event.lines)
    publish(contracts.fulfillment.ReturnRequested(order=event.order, return_=event.return_, lines=lines))


@whenever(events.ReturnApproved)
def publish_return_approved(event: events.ReturnApproved) -> None:
    publish(commands.return_approval(event.return_, event.send_by))


@whenever(events.ReturnRefused)
def publish_return_refused(event: events.ReturnRefused) -> None:
    publish(contracts.fulfillment.ReturnRefused(order=event.order, return_=event.return_, reason=event.reason))


@whenever(events.ReturnReceived)
def publish_return_received(event: events.ReturnReceived) -> None:
    publish(
        contracts.fulfillment.ReturnReceived(
            order=event.order,
            return_=event.return_,
            receipt=event.receipt,
            lines=tuple(ReturnedLine(line.sku, line.quantity, line.disposition) for line in event.lines),
            fee=event.fee,
            reduction=event.reduction,
            reduction_reason=event.reduction_reason,
            shipping_withheld=commands.shipping_withheld(event.return_),
        )
    )


@whenever(events.ReturnClosed)
def publish_return_closed(event: events.ReturnClosed) -> None:
    publish(contracts.fulfillment.ReturnClosed(order=event.order, return_=event.return_))


def lock_returns(settled: Sequence[contracts.billing.ReturnSettled]) -> None:
    """Lock the returns of a batch of events, before the first of them is handled."""
    commands.lock_returns([event.return_ for event in settled])


@whenever(contracts.billing.ReturnSettled, name="fulfillment.settle-return", prepare=lock_returns)
def settle_return(event: contracts.billing.ReturnSettled) -> None:
    commands.settle_return(event.return_, event.receipt, event.amount)


@every(timedelta(minutes=10), name="fulfillment.lapse-returns")
def lapse_returns() -> None:
    for id in queries.returns_to_lapse(AT_ONCE):
        try:
            commands.lapse_return(id)
        except DatabaseError:
            raise
        except Exception:  # whatever is wrong with one return, the others are closed
            log.exception("return %s cannot be closed", id)
