"""Beat schedules the sweep and every routine; running one once more does no harm."""

from collections.abc import Callable
from datetime import timedelta
from importlib import import_module

import pytest
from celery import current_app
from django.conf import settings

from integration.domain.naming import UnknownName
from integration.messaging import tasks
from integration.messaging.heartbeat import last_heartbeat
from integration.messaging.models import Delivery, Status
from integration.messaging.routines import routines
from integration.messaging.wakeups import DeliveryQueue, queue_of
from integration.policies import every


def test_beat_schedules_the_sweep_and_every_routine_on_the_queue_of_its_context() -> None:
    # Load all code. A worker and beat never load the URLs, but they must know every routine.
    import_module(settings.ROOT_URLCONF)
    schedule = current_app.conf.beat_schedule

    assert set(schedule) == {"sweep", *(name for name, _ in routines.items())}
    assert schedule["sweep"]["task"] == "waybill.sweep"
    assert schedule["sweep"]["schedule"] == settings.SWEEP_EVERY.total_seconds()
    for name, routine in routines.items():
        assert (schedule[name]["task"], schedule[name]["args"]) == ("waybill.run", [name])
        assert schedule[name]["schedule"] == routine.interval.total_seconds()
        assert schedule[name]["options"]["queue"] == queue_of(routine.context)


def test_no_scheduled_task_expires_by_the_clock_of_another_machine() -> None:
    for entry in current_app.conf.beat_schedule.values():
        assert set(entry["options"]) == {"queue"}


def test_every_scheduled_task_uses_a_queue_that_has_workers() -> None:
    queues = {entry["options"]["queue"] for entry in current_app.conf.beat_schedule.values()}

    assert queues <= set(settings.CELERY_TASK_QUEUES)


def test_cancelling_overdue_orders_is_a_routine() -> None:
    assert "ordering.cancel-overdue-orders" in routines


def test_a_routine_is_run_by_its_name(listen: object) -> None:
    runs: list[int] = []
    every(timedelta(seconds=5), name="inventory.count-shelves")(lambda: runs.append(1))

    tasks.run("inventory.count-shelves")

    assert runs == [1]


def test_an_unknown_routine_is_refused(listen: object) -> None:
    with pytest.raises(UnknownName, match=r"no routine is named 'inventory\.paint-shelves'"):
        tasks.run("inventory.paint-shelves")


@pytest.mark.django_db
def test_the_sweep_wakes_every_delivery_queue_with_due_deliveries(
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
def test_the_sweep_wakes_no_worker_without_due_deliveries(
    listen: Callable[..., None], run_out: Callable[..., None], deliver: Callable[[], int], woken: list[DeliveryQueue]
) -> None:
    listen(lambda event: 1 / 0)
    run_out("MUG")
    deliver()

    tasks.sweep()

    assert woken == []


@pytest.mark.django_db
def test_a_wake_up_handles_its_delivery_queue_and_a_second_one_finds_nothing(
    listen: Callable[..., None], run_out: Callable[..., None]
) -> None:
    handled: list[str] = []
    listen(lambda event: handled.append(event.sku))
    run_out("MUG")

    tasks.deliver("billing", False)
    tasks.deliver("inventory", True)
    assert handled == []

    tasks.deliver("inventory", False)
    tasks.deliver("inventory", False)
    assert handled == ["MUG"]


@pytest.mark.parametrize(("context", "external"), [("nowhere", False), ("inventory", "yes"), ("'; DROP TABLE", True)])
@pytest.mark.django_db
def test_a_forged_wake_up_does_no_harm(context: str, external: bool) -> None:
    tasks.deliver(context, bool(external))

    assert not Delivery.objects.exists()


@pytest.mark.django_db
def test_a_sweep_leaves_its_heartbeat() -> None:
    assert last_heartbeat(tasks.SWEEP) is None
    tasks.sweep()
    assert last_heartbeat(tasks.SWEEP) is not None
