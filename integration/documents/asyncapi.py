"""The AsyncAPI 3 document: a channel for each contract.

Every message on a channel is a CloudEvent. A context has a send operation for each contract it publishes, and a receive
operation for each of its consumers. Source: the AsyncAPI specification, version 3.0.0.
"""

from typing import Any

import msgspec

from integration.contracts.contract import IntegrationEvent, contracts
from integration.contracts.registry import context_of, meaning_of, schema_id
from integration.documents.catalogue import all_contracts
from integration.messaging.cloudevents import CONTENT_TYPE, source_of
from integration.messaging.consumers import consumers_of


def asyncapi() -> dict[str, Any]:
    """The document, as values that `json` can encode."""
    events = [contracts.get(entry.name) for entry in all_contracts()]
    payloads, components = msgspec.json.schema_components(events, ref_template="#/components/schemas/{name}")
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Waybill",
            "version": "1",
            "description": "The messages that the contexts publish and consume, from an order's placement to its "
            "delivery.",
        },
        "defaultContentType": CONTENT_TYPE,
        "channels": {_key(event.wire_name): _channel(event) for event in events},
        "operations": {name: operation for event in events for name, operation in _operations(event)},
        "components": {
            "messages": {
                _key(event.wire_name): _message(event, payload) for event, payload in zip(events, payloads, strict=True)
            },
            "schemas": components,
        },
    }


def _channel(event: type[IntegrationEvent]) -> dict[str, Any]:
    return {
        "address": event.wire_name,
        "description": meaning_of(event),
        "messages": {event.__name__: {"$ref": f"#/components/messages/{_key(event.wire_name)}"}},
    }


def _operations(event: type[IntegrationEvent]) -> list[tuple[str, dict[str, Any]]]:
    publisher, _, name = event.wire_name.partition(".")
    receiving = [
        (_key(consumer.name), _operation("receive", event, consumer.context))
        for consumer in sorted(consumers_of(event), key=lambda consumer: consumer.name)
    ]
    return [(f"{publisher}-publish-{name}", _operation("send", event, publisher)), *receiving]


def _operation(action: str, event: type[IntegrationEvent], context: str) -> dict[str, Any]:
    channel = f"#/channels/{_key(event.wire_name)}"
    return {
        "action": action,
        "channel": {"$ref": channel},
        "messages": [{"$ref": f"{channel}/messages/{event.__name__}"}],
        "tags": [{"name": context}],
    }


def _message(event: type[IntegrationEvent], payload: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": event.wire_name,
        "title": event.__name__,
        "summary": meaning_of(event),
        "contentType": CONTENT_TYPE,
        "payload": _envelope(event, payload),
        "tags": [{"name": context_of(event.wire_name)}],
    }


def _envelope(event: type[IntegrationEvent], data: dict[str, Any]) -> dict[str, Any]:
    name, text = event.wire_name, {"type": "string", "minLength": 1}
    return {
        "type": "object",
        "required": ["specversion", "id", "source", "type", "time", "dataschema", "correlationid", "data"],
        "properties": {
            "specversion": {"const": "1.0"},
            "id": {"type": "string", "format": "uuid"},
            "source": {"const": source_of(name)},
            "type": {"const": name},
            "subject": {**text, "description": "The order number, the SKU or the buyer id that the event is about."},
            "time": {"type": "string", "format": "date-time"},
            "datacontenttype": {"const": "application/json"},
            "dataschema": {"const": schema_id(name, event.schema_version)},
            "correlationid": {
                "type": "string",
                "format": "uuid",
                "description": "The id of the story that the message belongs to.",
            },
            "causationid": {
                "type": "string",
                "format": "uuid",
                "description": "The id of the domain event that the message was published for.",
            },
            "traceparent": text,
            "data": data,
        },
    }


def _key(name: str) -> str:
    """A wire name as a key of the document; keys consist of letters, digits and hyphens."""
    return name.replace(".", "-")
