"""Publishing stores an event and its deliveries in the publisher's transaction and wakes workers after the commit."""

from django.db import transaction

from integration.aggregates.unit_of_work import current_unit_of_work
from integration.contracts.contract import IntegrationEvent
from integration.domain import clock
from integration.domain.identifiers import new_event_id
from integration.domain.metadata import current_cause
from integration.domain.personal import split_personal
from integration.history.personal_data import PersonalData, personal_row
from integration.measuring import PUBLISHED
from integration.messaging.consumers import Consumer, consumers_of
from integration.messaging.models import Delivery, FeedPosition, Message
from integration.messaging.wakeups import DeliveryQueue, wake_or_reserve
from integration.storage.rows import Row
from integration.storage.writing import Insert

NEW_DELIVERY = Insert(Delivery, ("message_id", "consumer", "context", "external", "due_at"))
NEW_POSITION = Insert(FeedPosition, ("message",))


def publish(event: IntegrationEvent) -> None:
    """Publish an integration event; its consumers receive it after the current unit of work has committed.

    Raises:
        RuntimeError: no unit of work is in progress.
    """
    cause, work, id = current_cause(), current_unit_of_work(), new_event_id()
    consumers = consumers_of(type(event))
    data, personal = split_personal(event)
    message = {
        "id": id,
        "name": event.wire_name,
        "version": event.schema_version,
        "data": data,
        "occurred_at": clock.now(),
        "correlation_id": cause.correlation_id,
        "causation_id": cause.causation_id,
        "actor": cause.actor,
        "traceparent": cause.traceparent,
        "addressed_to": len(consumers),
    }
    work.write(Insert(Message), [message])
    work.write(NEW_POSITION, [{"message": id}])
    work.write(NEW_DELIVERY, [_delivery(message, consumer) for consumer in consumers])
    if personal:
        work.write(Insert(PersonalData), [personal_row(id, cause.causation_id or id, personal)])
    for consumer in consumers:
        work.defer(_wake_after_commit, DeliveryQueue(consumer.context, consumer.external))


def _delivery(message: Row, consumer: Consumer) -> Row:
    return {
        "message_id": message["id"],
        "consumer": consumer.name,
        "context": consumer.context,
        "external": consumer.external,
        "due_at": message["occurred_at"],
    }


def _wake_after_commit(delivery_queues: list[DeliveryQueue]) -> None:
    """Wake one worker for each delivery queue that has new deliveries, once the transaction has committed.

    The wake-ups keep the order in which the consumers were registered. So the publishing worker goes on with the next
    step of an order's life. A later step is less likely to find that its delivery came too early.
    """

    def wake_them() -> None:
        for delivery_queue in delivery_queues:
            PUBLISHED.labels(delivery_queue.context).inc()
        wake_or_reserve(dict.fromkeys(delivery_queues))

    # A named function, not a partial: Django logs the name of a callback that fails, and a partial has none.
    transaction.on_commit(wake_them, robust=True)
