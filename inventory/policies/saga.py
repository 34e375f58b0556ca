"""Inventory's part of the order process: reserve, commit, free and ship the goods of orders."""

from collections.abc import Sequence

from integration import contracts
from integration.messaging.publish import publish
from integration.policies import whenever
from inventory import commands, events
from inventory.events import ReservedLine

# --- Contracts that inventory publishes ---


@whenever(events.GoodsReserved)
def publish_stock_reserved(event: events.GoodsReserved) -> None:
    publish(contracts.inventory.StockReserved(order=event.order))


@whenever(events.ReservationRefused)
def publish_stock_reservation_failed(event: events.ReservationRefused) -> None:
    publish(contracts.inventory.StockReservationFailed(order=event.order, shortages=event.shortages))


# --- Reactions to the contracts of other contexts ---


def lock_ordered_stock(placed: Sequence[contracts.ordering.OrderPlaced]) -> None:
    """Lock the reservations and the stock of a batch in key order, so that two batches cannot deadlock."""
    commands.lock_stock([event.order for event in placed], {line.sku for event in placed for line in event.lines})


def lock_reservations(confirmed: Sequence[contracts.ordering.OrderConfirmed]) -> None:
    """Lock the reservations of a batch in key order, with one query instead of one per event."""
    commands.lock_reservations([event.order for event in confirmed])


def lock_reserved_stock(
    batch: Sequence[
        contracts.ordering.OrderCancelled
        | contracts.ordering.OrderLinesCancelled
        | contracts.fulfillment.ShipmentDispatched
    ],
) -> None:
    """Lock the reservations and the stock of a batch in key order, so that two batches cannot deadlock."""
    commands.lock_reserved_stock({event.order for event in batch})


def lock_listed_stock(listed: Sequence[contracts.ordering.ProductListed]) -> None:
    """Lock the stock of a whole batch at once, so that two batches never wait for each other."""
    commands.lock_stock([], {event.sku for event in listed})


@whenever(contracts.ordering.ProductListed, name="inventory.open-stock-item", prepare=lock_listed_stock)
def open_stock_item(event: contracts.ordering.ProductListed) -> None:
    commands.open_stock_item(event.sku)


@whenever(contracts.ordering.OrderPlaced, name="inventory.reserve-stock", prepare=lock_ordered_stock)
def reserve_stock_for_order(event: contracts.ordering.OrderPlaced) -> None:
    commands.reserve_stock(event.order, [ReservedLine(line.sku, line.quantity) for line in event.lines])


@whenever(contracts.ordering.OrderConfirmed, name="inventory.commit-reservation", prepare=lock_reservations)
def commit_reservation(event: contracts.ordering.OrderConfirmed) -> None:
    commands.commit_reservation(event.order)


@whenever(contracts.ordering.OrderCancelled, name="inventory.release-reservation", prepare=lock_reserved_stock)
def release_reservation(event: contracts.ordering.OrderCancelled) -> None:
    commands.release_reservation(event.order, event.reason)


@whenever(contracts.ordering.OrderLinesCancelled, name="inventory.release-lines", prepare=lock_reserved_stock)
def release_lines(event: contracts.ordering.OrderLinesCancelled) -> None:
    commands.release_lines(
        event.order, event.cancellation, [ReservedLine(line.sku, line.quantity) for line in event.lines]
    )


@whenever(contracts.fulfillment.ShipmentDispatched, name="inventory.take-off-the-shelf", prepare=lock_reserved_stock)
def ship_reservation(event: contracts.fulfillment.ShipmentDispatched) -> None:
    commands.ship_reservation(
        event.order, event.shipment, [ReservedLine(line.sku, line.quantity) for line in event.lines]
    )
