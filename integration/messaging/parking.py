"""Parking: a delivery that this code cannot read waits, without a due time, for code that can.

What a build must know to read a delivery is the delivery's *kind*: its consumer, contract and version. The kind is
stored with a parked delivery, and an index finds the kinds. So a look at a million parked deliveries is one lookup for
each kind, and reads no delivery that stays parked.

A delivery that becomes readable goes to the background: however many there are, what is due goes first.

Many unreadable deliveries may be due before a worker has parked them: older code parks for a minute only, and newer
code may publish many at once. A worker that meets them parks those in front together. Meanwhile it claims the newest
deliveries first, so that new work does not wait until all are parked.
"""

import logging
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta
from typing import NamedTuple
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet

from integration.contracts.contract import IntegrationEvent, contracts
from integration.domain import clock
from integration.domain.naming import UnknownName
from integration.domain.versions import require_known
from integration.messaging.claim import Claim, is_waiting
from integration.messaging.consumers import consumers
from integration.messaging.models import PARKED_BECAUSE, Delivery, Message, Status
from integration.messaging.outcomes import RESCHEDULED, claimed
from integration.messaging.routines import Routine, register
from integration.messaging.wakeups import DeliveryQueue, wake
from integration.storage.row_locks import read_in_index_order, skipping_locked

log = logging.getLogger(__name__)

AT_ONCE = 2_000
"""Deliveries parked, or made readable again, in one transaction. On SQLite all other writers wait for it."""

LONGEST_PARKING = 0.1
"""Seconds after which a worker that parks what is in front makes way for other work."""

LONGEST_LOOK = 0.5
"""Seconds after which a look at what is parked ends; the next one continues."""

Readable = tuple[Delivery, IntegrationEvent]
"""A delivery whose event this code can read, with that event."""

obstructed: set[DeliveryQueue] = set()
"""The delivery queues in which this process has met unreadable deliveries, and may meet more."""


class Kind(NamedTuple):
    """What a build must know to read a delivery."""

    consumer: str
    contract: str
    version: int

    def __str__(self) -> str:
        return f"{self.consumer} {self.contract} {self.version}"

    @property
    def unreadable_because(self) -> str:
        """Why this code cannot read deliveries of this kind; empty if it can."""
        try:
            consumers.get(self.consumer)
            require_known(contracts.get(self.contract), self.version)
        except UnknownName as error:
            return str(error)
        return ""


def readable(claims: Sequence[Claim], deliveries: Iterable[Delivery]) -> list[Readable]:
    """The deliveries whose events this code can read, with those events; the others are parked."""
    readable, unknown = [], []
    for delivery in deliveries:
        try:
            readable.append((delivery, delivery.message.event))
        except UnknownName as error:
            unknown.append((delivery, str(error)))
    park(unknown, claims)
    return readable


def park(unknown: Sequence[tuple[Delivery, str]], claims: Sequence[Claim]) -> None:
    """Park claimed deliveries that this code does not know, without using up an attempt; one statement.

    Args:
        unknown: each delivery with the reason, which is stored as its error.
        claims: the claims that the deliveries belong to.
    """
    for delivery, reason in unknown:
        message = delivery.message
        delivery.attempts -= 1
        delivery.due_at, delivery.in_flight = None, False
        delivery.parked_as = str(Kind(delivery.consumer, message.name, message.version))
        delivery.error, delivery.traceback = f"{PARKED_BECAUSE}{reason}", ""
        obstructed.add(DeliveryQueue(delivery.context, delivery.external))
    if unknown:
        log.warning("%s deliveries are parked, the first of them because %s", len(unknown), unknown[0][1])
        deliveries = [delivery for delivery, _ in unknown]
        claimed(claims).order_by().bulk_update(deliveries, [*RESCHEDULED, "parked_as"])


# --- What is in front ---


def is_obstructed(delivery_queue: DeliveryQueue) -> bool:
    """Whether unreadable deliveries may be in front of the others in this delivery queue."""
    return delivery_queue in obstructed


def park_in_front(delivery_queue: DeliveryQueue) -> None:
    """Park unreadable deliveries at the front of an obstructed delivery queue, for a short time.

    The delivery queue is not obstructed any more once a readable delivery is in front, or none.
    """
    began = clock.stopwatch()
    while delivery_queue in obstructed:
        if _park_first(delivery_queue) < AT_ONCE:
            obstructed.discard(delivery_queue)
        elif clock.stopwatch() - began > LONGEST_PARKING:
            return


def _park_first(delivery_queue: DeliveryQueue) -> int:
    """Park the unreadable ones among the first `AT_ONCE` waiting deliveries, in one transaction; returns their
    number."""
    parked = 0
    with transaction.atomic():
        read_in_index_order()
        waiting = skipping_locked(Delivery.objects.filter(is_waiting(delivery_queue))).order_by("due_at", "pk")
        first = list(waiting.values_list("pk", "consumer", "message_id")[:AT_ONCE])
        for kind, keys in _by_kind(first).items():
            if reason := kind.unreadable_because:
                unreadable = Delivery.objects.filter(pk__in=keys).order_by()
                unreadable.update(due_at=None, parked_as=str(kind), error=f"{PARKED_BECAUSE}{reason}", traceback="")
                log.warning("%s deliveries are parked: %s", len(keys), reason)
                parked += len(keys)
    return parked


def _by_kind(rows: Sequence[tuple[int, str, UUID]]) -> dict[Kind, list[int]]:
    """The ids of deliveries by kind; takes the id, the consumer and the id of the message of each.

    The messages are read by their keys, not in a join: with many new rows PostgreSQL may plan that as a whole scan.
    """
    of_messages = Message.objects.filter(pk__in=[message for _, _, message in rows]).order_by()
    versions = {pk: (name, version) for pk, name, version in of_messages.values_list("pk", "name", "version")}
    by_kind: dict[Kind, list[int]] = defaultdict(list)
    for pk, consumer, message in rows:
        by_kind[Kind(consumer, *versions[message])].append(pk)
    return by_kind


# --- What can be read again ---


def unpark_readable() -> None:
    """Move parked deliveries that this code can read to the background, for a short time."""
    began = clock.stopwatch()
    for kind in parked_kinds():
        while not kind.unreadable_because and _unpark_some(kind) == AT_ONCE:
            if clock.stopwatch() - began > LONGEST_LOOK:
                return


# `register`, not `every`: `integration.policies`, which defines `every`, imports this package.
register(Routine("integration.unpark-deliveries", timedelta(seconds=10), unpark_readable))


def parked_kinds() -> Iterator[Kind]:
    """The kinds of all parked deliveries; one query for each, which reads one entry of the index."""
    kind = ""
    while found := _parked().filter(parked_as__gt=kind).order_by("parked_as").values_list("parked_as", flat=True)[:1]:
        kind = str(found[0])
        consumer, contract, version = kind.rsplit(" ", 2)
        yield Kind(consumer, contract, int(version))


def _unpark_some(kind: Kind) -> int:
    """Move up to `AT_ONCE` deliveries of a kind to the background, and wake workers for them; returns their number."""
    with transaction.atomic():
        read_in_index_order()
        parked = skipping_locked(_parked().filter(parked_as=str(kind))).order_by("context", "external", "pk")
        rows = list(parked.values_list("pk", "context", "external")[:AT_ONCE])
        Delivery.objects.filter(pk__in=[pk for pk, *_ in rows]).order_by().update(parked_as=None)
    if rows:
        log.info("%s deliveries can be read again: %s", len(rows), kind)
        wake({DeliveryQueue(context, external) for _, context, external in rows})
    return len(rows)


def _parked() -> QuerySet[Delivery]:
    return Delivery.objects.filter(status=Status.PENDING, due_at=None, parked_as__isnull=False)
