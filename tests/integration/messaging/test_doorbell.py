"""A broker that is down or silent costs nobody their request, and is left alone for a while."""

import socket
import time
from collections.abc import Iterator

import pytest
from celery import Celery
from kombu.exceptions import OperationalError
from pytest_django import Settings

from integration.messaging import doorbell
from integration.messaging.doorbell import Lane, queue_of, ring

INSIDE, OUTSIDE = Lane("inventory", False), Lane("billing", True)


class Broker:
    """A broker on good and bad days, and a watch to wait by."""

    def __init__(self) -> None:
        self.trouble: Exception | None = None
        self.rings: list[tuple[str, list[object], str]] = []
        self.tried = 0
        self.now = 1000.0

    def send_task(self, name: str, args: list[object], queue: str, **kwargs: object) -> None:
        self.tried += 1
        if self.trouble:
            raise self.trouble
        self.rings.append((name, args, queue))

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def broker(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> Broker:
    broker = Broker()
    settings.QUEUE_PREFIX, settings.BROKER_QUIET_SECONDS = "house", 5.0
    monkeypatch.setattr(doorbell.current_app, "send_task", broker.send_task)
    monkeypatch.setattr(doorbell, "time", broker)
    return broker


def test_each_lane_is_rung_for_on_the_queue_of_its_context(broker: Broker) -> None:
    ring([INSIDE, OUTSIDE])

    assert broker.rings == [
        ("waybill.deliver", ["inventory", False], "house.inventory"),
        ("waybill.deliver", ["billing", True], "house.billing"),
    ]
    assert queue_of("ordering") == "house.ordering"


def test_with_no_lane_nobody_rings(broker: Broker) -> None:
    ring([])

    assert broker.tried == 0


@pytest.mark.parametrize("trouble", [OperationalError("down"), ConnectionResetError(), TimeoutError(), OSError()])
def test_a_broker_that_is_down_is_not_the_callers_trouble(broker: Broker, trouble: Exception) -> None:
    broker.trouble = trouble

    ring([INSIDE, OUTSIDE])

    assert broker.tried == 1


def test_a_broker_that_was_down_is_left_alone_for_a_while(broker: Broker) -> None:
    broker.trouble = OperationalError("down")
    ring([INSIDE])
    broker.trouble = None

    for broker.now in (1000.0, 1004.9):
        ring([INSIDE])
    assert broker.tried == 1

    broker.now = 1005.0
    ring([INSIDE])
    ring([OUTSIDE])
    assert len(broker.rings) == 2


def test_a_broker_that_is_still_down_is_left_alone_again(broker: Broker) -> None:
    broker.trouble = OperationalError("down")

    for broker.now in (1000.0, 1001.0, 1005.0, 1009.9, 1010.0):
        ring([INSIDE])

    assert broker.tried == 3


def test_a_bug_is_not_taken_for_a_broker_that_is_down(broker: Broker) -> None:
    broker.trouble = ValueError("a bug of ours")

    with pytest.raises(ValueError, match="a bug of ours"):
        ring([INSIDE])


# --- Against sockets: what Celery and Redis make of it ---


@pytest.fixture
def deaf_port() -> Iterator[int]:
    """A port that accepts connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.fixture
def closed_port() -> int:
    """A port nobody listens to."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
    return port


@pytest.mark.parametrize("port", ["deaf_port", "closed_port"])
def test_a_redis_that_does_not_answer_holds_nobody_up(
    port: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    # Celery would prefer the broker of the environment.
    monkeypatch.delenv("CELERY_BROKER_URL", raising=False)
    url = f"redis://127.0.0.1:{request.getfixturevalue(port)}/0"
    monkeypatch.setattr(doorbell, "current_app", Celery("test", broker=url, set_as_current=False))
    monkeypatch.setattr(doorbell._bell, "producer", None)
    settings.DOORBELL_TRANSPORT_OPTIONS = {
        "socket_timeout": 0.2, "socket_connect_timeout": 0.2, "max_retries": 1, "interval_start": 0,
    }  # fmt: skip

    began = time.monotonic()
    ring([INSIDE])
    first = time.monotonic() - began
    ring([INSIDE, OUTSIDE])
    second = time.monotonic() - began - first

    assert doorbell._quiet_until > began
    assert first < 2.0
    assert second < 0.1


def test_a_simulation_can_have_the_wake_ups_instead_of_the_broker(broker: Broker) -> None:
    heard: list[Lane] = []
    with doorbell.answered_by(heard.append):
        ring([INSIDE, OUTSIDE])
    ring([OUTSIDE])

    assert heard == [INSIDE, OUTSIDE]
    assert len(broker.rings) == 1
