"""Messages for a broker that are not Waybill's: envelopes and bodies of every kind, and bytes that are no message."""

from collections.abc import Iterable
from typing import Any
from uuid import uuid4

import amqp
import kombu
from kombu.transport import redis

BODIES = [b"[]", b"null", b"true", b"7", b'"text"', b"{}", b"[[]]", b"[[], {}]", b"[1, 2, 3]", b"no JSON", b"\xff", b""]


class NoUTF8(str):
    """A text that py-amqp sends as bytes that are no text."""

    def encode(self, *args: object) -> bytes:
        return b"\xff\xfe"


def send_malformed(channel: Any, queues: Iterable[str]) -> int:
    """Send every kind of them to every queue; returns how many were sent.

    Args:
        channel: kombu's, of a connection to Redis or RabbitMQ.
        queues: the names of Celery queues.
    """
    sent = 0
    for queue in queues:
        sent += _send_as_task_messages(kombu.Producer(channel), queue)
        if isinstance(channel, redis.Channel):
            channel.client.lpush(queue, *BODIES)
            sent += len(BODIES)
        else:
            channel.basic_publish(amqp.Message("[]", correlation_id=NoUTF8()), exchange="", routing_key=queue)
            sent += 1
    return sent


def _send_as_task_messages(producer: kombu.Producer, queue: str) -> int:
    sent = 0
    for body in BODIES:
        for headers in (None, {"task": "waybill.sweep"}, {"task": "waybill.sweep", "id": str(uuid4())}):
            for content_type in ("application/json", "application/x-python-serialize"):
                producer.publish(
                    body, exchange="", routing_key=queue, headers=headers,
                    content_type=content_type, content_encoding="utf-8",
                )  # fmt: skip
                sent += 1
    return sent
