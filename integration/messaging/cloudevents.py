"""How an integration event looks outside of the house: as a CloudEvent 1.0 in its structured JSON form.

Source: the CloudEvents specification, version 1.0.2, with its extension for distributed tracing.
"""

from typing import Any

import msgspec

from integration.contracts.registry import context_of, schema_id
from integration.domain.versions import to_data
from integration.messaging.models import Published

CONTENT_TYPE = "application/cloudevents+json"

SUBJECTS = ("order", "sku", "buyer")
"""The fields that name what an event is about; the first one it has."""


def cloud_event(message: Published) -> dict[str, Any]:
    """The message's event in its newest version, as a JSON object.

    Raises:
        UnknownName: for what this code cannot read.
        msgspec.ValidationError: for facts that don't fit their contract.
    """
    event = message.event
    data = to_data(event)
    attributes = {
        "specversion": "1.0",
        "id": str(message.id),
        "source": source_of(message.name),
        "type": message.name,
        "subject": next((data[field] for field in SUBJECTS if field in data), None),
        "time": msgspec.to_builtins(message.occurred_at),
        "datacontenttype": "application/json",
        "dataschema": schema_id(message.name, event.schema_version),
        "correlationid": str(message.correlation_id),
        "causationid": str(message.causation_id) if message.causation_id else None,
        "traceparent": message.traceparent,
    }
    return {**{name: value for name, value in attributes.items() if value is not None}, "data": data}


def source_of(name: str) -> str:
    """The context that tells it, as a CloudEvent names it."""
    return f"/waybill/{context_of(name)}"
