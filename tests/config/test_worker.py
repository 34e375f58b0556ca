"""A worker runs only messages as Waybill sends them: all others are rejected, logged, and end nothing.

Of beat's messages that have piled up it runs one, and it never compares clocks to find out which.
"""

import json
import logging
from base64 import b64encode
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest.mock import Mock
from uuid import uuid4

import amqp
import kombu
import pytest
from celery import Celery

from config.transports import use_these_transports
from config.worker import Consumer, Repeats, checked_headers
from integration.domain import clock
from tests.chaos.servers import Redis

EVERY_JSON_TYPE = [None, True, 0, -1.5, "", "text", [], [[]], {}, {"a": 1}, [1, 2, 3], "[" * 5_000]
NO_FOLLOWERS = {"callbacks": None, "errbacks": None, "chain": None, "chord": None}
BODY = [["inventory", False], {}, NO_FOLLOWERS]
HEADERS = {"lang": "py", "task": "waybill.deliver", "id": "1", "root_id": "1", "origin": "here"}


def envelope(body: Any = None, headers: Any = None, **changes: Any) -> dict[str, Any]:
    """A message as kombu stores it in Redis."""
    text = body if isinstance(body, bytes) else json.dumps(BODY if body is None else body).encode()
    return {
        "body": b64encode(text).decode(),
        "content-type": "application/json",
        "content-encoding": "utf-8",
        "headers": HEADERS if headers is None else headers,
        "properties": {
            "body_encoding": "base64",
            "delivery_tag": str(uuid4()),
            "delivery_info": {"exchange": "", "routing_key": "q"},
            "priority": 0,
        },
        **changes,
    }


MALFORMED: dict[str, Any] = {
    **{f"body {body!r:.12}": envelope([body] if body is None else body) for body in EVERY_JSON_TYPE},
    "body null": envelope(b"null"),
    "body no JSON": envelope(b"\xff{"),
    "body empty": envelope(b""),
    "with a callback": envelope([[], {}, {**NO_FOLLOWERS, "callbacks": [{"task": "waybill.sweep"}]}]),
    "content type": envelope(**{"content-type": "application/x-python-serialize"}),
    "no content type": envelope(**{"content-type": None}),
    "encoding": envelope(**{"content-encoding": "no-such"}),
    "unknown task": envelope(headers={**HEADERS, "task": "celery.backend_cleanup"}),
    "compressed": envelope(headers={**HEADERS, "compression": "application/x-gzip"}),
    **{f"without {name}": envelope(headers={k: v for k, v in HEADERS.items() if k != name}) for name in ("task", "id")},
    **{f"{name} a list": envelope(headers={**HEADERS, name: []}) for name in ("task", "id", "root_id")},
    **{f"headers {headers!r:.12}": envelope(headers=headers) for headers in EVERY_JSON_TYPE if headers is not None},
}
NO_ENVELOPE: dict[str, Any] = {
    **{f"{entry!r:.12}": json.dumps(entry) for entry in EVERY_JSON_TYPE},
    "no JSON": "no JSON",
    "no UTF-8": b"\xff\xfe",
    "deeply nested": "[" * 100_000,
    "kombu's own types": json.dumps({"__type__": "datetime", "__value__": 5}),
    "unknown type": json.dumps({"__type__": [], "__value__": 5}),
    "without properties": json.dumps({k: v for k, v in envelope().items() if k != "properties"}),
    **{
        f"without {name}": json.dumps(
            envelope(properties={k: v for k, v in envelope()["properties"].items() if k != name})
        )
        for name in ("delivery_tag", "delivery_info", "body_encoding")
    },
    "tag a list": json.dumps(envelope(properties={**envelope()["properties"], "delivery_tag": []})),
    "tag an object": json.dumps(envelope(properties={**envelope()["properties"], "delivery_tag": {"a": 1}})),
}


@pytest.fixture(autouse=True)
def broker_url_of_the_test(monkeypatch: pytest.MonkeyPatch) -> None:
    """Celery prefers the broker of the environment variable to that of its argument."""
    monkeypatch.delenv("CELERY_BROKER_URL", raising=False)


def as_message(stored: dict[str, Any]) -> kombu.Message:
    return kombu.Message(
        body=json.dumps(BODY),
        content_type="application/json",
        content_encoding="utf-8",
        headers=stored["headers"],
        properties=stored["properties"],
    )


def test_of_a_good_message_only_the_known_headers_are_left() -> None:
    headers = {
        **HEADERS,
        "expires": "2026-01-01T00:00:00+00:00",
        "timelimit": ["a", "b"],
        "eta": "never",
        "shadow": "x",
        "retries": "many",
    }

    checked = checked_headers(as_message(envelope(headers=headers)))

    assert checked == {name: value for name, value in HEADERS.items() if value not in (None, "py")}


def test_what_celery_itself_sends_is_accepted() -> None:
    app = Celery("test", broker="memory://localhost", set_as_current=False)
    app.conf.task_serializer, queue = "json", str(uuid4())
    app.send_task("waybill.run", ["ordering.expire"], queue=queue, ignore_result=True)
    with app.connection_for_read() as connection:
        message = kombu.Queue(queue)(connection.default_channel).get()

    assert checked_headers(message)["task"] == "waybill.run"


# --- What beat repeats ---

SWEEP, RUN = ("waybill.sweep", ()), ("waybill.run", ("ordering.expire",))
SCHEDULE = {
    "sweep": {"task": "waybill.sweep", "args": [], "schedule": 1.0},
    "expire": {"task": "waybill.run", "args": ["ordering.expire"], "schedule": 60.0},
}


@pytest.fixture
def stopped() -> Iterator[None]:
    with clock.standing_at(datetime(2026, 1, 1, tzinfo=UTC)):
        yield


@pytest.mark.usefixtures("stopped")
def test_a_task_of_beat_is_dropped_within_half_its_interval() -> None:
    repeats = Repeats(SCHEDULE)
    assert [repeats.has(*SWEEP), repeats.has(*SWEEP), repeats.has(*RUN), repeats.has(*RUN)] == [False, True] * 2
    clock.advance(timedelta(seconds=0.6))
    assert [repeats.has(*SWEEP), repeats.has(*RUN)] == [False, True]
    clock.advance(timedelta(seconds=30))
    assert not repeats.has(*RUN)


def test_other_tasks_are_never_dropped() -> None:
    repeats = Repeats(SCHEDULE)
    for task in (("waybill.deliver", ("inventory", False)), ("waybill.run", ("ordering.of-newer-code",))):
        assert [repeats.has(*task) for _ in range(2)] == [False, False]


def test_a_property_that_is_no_utf_8_can_be_read_from_rabbitmq() -> None:
    use_these_transports()
    sent, received = amqp.Message("", correlation_id="no UTF-8", content_type="application/json"), amqp.Message()
    properties = sent._serialize_properties().replace(b"no UTF-8", b"\xff\xfe UTF-8")

    received._load_properties(amqp.spec.Basic.CLASS_ID, properties, 0)

    assert received.properties["correlation_id"].endswith(" UTF-8")


# --- On a real Redis, through the worker's own consumer ---


@pytest.fixture(scope="module")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Redis]:
    server = Redis(tmp_path_factory.mktemp("messages") / "redis")
    server.start()
    yield server
    server.kill()


@pytest.fixture
def consume(redis_server: Redis) -> Iterator[Callable[[], list[dict[str, Any]]]]:
    """Consume what is in the queue `q` as a worker does; returns the headers of what would be run."""
    use_these_transports()
    run: list[dict[str, Any]] = []

    def consume_all() -> list[dict[str, Any]]:
        while connection.default_channel._size("q"):
            connection.drain_events(timeout=5)
        return run

    app = Celery("test", broker=redis_server.url, set_as_current=False)
    app.conf.beat_schedule = SCHEDULE
    worker: Any = Consumer(Mock(), app=app, pool=Mock(num_processes=1), hub=None, timer=Mock(), controller=Mock())
    worker.strategies = {
        name: lambda message, *args: (run.append(message.headers), message.ack())
        for name in ("waybill.deliver", "waybill.sweep", "waybill.run")
    }
    with app.connection_for_read() as connection:
        consumer = app.amqp.TaskConsumer(connection, queues=[kombu.Queue("q")], on_decode_error=worker.on_decode_error)
        consumer.on_message = worker.create_task_handler()
        consumer.consume()
        yield consume_all
    with redis_server.client() as client:
        client.flushdb()


@pytest.mark.redis
@pytest.mark.parametrize(
    "entry", [*map(json.dumps, MALFORMED.values()), *NO_ENVELOPE.values()], ids=[*MALFORMED, *NO_ENVELOPE]
)
def test_a_malformed_message_is_rejected_and_logged_and_the_next_one_is_run(
    entry: str | bytes,
    redis_server: Redis,
    consume: Callable[[], list[dict[str, Any]]],
    caplog: pytest.LogCaptureFixture,
) -> None:
    with redis_server.client() as client:
        client.lpush("q", entry)
        client.lpush("q", json.dumps(envelope(headers={**HEADERS, "id": "the next one"})))

        assert [headers["id"] for headers in consume()] == ["the next one"]
        assert client.hlen("unacked") == 0, "it will be delivered again"
    assert [record for record in caplog.records if record.levelno >= logging.ERROR]


@pytest.mark.redis
@pytest.mark.usefixtures("stopped")
def test_of_a_thousand_sweeps_that_piled_up_one_is_run_however_old_they_claim_to_be(
    redis_server: Redis, consume: Callable[[], list[dict[str, Any]]]
) -> None:
    expired = {**HEADERS, "task": "waybill.sweep", "expires": "1970-01-01T00:00:00+00:00"}
    body = json.dumps([[], {}, NO_FOLLOWERS]).encode()
    with redis_server.client() as client:
        client.lpush("q", *[json.dumps(envelope(body, expired))] * 1000)
        client.lpush("q", json.dumps(envelope()))

        assert [headers["task"] for headers in consume()] == ["waybill.sweep", "waybill.deliver"]
        assert client.hlen("unacked") == 0, "some will be delivered again"
