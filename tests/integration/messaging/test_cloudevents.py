"""The public form of an integration event is a CloudEvent that the CloudEvents SDK can read."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from cloudevents.core.bindings.http import HTTPMessage, from_http_event
from cloudevents.core.v1.event import CloudEvent

from integration.contracts.contract import contracts
from integration.contracts.examples import example_of
from integration.contracts.ordering import OrderPlaced
from integration.domain import clock
from integration.domain.identifiers import OrderNumber, new_event_id
from integration.domain.naming import UnknownName
from integration.domain.versions import to_data
from integration.messaging.cloudevents import CONTENT_TYPE, cloud_event
from integration.messaging.models import Message

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def parsed(message: Message) -> CloudEvent:
    """The event that the CloudEvents SDK reads from an HTTP request with the message."""
    body = json.dumps(cloud_event(message)).encode()
    event = from_http_event(HTTPMessage({"Content-Type": CONTENT_TYPE}, body))
    assert isinstance(event, CloudEvent)
    return event


def message_of(name: str, **changes: Any) -> Message:
    facts: dict[str, Any] = {
        "id": new_event_id(),
        "name": name,
        "version": contracts.get(name).schema_version,
        "data": example_of(contracts.get(name)),
        "occurred_at": clock.now(),
        "correlation_id": new_event_id(),
        "causation_id": new_event_id(),
        "traceparent": TRACE,
    }
    return Message(**{**facts, **changes})


@pytest.mark.parametrize("name", [name for name, event in contracts.items() if event.__module__.startswith("integr")])
def test_the_sdk_reads_every_contract(name: str) -> None:
    message = message_of(name)

    event = parsed(message)

    assert (event.get_specversion(), event.get_type(), event.get_id()) == ("1.0", name, str(message.id))
    assert event.get_source() == f"/waybill/{name.partition('.')[0]}"
    assert event.get_subject() in ("R-1001", "MUG-ENAMEL-BLUE", "U-12")
    assert event.get_time() == message.occurred_at
    assert event.get_datacontenttype() == "application/json"
    assert event.get_dataschema() == f"urn:waybill:event:{name}:{message.version}"
    assert event.get_extension("correlationid") == str(message.correlation_id)
    assert event.get_extension("causationid") == str(message.causation_id)
    assert event.get_extension("traceparent") == TRACE
    assert event.get_data() == json.loads(json.dumps(to_data(message.event)))


def test_attributes_without_a_value_are_left_out() -> None:
    event = cloud_event(message_of("ordering.order-confirmed", causation_id=None, traceparent=None))

    assert None not in event.values()
    assert not {"causationid", "traceparent"} & event.keys()


def test_an_unknown_version_raises_unknown_name() -> None:
    with pytest.raises(UnknownName):
        cloud_event(message_of("ordering.order-confirmed", version=2))


def test_a_published_message_is_a_cloud_event(placed: Callable[..., OrderNumber]) -> None:
    number = placed()

    event = parsed(Message.objects.get(name=OrderPlaced.wire_name))

    assert event.get_subject() == number
    assert clock.now() - event.get_time() < timedelta(minutes=1)
