"""Publishing stores an event and its deliveries in the publisher's transaction, and rings the bell after the commit."""

from django.db import transaction

from integration.contracts.contract import IntegrationEvent
from integration.domain import clock
from integration.domain.identifiers import new_event_id
from integration.domain.metadata import current_cause
from integration.domain.personal import apart
from integration.domain.personal_data import PersonalData, keep_values
from integration.domain.unit_of_work import current_unit_of_work
from integration.messaging.consumers import consumers_of
from integration.messaging.doorbell import Lane, ring
from integration.messaging.models import Delivery, Message


def publish(event: IntegrationEvent) -> None:
    """Tell the other contexts, once the unit of work in progress has committed.

    Raises:
        RuntimeError: outside of a unit of work.
    """
    cause = current_cause()
    consumers = consumers_of(type(event))
    data, personal = apart(event)
    message = Message(
        id=new_event_id(),
        name=event.wire_name,
        version=event.schema_version,
        data=data,
        occurred_at=clock.now(),
        correlation_id=cause.correlation_id,
        causation_id=cause.causation_id,
        actor=cause.actor,
        traceparent=cause.traceparent,
        addressed_to=len(consumers),
    )
    deliveries = [
        Delivery(
            message=message,
            consumer=consumer.name,
            context=consumer.context,
            outside=consumer.outside,
            due_at=message.occurred_at,
        )
        for consumer in consumers
    ]
    work = current_unit_of_work()
    work.defer(_store, (message, deliveries))
    if personal:
        event_id = message.causation_id or message.id
        work.defer(keep_values, PersonalData(id=message.id, event_id=event_id, values=personal))


def _store(published: list[tuple[Message, list[Delivery]]]) -> None:
    """Two statements for everything one unit of work published, and one ring of the bell for each lane."""
    Message.objects.bulk_create([message for message, _ in published])
    deliveries = [delivery for _, of_message in published for delivery in of_message]
    Delivery.objects.bulk_create(deliveries)
    lanes = sorted({Lane(delivery.context, delivery.outside) for delivery in deliveries})

    def ring_for_them() -> None:
        ring(lanes)

    # By a name, for Django logs the name of a callback that fails, and a partial has none.
    transaction.on_commit(ring_for_them, robust=True)
