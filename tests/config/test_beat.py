"""Beat sends its tasks through the wake-ups' connection, and survives a broker that refuses them."""

import pytest
from celery import Celery
from redis import ResponseError

from config.beat import Scheduler
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


def test_beat_goes_on_although_the_broker_refuses(
    sent: list[tuple[str, list[object], str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    app = Celery("test", broker="redis://127.0.0.1:1/0", set_as_current=False)
    options = {"queue": "q.ordering"}
    app.conf.beat_schedule = {"expire": {"task": "waybill.run", "args": ["x"], "schedule": 0.01, "options": options}}
    scheduler = Scheduler(app=app)

    for _ in range(2):
        while scheduler.tick():
            pass
        monkeypatch.setattr(wakeups, "_quiet_until", 0.0)

    assert sent == [("waybill.run", ["x"], "q.ordering")] * 2
