"""Which messages of a story are on their way to a context, and which were published."""

from uuid import UUID

from django.db.models import Exists, OuterRef

from integration.contracts.contract import IntegrationEvent
from integration.messaging.models import Delivery, Message, Status


def on_the_way(context: str) -> Exists:
    """The condition that a message of the row's story waits for the context: it is pending, or a dead letter.

    Use it in a query of rows that have a `correlation_id`. External reactions, such as e-mails, do not count.
    """
    return Exists(
        Delivery.objects.filter(
            context=context,
            external=False,
            status__in=[Status.PENDING, Status.DEAD],
            message__correlation_id=OuterRef("correlation_id"),
        )
    )


def was_published(contract: type[IntegrationEvent], story: UUID) -> bool:
    """Whether a contract was published in a story. Messages that are in the archive do not count."""
    return Message.objects.filter(correlation_id=story, name=contract.wire_name).exists()
