"""Ordering asks fulfillment to stop or hold goods, and records what fulfillment decided."""

from collections.abc import Mapping

from integration import contracts
from integration.contracts.ordering import OrderedUnits
from integration.domain.identifiers import Sku
from integration.messaging.publish import publish
from integration.policies import whenever
from ordering import commands, events
from ordering.policies.saga import lock_orders, lock_orders_and_buyers

# --- Contracts that ordering publishes ---


@whenever(events.OrderLinesCancellationRequested)
def publish_lines_cancellation_requested(event: events.OrderLinesCancellationRequested) -> None:
    if event.cancellation in commands.withdrawals_of(event.order):
        return  # `OrderWithdrawn` asks for it
    publish(
        contracts.ordering.OrderLinesCancellationRequested(
            order=event.order,
            cancellation=event.cancellation,
            lines=_units(event.quantities),
            reason=event.reason,
        )
    )


@whenever(events.OrderLinesCancelled)
def publish_lines_cancelled(event: events.OrderLinesCancelled) -> None:
    if not event.is_all:
        lines = _units(event.quantities)
        publish(
            contracts.ordering.OrderLinesCancelled(
                order=event.order,
                cancellation=event.cancellation,
                lines=lines,
                reason=event.reason,
                shipping_withheld=event.shipping_withheld,
            )
        )


@whenever(events.OrderHeld)
def publish_hold_requested(event: events.OrderHeld) -> None:
    if event.is_asked:
        publish(contracts.ordering.HoldRequested(order=event.order, hold=event.hold, reason=event.reason))


@whenever(events.OrderHoldLifted)
def publish_hold_lifted(event: events.OrderHoldLifted) -> None:
    if event.is_published:
        publish(contracts.ordering.HoldLifted(order=event.order, hold=event.hold))


def _units(quantities: Mapping[Sku, int]) -> tuple[OrderedUnits, ...]:
    return tuple(OrderedUnits(sku, quantity) for sku, quantity in quantities.items())


# --- Reactions to the contracts of fulfillment ---


@whenever(contracts.fulfillment.LinesStopped, name="ordering.cancel-stopped-lines", prepare=lock_orders_and_buyers)
def cancel_stopped_lines(event: contracts.fulfillment.LinesStopped) -> None:
    stopped = {line.sku: line.quantity for line in event.lines}
    commands.settle_lines_cancellation(event.order, event.cancellation, stopped)


@whenever(contracts.fulfillment.HoldActive, name="ordering.note-active-hold", prepare=lock_orders)
def note_active_hold(event: contracts.fulfillment.HoldActive) -> None:
    commands.settle_hold(event.order, event.hold, is_active=True)


@whenever(contracts.fulfillment.HoldTooLate, name="ordering.note-late-hold", prepare=lock_orders)
def note_late_hold(event: contracts.fulfillment.HoldTooLate) -> None:
    commands.settle_hold(event.order, event.hold, is_active=False)
