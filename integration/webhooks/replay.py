"""Replaying: what was published in a range of time is sent again, under the same ids."""

from datetime import datetime
from uuid import UUID

from django.db import transaction

from integration.domain import clock
from integration.domain.errors import Unacceptable
from integration.messaging.models import ArchivedMessage, Message, Published
from integration.webhooks.endpoints import locked
from integration.webhooks.fan_out import new_rows
from integration.webhooks.models import DeliveryStatus, EndpointDelivery

MOST = 10_000
"""Messages of one replay."""


class TooManyMessages(Unacceptable):
    """The range contains too many messages: replay shorter ones."""


def replay(id: UUID, since: datetime, until: datetime | None = None) -> int:
    """Send the messages of a range to an endpoint, as far as it wants them, whether it had them or not.

    Rows that are pending are due at once and begin their schedule anew.

    Args:
        id: the endpoint.
        since: the first moment of the range.
        until: the moment after the range; by default now.

    Returns:
        The number of messages.

    Raises:
        NoSuchEndpoint: there is none with this id.
        TooManyMessages: the range contains more than `MOST` messages.
    """
    now = clock.now()
    with transaction.atomic():
        endpoint = locked(id)
        messages: list[Published] = []
        for kind in (ArchivedMessage, Message):
            found = kind._default_manager.filter(occurred_at__gte=since, occurred_at__lt=until or now).order_by("pk")
            wanted = found.defer("deliveries") if kind is ArchivedMessage else found
            messages += [message for message in wanted[: MOST + 1] if endpoint.wants(message.name)]
        if len(messages) > MOST:
            raise TooManyMessages(pointer="/since")
        rows = {row.message_id: row for row in new_rows(messages, [endpoint])}
        again = EndpointDelivery.objects.filter(endpoint=endpoint, message_id__in=rows, in_flight=False)
        had = {
            *EndpointDelivery.objects.filter(endpoint=endpoint, message_id__in=rows).values_list(
                "message_id", flat=True
            )
        }
        again.update(status=DeliveryStatus.PENDING, attempts=0, due_at=now, settled_at=None)
        EndpointDelivery.objects.bulk_create([row for id, row in rows.items() if id not in had], ignore_conflicts=True)
    return len(rows)
