"""Every integration event is published to a topic exchange of RabbitMQ, in the order of the feed, at least once.

The broker is an endpoint like any other: the fan-out writes its rows, and one process at a time publishes them, oldest
first. It waits for the broker's confirmation of an event before it publishes the next one of the same order. If the
broker is away, the rows wait for it; no attempt is counted and nothing else waits.

Source: RabbitMQ, "Consumer Acknowledgements and Publisher Confirms".
"""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from amqp.exceptions import MessageNacked
from django.conf import settings
from django.db import transaction
from django.db.models import F
from kombu import Connection, Exchange, Producer

from integration.domain import clock
from integration.messaging.broker import BROKER_ERRORS
from integration.messaging.cloudevents import CONTENT_TYPE
from integration.messaging.feed import newest
from integration.policies import every
from integration.webhooks.fan_out import fan_out, messages_of
from integration.webhooks.models import (
    EVERYTHING,
    DeliveryStatus,
    EndpointDelivery,
    EndpointStatus,
    Kind,
    SharedOut,
    WebhookEndpoint,
)
from integration.webhooks.requests import body_of

log = logging.getLogger(__name__)

EXCHANGE = Exchange("waybill.events", type="topic", durable=True)
"""Bind a queue to it by `context.event`, such as `ordering.order-confirmed`, `ordering.*` or `#`."""

BATCH = 200
"""Events published under one lease."""

LEASE = timedelta(seconds=60)
"""How long a batch belongs to the process that publishes it."""

TIMEOUT = 5
"""Seconds for connecting, and for one confirmation."""

WITHOUT_URL = "EVENTS_BROKER_URL is not set."


@every(timedelta(seconds=1), name="integration.publish-to-broker", external=True)
def publish_to_broker() -> None:
    """Publish all that is due to the broker that `EVENTS_BROKER_URL` names."""
    url = settings.WEBHOOKS.broker_url
    if not url:
        enabled = WebhookEndpoint.objects.filter(kind=Kind.BROKER, status=EndpointStatus.ENABLED)
        if enabled.exists():  # an UPDATE without rows would still wait for SQLite's write lock
            enabled.update(status=EndpointStatus.DISABLED, disabled_because=WITHOUT_URL, disabled_at=clock.now())
        return
    _ensure_enabled()
    fan_out()
    while rows := _claim():
        if not _publish(url, rows):
            return


def _ensure_enabled() -> None:
    """Let the broker get what is published from now on, unless it does already."""
    if WebhookEndpoint.objects.filter(kind=Kind.BROKER, status=EndpointStatus.ENABLED).exists():
        return
    with transaction.atomic():
        SharedOut.objects.bulk_create([SharedOut()], ignore_conflicts=True)
        SharedOut.objects.select_for_update().get()
        found = WebhookEndpoint.objects.filter(kind=Kind.BROKER).first()
        broker = found or WebhookEndpoint(kind=Kind.BROKER, events=[EVERYTHING], description="EVENTS_BROKER_URL")
        if found is None or not found.is_enabled:
            broker.after = newest()
            broker.status, broker.disabled_because, broker.disabled_at = EndpointStatus.ENABLED, "", None
            broker.save()


def _claim() -> list[EndpointDelivery]:
    """The oldest rows, leased to this process; none while another process publishes."""
    now = clock.now()
    with transaction.atomic():
        brokers = WebhookEndpoint.objects.filter(kind=Kind.BROKER, status=EndpointStatus.ENABLED)
        broker = brokers.select_for_update(no_key=True).first()
        if broker is None:
            return []
        pending = EndpointDelivery.objects.filter(endpoint=broker, status=DeliveryStatus.PENDING)
        if pending.filter(in_flight=True, due_at__gt=now).exists():
            return []
        rows = list(pending.order_by("id")[:BATCH])
        token, until = max((row.fencing_token for row in rows), default=0) + 1, now + LEASE
        ours = EndpointDelivery.objects.filter(pk__in=[row.pk for row in rows])
        ours.update(in_flight=True, due_at=until, fencing_token=token)
        for row in rows:
            row.fencing_token, row.due_at = token, until
    return rows


def _publish(url: str, rows: Sequence[EndpointDelivery]) -> bool:
    """Publish rows in order and settle those that were confirmed; returns whether all were."""
    confirmed: list[EndpointDelivery] = []
    try:
        messages = messages_of({row.message_id for row in rows})
        with _broker(url) as broker:
            for window in windows(rows):
                for row in window:
                    broker.send(row, body_of(messages.get(row.message_id), is_personal=False))
                confirmed += broker.confirmed()
                if clock.now() > rows[0].due_at - LEASE / 2:
                    break
    except BROKER_ERRORS as error:
        log.warning("the broker of events is unavailable: %r", error)
    finally:
        _settle(rows, confirmed)
    return len(confirmed) == len(rows)


def windows(rows: Sequence[EndpointDelivery]) -> Iterator[list[EndpointDelivery]]:
    """Rows in portions that are sent without waiting for each other. No key occurs twice in a portion.

    So the events of an order wait for each other: one that the broker refuses is published before the next. Rows
    without a key wait for none.
    """
    window: list[EndpointDelivery] = []
    keys: set[str] = set()
    for row in rows:
        if row.key in keys:
            yield window
            window, keys = [], set()
        window.append(row)
        if row.key is not None:
            keys.add(row.key)
    if window:
        yield window


class _Broker:
    """A channel on which the broker confirms what it has stored."""

    def __init__(self, connection: Connection) -> None:
        channel: Any = connection.channel()  # of py-amqp, which knows confirmations
        channel.confirm_select()
        channel.events["basic_ack"].add(self._ack)
        channel.events["basic_nack"].add(self._refuse)
        self._producer = Producer(channel, exchange=EXCHANGE, auto_declare=True)
        self._connection = connection
        self._sent: dict[int, EndpointDelivery] = {}
        self._acked, self._number = list[EndpointDelivery](), 0

    def send(self, row: EndpointDelivery, body: bytes) -> None:
        """Send a message; `confirmed` waits for it."""
        self._number += 1
        self._sent[self._number] = row
        self._producer.publish(
            body,
            routing_key=row.name,
            content_type=CONTENT_TYPE,
            content_encoding="utf-8",
            message_id=str(row.message_id),
            delivery_mode=2,
            retry=False,
        )

    def confirmed(self) -> list[EndpointDelivery]:
        """Wait until the broker has confirmed all that was sent, and return it; raises `MessageNacked`."""
        while self._sent:
            self._connection.drain_events(timeout=TIMEOUT)
        acked, self._acked = self._acked, []
        return acked

    def _ack(self, number: int, multiple: bool) -> None:
        for each in [sent for sent in self._sent if sent == number or (multiple and sent <= number)]:
            self._acked.append(self._sent.pop(each))

    def _refuse(self, number: int, multiple: bool) -> None:
        raise MessageNacked


@contextmanager
def _broker(url: str) -> Iterator[_Broker]:
    options = {"read_timeout": TIMEOUT, "write_timeout": TIMEOUT}
    with Connection(url, connect_timeout=TIMEOUT, transport_options=options) as connection:
        connection.ensure_connection(max_retries=1, interval_start=0, interval_step=0, interval_max=0)
        yield _Broker(connection)


def _settle(rows: Sequence[EndpointDelivery], confirmed: Sequence[EndpointDelivery]) -> None:
    """Settle what was confirmed and release the rest, as far as this process still holds the leases."""
    now, done = clock.now(), [row.pk for row in confirmed]
    ours = EndpointDelivery.objects.filter(status=DeliveryStatus.PENDING, fencing_token=rows[0].fencing_token)
    with transaction.atomic():
        ours.filter(pk__in=done).update(
            status=DeliveryStatus.DONE, settled_at=now, in_flight=False, attempts=F("attempts") + 1
        )
        ours.filter(pk__in=[row.pk for row in rows]).update(in_flight=False, due_at=now)
