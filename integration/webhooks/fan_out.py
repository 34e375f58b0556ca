"""The fan-out: each message of the feed gets one row for each endpoint that wants it, in the order of the feed.

The feed misses no message, however late its transaction commits, and has the events of an order in their order. So the
fan-out only remembers a number. Publishing a message costs the same whether there are endpoints or not. One process at
a time shares messages out; the rows and the number change in one transaction.
"""

from collections.abc import Collection, Sequence
from uuid import UUID

from django.db import transaction

from integration.messaging.feed import MOST_EVENTS, read_messages
from integration.messaging.models import ArchivedMessage, Message, Published
from integration.storage.row_locks import skipping_locked
from integration.webhooks.models import EndpointDelivery, EndpointStatus, SharedOut, WebhookEndpoint

MOST_ROWS = 5_000
"""About how many rows one transaction writes."""

KEYS = ("order", "sku")
"""Fields that messages are ordered by; the first one that a message has is used."""


def fan_out() -> int:
    """Share out all new messages; returns how many. Does nothing while another process does it."""
    done = 0
    while shared := _share_some():
        done += shared
    return done


def messages_of(ids: Collection[UUID]) -> dict[UUID, Published]:
    """Messages by id, from the working table or the archive."""
    found: dict[UUID, Published] = {message.id: message for message in Message.objects.filter(pk__in=ids)}
    if missing := [id for id in ids if id not in found]:
        found |= {message.id: message for message in ArchivedMessage.objects.filter(pk__in=missing)}
    return found


def new_rows(messages: Sequence[Published], endpoints: Sequence[WebhookEndpoint]) -> list[EndpointDelivery]:
    """The unsaved rows of messages for the endpoints that want them, in the order of the messages."""
    return [
        EndpointDelivery(
            endpoint=endpoint,
            message_id=message.id,
            name=message.name,
            key=key_of(message),
            correlation_id=message.correlation_id,
        )
        for message in messages
        for endpoint in endpoints
        if endpoint.wants(message.name)
    ]


def key_of(message: Published) -> str | None:
    """What a message is ordered by: its order's number, or a SKU; None if it has neither."""
    return next((str(message.data[field])[:64] for field in KEYS if message.data.get(field)), None)


def _share_some() -> int:
    with transaction.atomic():
        shared_out = skipping_locked(SharedOut.objects.all()).first()
        endpoints = list(WebhookEndpoint.objects.filter(status=EndpointStatus.ENABLED).order_by("pk"))
        if shared_out is None or not endpoints:
            return 0
        after = max(shared_out.number, min(endpoint.after for endpoint in endpoints))
        found, until = read_messages(after, min(MOST_EVENTS, max(1, MOST_ROWS // len(endpoints))))
        rows = [row for number, message in found for row in new_rows([message], _owed(endpoints, number))]
        # A message that was replayed has its row already.
        EndpointDelivery.objects.bulk_create(rows, batch_size=1_000, ignore_conflicts=True)
        if until > shared_out.number:
            SharedOut.objects.filter(pk=shared_out.pk).update(number=until)
    return len(found)


def _owed(endpoints: Sequence[WebhookEndpoint], number: int) -> list[WebhookEndpoint]:
    return [endpoint for endpoint in endpoints if endpoint.after < number]
