"""The public form of an integration event: a CloudEvent 1.0 in structured JSON mode.

Source: the CloudEvents specification, version 1.0.2, with its extension for distributed tracing.
"""

from typing import Any

import msgspec

from integration.contracts.registry import context_of, schema_id
from integration.domain.versions import to_data
from integration.messaging.models import Published

CONTENT_TYPE = "application/cloudevents+json"

SUBJECTS = ("order", "sku", "buyer")
"""Fields that can name the subject of an event; the first one that the event has is used."""


def cloud_event(message: Published) -> dict[str, Any]:
    """The message's event in its newest version, as a JSON object.

    Raises:
        UnknownName: this code knows no such contract or version.
        msgspec.ValidationError: the stored data does not fit the contract.
    """
    event = message.event
    return _structured(message, event.schema_version, to_data(event))


def cloud_event_as_stored(message: Published) -> dict[str, Any]:
    """The message's event in the version in which it was published, without personal values.

    This code may know neither the contract nor the version.
    """
    return _structured(message, message.version, message.data)


def _structured(message: Published, version: int, data: dict[str, Any]) -> dict[str, Any]:
    attributes = {
        "specversion": "1.0",
        "id": str(message.id),
        "source": source_of(message.name),
        "type": message.name,
        "subject": next((data[field] for field in SUBJECTS if field in data), None),
        "time": msgspec.to_builtins(message.occurred_at),
        "datacontenttype": "application/json",
        "dataschema": schema_id(message.name, version),
        "correlationid": str(message.correlation_id),
        "causationid": str(message.causation_id) if message.causation_id else None,
        "traceparent": message.traceparent,
    }
    return {**{name: value for name, value in attributes.items() if value is not None}, "data": data}


def source_of(name: str) -> str:
    """The `source` attribute of a CloudEvent: the context that publishes the contract."""
    return f"/waybill/{context_of(name)}"
