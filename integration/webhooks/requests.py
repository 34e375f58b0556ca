"""The requests for claimed rows: a CloudEvent as JSON, signed, with personal values only where the endpoint may have
them.

A body is made when it is sent and stored nowhere. So what was erased meanwhile is not sent any more.
"""

from collections.abc import Iterator, Sequence
from typing import Any
from uuid import UUID

import msgspec

from integration.domain import clock
from integration.domain.naming import UnknownName
from integration.gateways.posts import Post
from integration.history.personal_data import load_personal
from integration.messaging.cloudevents import CONTENT_TYPE, cloud_event, cloud_event_as_stored
from integration.messaging.models import Published
from integration.webhooks.fan_out import messages_of
from integration.webhooks.models import EndpointDelivery
from integration.webhooks.signing import headers_of

TEST_TYPE = "integration.endpoint-tested"
"""The `type` of a test; no contract has this name."""


class Unreadable(Exception):
    """The message does not exist."""


def requests_of(claimed: Sequence[EndpointDelivery]) -> Iterator[tuple[EndpointDelivery, Post | Unreadable]]:
    """The request for each claimed row, or why there is none; two queries, or up to four."""
    messages = messages_of({row.message_id for row in claimed if not row.is_test})
    load_personal(messages[row.message_id] for row in claimed if _is_personal(row) and row.message_id in messages)
    bodies: dict[tuple[UUID, bool], bytes] = {}
    for row in claimed:
        key = (row.message_id, _is_personal(row))
        try:
            if key not in bodies:
                bodies[key] = _test_body(row) if row.is_test else body_of(messages.get(row.message_id), key[1])
        except Unreadable as missing:
            yield row, missing
        else:
            yield row, _signed(row, bodies[key])


def body_of(message: Published | None, is_personal: bool) -> bytes:
    """A message as a CloudEvent in JSON: in its newest version, or as it is stored if this code does not know it.

    Args:
        message: the message; None if it does not exist.
        is_personal: whether it contains its personal values.

    Raises:
        Unreadable: there is no message.
    """
    if message is None:
        raise Unreadable(Unreadable.__doc__)
    personal = message.personal if is_personal else {}
    values, message.personal = vars(message).get("personal", {}), personal
    try:
        return msgspec.json.encode(cloud_event(message))
    except (UnknownName, msgspec.ValidationError):
        return msgspec.json.encode(cloud_event_as_stored(message))
    finally:
        message.personal = values


def _is_personal(row: EndpointDelivery) -> bool:
    return row.name in row.endpoint.personal_data


def _test_body(row: EndpointDelivery) -> bytes:
    event: dict[str, Any] = {
        "specversion": "1.0",
        "id": str(row.message_id),
        "source": "/waybill/integration",
        "type": TEST_TYPE,
        "time": msgspec.to_builtins(clock.now()),
        "datacontenttype": "application/json",
        "data": {"endpoint": str(row.endpoint_id)},
    }
    return msgspec.json.encode(event)


def _signed(row: EndpointDelivery, body: bytes) -> Post:
    now = clock.now()
    signed = headers_of(row.endpoint.secrets(now), str(row.message_id), int(now.timestamp()), body)
    return Post(row.pk, row.endpoint.url, body, {"Content-Type": CONTENT_TYPE, **signed})
