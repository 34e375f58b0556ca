"""Each consumer has a retry schedule of its own: minutes in the database, days for an external system."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from integration.contracts.inventory import StockRanOut
from integration.domain import clock
from integration.messaging.back_off import bring_forward
from integration.messaging.consumers import consumers
from integration.messaging.models import Delivery, Status
from integration.messaging.retries import Retries, default_retries

Listen = Callable[..., None]
RunOut = Callable[..., None]
Deliver = Callable[[], int]


class TooManyRequests(Exception):
    """The external system says when to ask again."""

    retry_after = timedelta(minutes=3)


def _fail(event: StockRanOut) -> None:
    raise OSError("no line")


def _refuse(event: StockRanOut) -> None:
    raise TooManyRequests("429")


def test_the_wait_grows_and_is_bounded() -> None:
    for attempt in range(1, 40):
        longest = min(2 ** (attempt - 1), 600)
        waits = [default_retries(external=False).wait(attempt).total_seconds() for _ in range(50)]
        assert longest / 2 <= min(waits)
        assert max(waits) <= longest
        assert len(set(waits)) > 1


def test_a_reaction_in_the_database_gives_up_after_minutes_and_an_external_one_after_days() -> None:
    assert timedelta(minutes=2) < default_retries(external=False).lasts < timedelta(minutes=10)
    assert timedelta(days=2) < default_retries(external=True).lasts < timedelta(days=3)


def test_every_external_consumer_of_waybill_outlives_an_outage_of_a_day() -> None:
    schedules = {name: consumer.retry_schedule for name, consumer in consumers.items() if consumer.external}

    assert schedules
    assert [name for name, schedule in schedules.items() if schedule.lasts < timedelta(days=1)] == []


def test_a_schedule_cannot_wait_for_longer_than_it_says() -> None:
    schedule = Retries(attempts=5, longest_wait=timedelta(seconds=3))

    assert schedule.lasts == timedelta(seconds=1 + 2 + 3 + 3)
    assert schedule.wait(4, TooManyRequests()) == timedelta(seconds=3)


@pytest.mark.django_db
@pytest.mark.usefixtures("stopped_clock")
class TestDelivery:
    """What becomes of a delivery that fails."""

    def test_dies_after_the_attempts_of_its_own_consumer(
        self, listen: Listen, run_out: RunOut, deliver: Deliver, later: Callable[[timedelta], None]
    ) -> None:
        listen(_fail, name="inventory.soon", retries=Retries(2, timedelta(seconds=1)))
        listen(_fail, name="inventory.late", retries=Retries(3, timedelta(seconds=1)))
        run_out("MUG")
        for _ in range(2):
            deliver()
            later(timedelta(seconds=1))

        statuses = dict(Delivery.objects.values_list("consumer", "status"))
        assert statuses == {"inventory.soon": Status.DEAD, "inventory.late": Status.PENDING}

    @pytest.mark.parametrize("external", [False, True])
    def test_waits_as_long_as_the_other_side_asks(
        self, listen: Listen, run_out: RunOut, deliver: Deliver, delivery: Callable[..., Delivery], external: bool
    ) -> None:
        listen(_refuse, external=external)
        run_out("MUG")

        deliver()

        assert delivery().due_at - clock.now() == TooManyRequests.retry_after

    def test_is_not_brought_forward_within_its_own_schedule(
        self, listen: Listen, run_out: RunOut, deliver: Deliver
    ) -> None:
        listen(_fail, name="inventory.mail", external=True)
        listen(_fail, name="inventory.reorder")
        run_out("MUG")
        waits: Any = Delivery.objects
        waits.update(attempts=1, due_at=clock.now() + timedelta(hours=5))

        bring_forward()

        due = dict(waits.values_list("consumer", "due_at"))
        assert due["inventory.mail"] == clock.now() + timedelta(hours=5)
        assert due["inventory.reorder"] == clock.now()
