"""An error text may quote personal data. When a buyer is erased, errors and tracebacks of their stories are blanked.

The fact of a failure, its number of attempts and its time remain. So does the reason that an operator gave for
skipping.

A message may move between the working tables and the archive meanwhile, and a worker may be handling its deliveries. So
the rows are locked first, in this order: messages, archived messages, deliveries. A worker locks a delivery before it
locks aggregates, so erasing does the same.
"""

from collections.abc import Collection, Iterator
from itertools import chain
from typing import Any
from uuid import UUID

from django.db.models import Q

from integration.messaging.models import PARKED, ArchivedMessage, Delivery, Message
from integration.storage.pages import PAGE, pages

ERASED = "Erased, with all that was personal of its story."
"""The text that replaces an error; a delivery that failed still shows that it failed."""


def forget_errors(stories: Collection[UUID]) -> None:
    """Blank the errors and tracebacks of all deliveries of these stories, including archived ones.

    All their messages and deliveries stay locked until the transaction ends. Call this before aggregates are locked,
    otherwise a worker that handles one of the deliveries may wait for an aggregate in a deadlock.

    Args:
        stories: correlation ids.
    """
    _lock(stories)
    quoting = Delivery.objects.filter(message__correlation_id__in=stories).exclude(PARKED)
    quoting.exclude(Q(error="") | Q(error=ERASED), traceback="").order_by().update(error=ERASED, traceback="")
    archived = list(_blanked(stories))
    ArchivedMessage.objects.bulk_update(archived, ["deliveries"], batch_size=PAGE)


def _lock(stories: Collection[UUID]) -> None:
    """Lock the messages of these stories where they are, and their deliveries.

    A message that moved while this waited for a lock is looked for again, in the other table.
    """
    live = _locked(Message, stories)
    while True:
        _locked(ArchivedMessage, stories)
        again = _locked(Message, stories)
        if again == live:
            break
        live = again
    deliveries = Delivery.objects.filter(message__in=live).order_by("pk")
    list(deliveries.select_for_update(no_key=True).values_list("pk", flat=True))


def _locked(kind: type[Message | ArchivedMessage], stories: Collection[UUID]) -> set[UUID]:
    rows = kind._default_manager.filter(correlation_id__in=stories).order_by("pk")
    return set(rows.select_for_update(no_key=True).values_list("pk", flat=True))


def _blanked(stories: Collection[UUID]) -> Iterator[ArchivedMessage]:
    archived = ArchivedMessage.objects.filter(correlation_id__in=stories).only("id", "deliveries")
    for message in chain.from_iterable(pages(archived)):
        blanked = [_blank(delivery) for delivery in message.deliveries]
        if blanked != message.deliveries:
            message.deliveries = blanked
            yield message


def _blank(delivery: dict[str, Any]) -> dict[str, Any]:
    failed = delivery["error"] or delivery["traceback"]
    return {**delivery, "error": ERASED, "traceback": ""} if failed else delivery
