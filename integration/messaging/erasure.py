"""An error text may quote personal data. When a buyer is erased, errors and tracebacks of their stories are blanked.

The fact of a failure, its number of attempts and its time remain. So does the reason that an operator gave for
skipping.
"""

from collections.abc import Collection, Iterator
from typing import Any
from uuid import UUID

from django.db.models import Q

from integration.messaging.models import PARKED, ArchivedMessage, Delivery

ERASED = "Erased, with all that was personal of its story."
"""The text that replaces an error; a delivery that failed still shows that it failed."""

AT_ONCE = 500


def forget_errors(stories: Collection[UUID]) -> None:
    """Blank the errors and tracebacks of all deliveries of these stories, including archived ones.

    Args:
        stories: correlation ids.
    """
    quoting = Delivery.objects.filter(message__correlation_id__in=stories).exclude(PARKED)
    quoting.exclude(Q(error="") | Q(error=ERASED), traceback="").order_by().update(error=ERASED, traceback="")
    archived = list(_blanked(stories))
    ArchivedMessage.objects.bulk_update(archived, ["deliveries"], batch_size=AT_ONCE)


def _blanked(stories: Collection[UUID]) -> Iterator[ArchivedMessage]:
    archived = ArchivedMessage.objects.filter(correlation_id__in=stories).only("id", "deliveries").order_by()
    for message in archived.iterator(chunk_size=AT_ONCE):
        blanked = [_blank(delivery) for delivery in message.deliveries]
        if blanked != message.deliveries:
            message.deliveries = blanked
            yield message


def _blank(delivery: dict[str, Any]) -> dict[str, Any]:
    failed = delivery["error"] or delivery["traceback"]
    return {**delivery, "error": ERASED, "traceback": ""} if failed else delivery
