"""Fulfillment stops the units that were cancelled, as far as they have not left, and holds goods back."""

from collections.abc import Mapping, Sequence

from fulfillment import commands, events
from integration import contracts
from integration.contracts.fulfillment import PackedLine
from integration.domain.identifiers import Sku
from integration.messaging.publish import publish
from integration.policies import whenever


@whenever(events.GoodsStopped)
def publish_lines_stopped(event: events.GoodsStopped) -> None:
    stopped, gone = _packed(event.quantities), _packed(event.gone)
    publish(
        contracts.fulfillment.LinesStopped(order=event.order, cancellation=event.cancellation, lines=stopped, gone=gone)
    )


@whenever(events.GoodsHeld)
def publish_hold_active(event: events.GoodsHeld) -> None:
    publish(contracts.fulfillment.HoldActive(order=event.order, hold=event.hold))


@whenever(events.HoldRefused)
def publish_hold_too_late(event: events.HoldRefused) -> None:
    publish(contracts.fulfillment.HoldTooLate(order=event.order, hold=event.hold))


def _packed(quantities: Mapping[Sku, int]) -> tuple[PackedLine, ...]:
    return tuple(PackedLine(sku, quantity) for sku, quantity in quantities.items())


def lock_goods(
    about: Sequence[
        contracts.ordering.OrderLinesCancellationRequested
        | contracts.ordering.HoldRequested
        | contracts.ordering.HoldLifted
    ],
) -> None:
    """Lock the first shipments and the goods of a batch of events, before the first of them is handled."""
    commands.lock_goods([event.order for event in about])


@whenever(contracts.ordering.OrderLinesCancellationRequested, name="fulfillment.stop-lines", prepare=lock_goods)
def stop_lines(event: contracts.ordering.OrderLinesCancellationRequested) -> None:
    commands.stop_lines(event.order, event.cancellation, {line.sku: line.quantity for line in event.lines})


@whenever(contracts.ordering.HoldRequested, name="fulfillment.hold-goods", prepare=lock_goods)
def hold_goods(event: contracts.ordering.HoldRequested) -> None:
    commands.hold_goods(event.order, event.hold, event.reason)


@whenever(contracts.ordering.HoldLifted, name="fulfillment.lift-hold", prepare=lock_goods)
def lift_hold(event: contracts.ordering.HoldLifted) -> None:
    commands.lift_hold(event.order, event.hold)
