"""A new consumer can be given past messages: a delivery of each message of its contract that it has not had.

These are ordinary deliveries in the background: workers handle them when nothing else is due in their delivery queue.
Failures are retried, and after the last attempt they become dead letters. A message has at most one delivery for each
consumer, so a second run adds nothing. An archived message returns to the working tables with its old deliveries. It is
archived again once the new delivery has been settled for long enough.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from django.db import connection, transaction
from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.db.models.expressions import RawSQL

from integration.messaging.archive import bring_back
from integration.messaging.consumers import Consumer
from integration.messaging.models import ArchivedMessage, Delivery, Message, Status
from integration.messaging.wakeups import DeliveryQueue, wake
from integration.storage.outages import repeated_after_outages

BATCH = 500
"""Messages that get a new delivery in one transaction."""


class Past(NamedTuple):
    """The messages that a consumer has not had: their number, and how many of those are archived."""

    messages: int
    archived: int


class Batch(NamedTuple):
    """Messages that were found without a delivery, and deliveries given; another run may have given the others."""

    found: int
    given: int


@repeated_after_outages
def missed(consumer: Consumer, since: datetime, until: datetime | None = None) -> Past:
    """Count the messages that `give_past` would give to the consumer."""
    archived = _missed_archived(consumer, since, until).count()
    return Past(_missed_live(consumer, since, until).count() + archived, archived)


def give_past(
    consumer: Consumer,
    since: datetime,
    until: datetime | None = None,
    on_progress: Callable[[int], None] = lambda given: None,
) -> int:
    """Give the consumer a delivery of every message of its contract that it has not had, oldest first.

    Args:
        since: only messages published at this moment or later.
        until: only messages published before this moment; without it, all up to the newest.
        on_progress: called after each batch with the number given so far. It may block, so that deliveries do not pile
            up.

    Returns:
        The number of deliveries given.
    """
    given = 0
    # The archive comes again last: it may hold messages that were archived during this run.
    for give in (_give_archived, _give_live, _give_archived):
        while (batch := give(consumer, since, until)).found:
            given += batch.given
            if batch.given:
                on_progress(given)
    return given


@repeated_after_outages
def waiting(consumer: Consumer) -> int:
    """The number of pending deliveries of the consumer, without parked ones."""
    return Delivery.objects.filter(consumer=consumer.name, status=Status.PENDING, parked_as=None).count()


@repeated_after_outages
def _give_live(consumer: Consumer, since: datetime, until: datetime | None) -> Batch:
    with transaction.atomic():
        missed = _missed_live(consumer, since, until).select_for_update().order_by("pk")
        return _give(consumer, list(missed.values_list("pk", flat=True)[:BATCH]))


@repeated_after_outages
def _give_archived(consumer: Consumer, since: datetime, until: datetime | None) -> Batch:
    with transaction.atomic():
        archived = list(_missed_archived(consumer, since, until).select_for_update().order_by("pk")[:BATCH])
        bring_back(archived)
        return _give(consumer, [message.pk for message in archived])


def _give(consumer: Consumer, locked: Sequence[UUID]) -> Batch:
    """Create a delivery for each of these messages, unless another process did while this one waited for the lock."""
    had = set(Delivery.objects.filter(consumer=consumer.name, message__in=locked).values_list("message_id", flat=True))
    missing = [key for key in locked if key not in had]
    Delivery.objects.bulk_create(
        [
            Delivery(
                message_id=key,
                consumer=consumer.name,
                context=consumer.context,
                external=consumer.external,
                due_at=None,
            )
            for key in missing
        ]
    )
    Message.objects.filter(pk__in=missing).update(addressed_to=F("addressed_to") + 1)
    delivery_queue = DeliveryQueue(consumer.context, consumer.external)
    if missing:
        transaction.on_commit(lambda: wake([delivery_queue]), robust=True)
    return Batch(len(locked), len(missing))


def _missed_live(consumer: Consumer, since: datetime, until: datetime | None) -> QuerySet[Message]:
    had = Delivery.objects.filter(message=OuterRef("pk"), consumer=consumer.name)
    return Message.objects.filter(_of_its_contract(consumer, since, until), ~Exists(had))


def _missed_archived(consumer: Consumer, since: datetime, until: datetime | None) -> QuerySet[ArchivedMessage]:
    had = (
        "EXISTS (SELECT 1 FROM jsonb_array_elements(deliveries) AS had WHERE had ->> 'consumer' = %s)"
        if connection.vendor == "postgresql"
        else "EXISTS (SELECT 1 FROM json_each(deliveries) AS had WHERE json_extract(had.value, '$.consumer') = %s)"
    )
    messages = ArchivedMessage.objects.filter(_of_its_contract(consumer, since, until))
    had_it: Any = RawSQL(had, [consumer.name])  # noqa: S611 - a constant; its parameter is passed
    return messages.alias(had_it=had_it).filter(had_it=False)


def _of_its_contract(consumer: Consumer, since: datetime, until: datetime | None) -> Q:
    of_contract = Q(name=consumer.listens_to.wire_name, occurred_at__gte=since)
    return of_contract & Q(occurred_at__lt=until) if until else of_contract
