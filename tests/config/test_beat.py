"""Beat sends its tasks through the wake-ups' connection, and survives a broker that refuses and a clock that is set."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from celery import Celery
from redis import ResponseError

from config.beat import Scheduler
from integration.domain import clock
from integration.messaging import wakeups


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, list[object], str]]:
    """The tasks that beat tried to send; the broker refuses all of them."""
    sent: list[tuple[str, list[object], str]] = []

    def send_task(name: str, args: list[object], queue: str, **options: object) -> None:
        sent.append((name, args, queue))
        raise ResponseError("MISCONF")

    monkeypatch.setattr(wakeups.current_app, "send_task", send_task)
    return sent


@pytest.fixture
def scheduler() -> Iterator[Scheduler]:
    """A scheduler that sends one task every second."""
    app = Celery("test", broker="redis://127.0.0.1:1/0", set_as_current=False)
    options = {"queue": "q.ordering"}
    app.conf.beat_schedule = {"expire": {"task": "waybill.run", "args": ["x"], "schedule": 1.0, "options": options}}
    with clock.standing_at(datetime(2026, 1, 1, tzinfo=UTC)):
        yield Scheduler(app=app)


def passes(scheduler: Scheduler, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a second pass, and beat do what is due by then."""
    clock.advance(timedelta(seconds=1))
    while scheduler.tick() == 0:
        pass
    monkeypatch.setattr(wakeups, "_quiet_until", 0.0)


def test_beat_goes_on_although_the_broker_refuses(
    scheduler: Scheduler, sent: list[tuple[str, list[object], str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(2):
        passes(scheduler, monkeypatch)

    assert sent == [("waybill.run", ["x"], "q.ordering")] * 2


@pytest.mark.parametrize("jump", [timedelta(hours=-1), timedelta(hours=1)])
def test_beat_goes_on_although_the_machines_clock_is_set(
    scheduler: Scheduler,
    sent: list[tuple[str, list[object], str]],
    monkeypatch: pytest.MonkeyPatch,
    jump: timedelta,
) -> None:
    passes(scheduler, monkeypatch)
    monkeypatch.setattr(Celery, "now", lambda app: datetime.now(UTC) + jump)  # Celery's view of the machine's clock

    for _ in range(3):
        passes(scheduler, monkeypatch)

    assert len(sent) == 4
