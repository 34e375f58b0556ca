"""Every event is published to RabbitMQ, confirmed, in order per order; while the broker is away nothing is lost."""

import json
import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from kombu import Connection, Queue
from pytest_django import Settings

from integration.webhooks import broker
from integration.webhooks.broker import EXCHANGE, publish_to_broker
from integration.webhooks.models import EndpointDelivery, WebhookEndpoint
from tests.integration.webhooks.conftest import example

LIFTED, LOW = "ordering.hold-lifted", "inventory.stock-ran-low"

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.skipif("RABBITMQ_URL" not in os.environ, reason="RABBITMQ_URL names no RabbitMQ"),
]


@pytest.fixture
def bound() -> Iterator[Callable[[str], list[dict[str, Any]]]]:
    """A function that returns what a queue got that was bound to everything of ordering."""
    with Connection(os.environ["RABBITMQ_URL"]) as connection:
        queue = Queue("", EXCHANGE, routing_key="ordering.#", exclusive=True)(connection.channel())
        queue.declare()

        def read() -> list[dict[str, Any]]:
            got = []
            while message := queue.get(no_ack=True):
                assert message.properties["message_id"] == json.loads(message.body)["id"]
                assert message.delivery_info["routing_key"] == json.loads(message.body)["type"]
                got.append(json.loads(message.body))
            return got

        yield read


def test_every_event_is_published_in_order(
    settings: Settings, publish_all: Callable[..., None], bound: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(broker, "BATCH", 7)
    settings.WEBHOOKS = settings.WEBHOOKS._replace(broker_url=os.environ["RABBITMQ_URL"])
    publish_all(example(LIFTED, hold="before"))
    publish_to_broker()
    publish_all(*[example(LIFTED, order=f"R-{n % 3}", hold=f"H-{n:03}") for n in range(20)], example(LOW))

    settings.WEBHOOKS = settings.WEBHOOKS._replace(broker_url="amqp://guest:guest@127.0.0.1:9//")
    for _ in range(3):
        publish_to_broker()
    assert EndpointDelivery.objects.filter(status="pending").count() == 21, "the broker is away, and no row dies"
    settings.WEBHOOKS = settings.WEBHOOKS._replace(broker_url=os.environ["RABBITMQ_URL"])
    publish_to_broker()

    assert [event["data"]["hold"] for event in bound()] == [f"H-{n:03}" for n in range(20)]
    assert {*EndpointDelivery.objects.values_list("status", flat=True)} == {"done"}

    settings.WEBHOOKS = settings.WEBHOOKS._replace(broker_url="")
    publish_to_broker()
    assert WebhookEndpoint.objects.get().disabled_because == broker.WITHOUT_URL
    publish_all(example(LIFTED))
    settings.WEBHOOKS = settings.WEBHOOKS._replace(broker_url=os.environ["RABBITMQ_URL"])
    publish_to_broker()
    assert bound() == [], "what is published without a broker is not published later"


def test_what_was_not_confirmed_is_published_again(
    settings: Settings, publish_all: Callable[..., None], bound: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The connection breaks in the middle of a batch: what was confirmed is done, and the rest goes on in order."""
    settings.WEBHOOKS = settings.WEBHOOKS._replace(broker_url=os.environ["RABBITMQ_URL"])
    publish_to_broker()
    publish_all(*[example(LIFTED, order="R-1", hold=f"H-{n}") for n in range(6)])
    send, calls = broker._Broker.send, []

    def breaks_once(self: Any, *args: Any) -> None:
        calls.append(1)
        send(self, *args)
        if len(calls) == 4:
            raise ConnectionResetError

    monkeypatch.setattr(broker._Broker, "send", breaks_once)
    publish_to_broker()
    assert EndpointDelivery.objects.filter(status="done").count() == 3
    publish_to_broker()
    holds = [event["data"]["hold"] for event in bound()]
    assert [*dict.fromkeys(holds)] == [f"H-{n}" for n in range(6)]
    assert len(holds) - 6 <= 1, "only what was not confirmed is published again"
    assert not EndpointDelivery.objects.exclude(status="done").exists()


def test_the_events_of_an_order_wait_for_each_other() -> None:
    rows = [EndpointDelivery(key=key) for key in (None, "R-1", None, "R-2", "R-1", "R-1", "R-3", "R-2")]
    assert [[row.key for row in window] for window in broker.windows(rows)] == [
        [None, "R-1", None, "R-2"],
        ["R-1"],
        ["R-1", "R-3", "R-2"],
    ]
