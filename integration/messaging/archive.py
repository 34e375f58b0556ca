"""Messages settled long ago move from the working tables to the archive table, one row per message, without loss.

A delivery is settled when it is done or skipped: no worker and no operator changes it again. A message that lacks a
delivery is never archived, because a missing delivery is an error that must stay visible.
"""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
from django.conf import settings
from django.db import connection, transaction
from django.db.models import OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce

from integration.domain import clock
from integration.messaging.models import ArchivedMessage, Delivery, Message, Status
from integration.messaging.routines import Routine, register
from integration.storage.row_locks import skipping_locked

BATCH = 500
"""Messages moved in one transaction. SQLite blocks all other writers for as long as one transaction lasts."""

NOT_ARCHIVED = ("message_id", "fencing_token", "parked_as", "uncharged_since", "fingerprint")
"""Columns of a delivery that its archived form leaves out. They mean nothing once the delivery is settled, and older
code that brings a message back would not know them."""

MOST_BATCHES = 40
"""Batches moved in one run; the next run continues."""


def archive_messages() -> None:
    """Archive old settled messages, at most `MOST_BATCHES` batches."""
    for _ in range(MOST_BATCHES):
        if not archive_batch(BATCH):
            break


# `register`, not `every`: `integration.policies`, which defines `every`, imports this package.
register(Routine("integration.archive-messages", timedelta(minutes=1), archive_messages))


def archive_batch(limit: int) -> int:
    """Move up to `limit` messages, oldest first, in one transaction and a fixed number of SQL statements.

    Any number of processes may call this at once: rows that another one is moving are skipped, not waited for.

    Returns:
        The number of messages moved.
    """
    with transaction.atomic():
        messages = list(skipping_locked(_settled_before(clock.now() - settings.ARCHIVE_AFTER))[:limit])
        deliveries = _facts_of_deliveries(messages)
        whole = [message for message in messages if len(deliveries[message.pk]) == message.addressed_to]
        if whole:
            ArchivedMessage.objects.bulk_create([_archived(message, deliveries[message.pk]) for message in whole])
            _delete(whole)
    return len(whole)


def bring_back(archived: Sequence[ArchivedMessage]) -> None:
    """Move messages and their deliveries back to the working tables.

    Args:
        archived: the rows to move; the caller has locked them and owns the transaction.
    """
    columns = [field.attname for field in Message._meta.concrete_fields]
    Message.objects.bulk_create([Message(**{name: getattr(each, name) for name in columns}) for each in archived])
    Delivery.objects.bulk_create(
        [Delivery(message_id=each.pk, **_from_facts(facts)) for each in archived for facts in each.deliveries]
    )
    ArchivedMessage.objects.filter(pk__in=[each.pk for each in archived])._raw_delete(using=connection.alias)


def _settled_before(moment: datetime) -> QuerySet[Message]:
    """Messages whose deliveries were all settled before `moment`; oldest first."""
    settled = Q(status=Status.DONE, done_at__lt=moment) | Q(status=Status.SKIPPED, skipped_at__lt=moment)
    unsettled = Delivery.objects.filter(message=OuterRef("pk")).exclude(settled)
    # Filter on the primary key too. It is a UUIDv7, which begins with a timestamp, so `occurred_at` needs no index.
    old = Message.objects.filter(occurred_at__lt=moment, pk__lt=first_key_of(moment))
    # A subquery, not EXISTS: PostgreSQL turns EXISTS into a join. With much to archive, each batch would then read all
    # settled deliveries. `< 1`, not `IS NULL`: the planner expects many rows to match `<` but very few to match
    # `IS NULL`. With so few it estimates a long search and JIT-compiles the query.
    first_unsettled = Coalesce(Subquery(unsettled.order_by().values("pk")[:1]), 0)
    return old.alias(first_unsettled=first_unsettled).filter(first_unsettled__lt=1).order_by("pk")


def first_key_of(moment: datetime) -> UUID:
    """The smallest UUIDv7 of this moment; every key made earlier sorts before it. Source: RFC 9562, section 5.7."""
    return UUID(int=int(moment.timestamp() * 1000) << 80)


def _facts_of_deliveries(messages: list[Message]) -> dict[UUID, list[dict[str, Any]]]:
    facts: dict[UUID, list[dict[str, Any]]] = defaultdict(list)
    for delivery in Delivery.objects.filter(message__in=[message.pk for message in messages]).order_by("pk"):
        facts[delivery.message_id].append(_facts(delivery))
    return facts


def _archived(message: Message, deliveries: list[dict[str, Any]]) -> ArchivedMessage:
    return ArchivedMessage(
        **{field.attname: getattr(message, field.attname) for field in Message._meta.concrete_fields},
        deliveries=deliveries,
        archived_at=clock.now(),
    )


def _facts(delivery: Delivery) -> dict[str, Any]:
    """All columns of a delivery except `NOT_ARCHIVED`, as JSON values; timestamps keep their microseconds."""
    columns = [field.attname for field in Delivery._meta.concrete_fields if field.attname not in NOT_ARCHIVED]
    return msgspec.to_builtins({column: getattr(delivery, column) for column in columns})


def _from_facts(facts: dict[str, Any]) -> dict[str, Any]:
    """The column values that `_facts` was given; the inverse of `_facts`."""
    fields = {field.attname: field for field in Delivery._meta.concrete_fields}
    return {name: fields[name].to_python(value) for name, value in facts.items()}


def _delete(messages: list[Message]) -> None:
    keys = [message.pk for message in messages]
    # Raw delete: Django's own would first read the rows, then delete them by the hundred.
    Delivery.objects.filter(message__in=keys)._raw_delete(using=connection.alias)
    Message.objects.filter(pk__in=keys)._raw_delete(using=connection.alias)
