"""What was settled long ago leaves the tables that work is done in, as one row of the archive, and nothing is lost.

Settled is done or skipped: no worker and no operator touches such a delivery again. A message to which a delivery is
missing stays where it is, for that is an error that must not be put away.
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

BATCH = 500
"""As many messages are moved in one transaction: SQLite lets nobody else write for so long."""

MOST_BATCHES = 40
"""As many batches are moved in one run; the next run goes on."""


def archive_messages() -> None:
    """Move what is to be archived, a bounded number of batches."""
    for _ in range(MOST_BATCHES):
        if not archive_batch(BATCH):
            break


# Not `every`: policies lie above the way between contexts.
register(Routine("integration.archive-messages", timedelta(minutes=1), archive_messages))


def archive_batch(limit: int) -> int:
    """Move up to `limit` messages, oldest first, in one transaction and a number of statements that never grows.

    Returns:
        How many were moved. Any number of these may run at once: none waits for what another is moving.
    """
    with transaction.atomic():
        messages = list(_unclaimed(_settled_before(clock.now() - settings.ARCHIVE_AFTER))[:limit])
        deliveries = _facts_of_deliveries(messages)
        whole = [message for message in messages if len(deliveries[message.pk]) == message.addressed_to]
        if whole:
            ArchivedMessage.objects.bulk_create([_archived(message, deliveries[message.pk]) for message in whole])
            _delete(whole)
    return len(whole)


def bring_back(archived: Sequence[ArchivedMessage]) -> None:
    """Put messages back where they came from, with their deliveries; in the transaction of whoever has locked them."""
    columns = [field.attname for field in Message._meta.concrete_fields]
    Message.objects.bulk_create([Message(**{name: getattr(each, name) for name in columns}) for each in archived])
    Delivery.objects.bulk_create(
        [Delivery(message_id=each.pk, **_from_facts(facts)) for each in archived for facts in each.deliveries]
    )
    ArchivedMessage.objects.filter(pk__in=[each.pk for each in archived])._raw_delete(using=connection.alias)


def _settled_before(moment: datetime) -> QuerySet[Message]:
    """The messages none of whose deliveries is unsettled or was settled only since the moment; oldest first."""
    settled = Q(status=Status.DONE, done_at__lt=moment) | Q(status=Status.SKIPPED, skipped_at__lt=moment)
    unsettled = Delivery.objects.filter(message=OuterRef("pk")).exclude(settled)
    # By the key too, which is a UUIDv7 and so begins with its moment: it has an index, and `occurred_at` needs none.
    old = Message.objects.filter(occurred_at__lt=moment, pk__lt=_first_key_of(moment))
    # Not EXISTS, which PostgreSQL turns into a join: with much to archive, each batch would read all that is settled.
    # And `<`, of which it expects many, not `IS NULL`, of which it expects so few that it compiles the search.
    first_unsettled = Coalesce(Subquery(unsettled.order_by().values("pk")[:1]), 0)
    return old.alias(first_unsettled=first_unsettled).filter(first_unsettled__lt=1).order_by("pk")


def _unclaimed(messages: QuerySet[Message]) -> QuerySet[Message]:
    return messages.select_for_update(skip_locked=connection.features.has_select_for_update_skip_locked)


def _first_key_of(moment: datetime) -> UUID:
    """What no key made before the moment comes after. Source: RFC 9562, section 5.7."""
    return UUID(int=int(moment.timestamp() * 1000) << 80)


def _facts_of_deliveries(messages: list[Message]) -> dict[UUID, list[dict[str, Any]]]:
    facts: dict[UUID, list[dict[str, Any]]] = defaultdict(list)
    for delivery in Delivery.objects.filter(message__in=[message.pk for message in messages]).order_by("pk"):
        facts[delivery.message_id].append(_facts(delivery, but="message_id"))
    return facts


def _archived(message: Message, deliveries: list[dict[str, Any]]) -> ArchivedMessage:
    return ArchivedMessage(
        **{field.attname: getattr(message, field.attname) for field in Message._meta.concrete_fields},
        deliveries=deliveries,
        archived_at=clock.now(),
    )


def _facts(delivery: Delivery, but: str) -> dict[str, Any]:
    """Every column but one, as JSON can hold it: a moment with all its microseconds."""
    columns = [field.attname for field in Delivery._meta.concrete_fields if field.attname != but]
    return msgspec.to_builtins({column: getattr(delivery, column) for column in columns})


def _from_facts(facts: dict[str, Any]) -> dict[str, Any]:
    """What `_facts` was made from."""
    fields = {field.attname: field for field in Delivery._meta.concrete_fields}
    return {name: fields[name].to_python(value) for name, value in facts.items()}


def _delete(messages: list[Message]) -> None:
    keys = [message.pk for message in messages]
    # Raw, for Django's own would read what is deleted and delete it by the hundred.
    Delivery.objects.filter(message__in=keys)._raw_delete(using=connection.alias)
    Message.objects.filter(pk__in=keys)._raw_delete(using=connection.alias)
