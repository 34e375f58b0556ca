"""Publishing stores an event and its deliveries in the publisher's transaction, and rings the bell after the commit."""

from django.db import transaction

from integration.aggregates.unit_of_work import current_unit_of_work
from integration.contracts.contract import IntegrationEvent
from integration.domain import clock
from integration.domain.identifiers import new_event_id
from integration.domain.metadata import current_cause
from integration.domain.personal import split_personal
from integration.history.personal_data import PersonalData, personal_row
from integration.messaging.consumers import Consumer, consumers_of
from integration.messaging.models import Delivery, Message
from integration.messaging.wakeups import DeliveryQueue, wake_or_keep
from integration.storage.rows import Row
from integration.storage.writing import Insert

NEW_DELIVERY = Insert(Delivery, ("message_id", "consumer", "context", "external", "due_at"))


def publish(event: IntegrationEvent) -> None:
    """Tell the other contexts, once the unit of work in progress has committed.

    Raises:
        RuntimeError: outside of a unit of work.
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
    """One call for each lane in which something will be waiting.

    They are called for in the order in which their consumers were registered. So whoever published goes on with what
    comes first in an order's life, and what is far ahead of that does not find that it came too early.
    """

    def wake_them() -> None:
        wake_or_keep(dict.fromkeys(delivery_queues))

    # By a name, for Django logs the name of a callback that fails, and a partial has none.
    transaction.on_commit(wake_them, robust=True)
