"""Messages that are ill: malformed ones on every queue, and a million deliveries that no build can read."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Thread
from typing import Any

import kombu

from tests.chaos.outages.shop import Shop
from tests.chaos.outages.table import Table
from tests.system.malformed import send_malformed
from tests.system.running_system import ROOT, System, eventually
from tests.system.unreadable import ACTOR, COUNT_PARKED, IS_IN_FRONT, LONG_DUE, REMOVE, making

TABLE = Table("messages")
MANY = 1_000_000
SKU = "CHAOS-MUG"
STARTS_WITHIN = 1.0
"""Seconds from the publication of an order until its first reaction is done."""
ALL_PARKED_WITHIN = 600.0
STARTED = f"""
    SELECT CAST(max(extract(epoch FROM coalesce(delivery.done_at, now()) - message.occurred_at)) AS float)
    FROM integration_delivery AS delivery JOIN integration_message AS message ON message.id = delivery.message_id
    WHERE delivery.consumer = 'inventory.reserve-stock' AND message.actor <> '{ACTOR}' AND message.occurred_at > '{{}}'
"""  # noqa: S608 - a constant


@TABLE.row(brokers=("redis", "rabbitmq"), short=True)
def malformed(shop: Shop) -> Iterator[None]:
    """Malformed envelopes and bodies of every JSON type arrive on every queue."""
    with _arriving_on_every_queue(shop):
        yield


@contextmanager
def _arriving_on_every_queue(shop: Shop) -> Iterator[None]:
    """Send malformed messages straight to the broker, again and again."""
    prefix, over = shop.system.environment["QUEUE_PREFIX"], Event()
    queues = [f"{prefix}.{context}" for context in ("integration", "ordering", "inventory", "billing", "fulfillment")]
    sent = 0

    def send() -> None:
        nonlocal sent
        with kombu.Connection(shop.broker.server.url) as connection:
            while not over.wait(0.5):
                sent += send_malformed(connection.default_channel, queues)

    thread = Thread(target=send)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
    shop.outcome.n["malformed messages"] = sent
    shop.outcome.require(sent > 0, "no malformed message was sent")


@TABLE.row(lasts=20.0)
def parked(shop: Shop) -> Iterator[None]:
    """A million deliveries that no build can read are due in front, are looked at, and are made due again."""
    try:
        shop.outcome.n |= obstruct(shop.system, MANY)
        yield
    finally:
        shop.system.execute(*REMOVE)
    slowest = shop.outcome.n["slowest start s"]
    shop.outcome.require(slowest <= STARTS_WITHIN, f"an order started after {slowest} s")


def obstruct(system: System, many: int) -> dict[str, Any]:
    """Make so many deliveries due that no build can read, and place orders until all are parked; then make them due
    again as an operator does, and place orders until all are parked again.

    Returns:
        Figures: how many there were, how long it took to park them, and how long an order took to start at most.
    """
    began = system.read("SELECT now()")[0][0]
    parking = 0.0
    system.execute(*making(many, is_postgresql=True))
    for is_again in (False, True):
        if is_again:
            system.run(ROOT, "deliveries", "replay", "--status", "pending")
        since = time.monotonic()
        _order_until_parked(system, many)
        parking = max(parking, time.monotonic() - since)
    slowest = system.read(STARTED.format(began))[0][0]
    return {"parked": many, "parked within s": round(parking, 1), "slowest start s": round(slowest, 2)}


def _order_until_parked(system: System, many: int) -> None:
    buyer, since = system.visitor.log_in("buyer", "buyer"), time.monotonic()

    def order() -> bool:
        buyer.place({SKU: 1})
        time.sleep(0.1)
        return time.monotonic() - since < LONG_DUE + 1 or system.read(IS_IN_FRONT)[0][0]

    eventually(order, lambda is_in_front: not is_in_front, "nothing in front", ALL_PARKED_WITHIN)
    # A delivery whose worker met a deadlock with the replay is tried again a little later.
    eventually(lambda: system.read(COUNT_PARKED)[0][0], lambda parked: parked == many, "all parked", ALL_PARKED_WITHIN)
