"""What happens because time passes is run by beat, and running it once more does no harm."""

from collections.abc import Callable
from datetime import timedelta
from importlib import import_module

import pytest
from celery import current_app
from django.conf import settings

from integration.domain.naming import UnknownName
from integration.messaging import tasks
from integration.messaging.models import Delivery, Status
from integration.messaging.routines import routines
from integration.messaging.wakeups import DeliveryQueue, queue_of
from integration.policies import every


def test_beat_sweeps_and_runs_every_routine_in_its_contexts_queue() -> None:
    # All of the running_system's code; a worker and beat never see the URLs, and must know every routine without.
    import_module(settings.ROOT_URLCONF)
    plan = current_app.conf.beat_schedule

    assert set(plan) == {"sweep", *(name for name, _ in routines.items())}
    assert plan["sweep"]["task"] == "waybill.sweep"
    assert plan["sweep"]["schedule"] == settings.SWEEP_EVERY.total_seconds()
    for name, routine in routines.items():
        assert (plan[name]["task"], plan[name]["args"]) == ("waybill.run", [name])
        assert plan[name]["schedule"] == routine.interval.total_seconds()
        assert plan[name]["options"]["queue"] == queue_of(routine.context)


def test_no_wake_up_outlives_the_next() -> None:
    for entry in current_app.conf.beat_schedule.values():
        assert entry["options"]["expires"] == entry["schedule"]


def test_every_task_goes_to_a_queue_that_has_workers() -> None:
    queues = {entry["options"]["queue"] for entry in current_app.conf.beat_schedule.values()}

    assert queues <= set(settings.CELERY_TASK_QUEUES)


def test_overdue_orders_are_looked_for() -> None:
    assert "ordering.cancel-overdue-orders" in routines


def test_a_routine_is_run_by_its_name(listen: object) -> None:
    runs: list[int] = []
    every(timedelta(seconds=5), name="inventory.count-shelves")(lambda: runs.append(1))

    tasks.run("inventory.count-shelves")

    assert runs == [1]


def test_a_routine_nobody_registered_is_refused(listen: object) -> None:
    with pytest.raises(UnknownName, match=r"no routine is named 'inventory\.paint-shelves'"):
        tasks.run("inventory.paint-shelves")


@pytest.mark.django_db
def test_the_sweep_rings_for_every_lane_in_which_something_is_due(
    listen: Callable[..., None],
    run_out: Callable[..., None],
    woken: list[DeliveryQueue],
    later: Callable[[timedelta], None],
) -> None:
    for name, external in [("inventory.reorder", False), ("inventory.mail", True), ("billing.charge", True)]:
        listen(print, name=name, external=external)
    run_out("MUG", "LAMP")
    Delivery.objects.filter(consumer="inventory.mail").update(status=Status.DEAD)
    Delivery.objects.filter(consumer="billing.charge", message__data__sku="LAMP").delete()

    tasks.sweep()

    assert sorted(woken) == [DeliveryQueue("billing", True), DeliveryQueue("inventory", False)]


@pytest.mark.django_db
@pytest.mark.usefixtures("stopped_clock")
def test_the_sweep_rings_for_nobody_when_nothing_is_due(
    listen: Callable[..., None], run_out: Callable[..., None], deliver: Callable[[], int], woken: list[DeliveryQueue]
) -> None:
    listen(lambda event: 1 / 0)
    run_out("MUG")
    deliver()

    tasks.sweep()

    assert woken == []


@pytest.mark.django_db
def test_a_wake_up_handles_what_is_due_in_its_lane_and_a_second_one_finds_nothing(
    listen: Callable[..., None], run_out: Callable[..., None]
) -> None:
    heard: list[str] = []
    listen(lambda event: heard.append(event.sku))
    run_out("MUG")

    tasks.deliver("billing", False)
    tasks.deliver("inventory", True)
    assert heard == []

    tasks.deliver("inventory", False)
    tasks.deliver("inventory", False)
    assert heard == ["MUG"]


@pytest.mark.parametrize(("context", "external"), [("nowhere", False), ("inventory", "yes"), ("'; DROP TABLE", True)])
@pytest.mark.django_db
def test_a_forged_wake_up_does_no_harm(context: str, external: bool) -> None:
    tasks.deliver(context, bool(external))

    assert not Delivery.objects.exists()
